import { join } from "node:path";

export const ROOT = join(__dirname, "..", "..");
/** CRIA_TEST_MODEL runs the tests on another model of the Llama 3.1 format. */
export const MODEL = process.env.CRIA_TEST_MODEL || join(ROOT, "models", "cria-demo.gguf");
export const DIST = join(ROOT, "dist");
/** The programs of test/native; CRIA_TEST_PROGRAMS names those of another build. */
export const PROGRAMS = process.env.CRIA_TEST_PROGRAMS || join(ROOT, ".build", "local", "bin");
/** llama.cpp's own answers; `npm test` builds it from test/native/reference.cpp. */
export const REFERENCE = join(
  PROGRAMS,
  process.platform === "win32" ? "cria-reference.exe" : "cria-reference",
);
