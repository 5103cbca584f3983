import { join } from "node:path";

export const ROOT = join(__dirname, "..", "..");
/** CRIA_TEST_MODEL runs the tests on another model of the Llama 3.1 format. */
export const MODEL = process.env.CRIA_TEST_MODEL || join(ROOT, "models", "cria-demo.gguf");
export const DIST = join(ROOT, "dist");
/** The built command line. */
export const CLI = join(DIST, "cli.cjs");

/** What children run in; CRIA_TEST_NODE names another Node (npm run test:platforms). */
export const NODE = process.env.CRIA_TEST_NODE || process.execPath;

const suffix = process.platform === "win32" ? ".exe" : "";

/** A program of test/native; CRIA_TEST_PROGRAMS names the folder of another build's. */
export function program(name: string): string {
  const folder = process.env.CRIA_TEST_PROGRAMS || join(ROOT, ".build", "local", "bin");
  return join(folder, `cria-${name}${suffix}`);
}
export const FIXTURES = join(ROOT, "test", "fixtures");
