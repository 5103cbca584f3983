import { existsSync } from "node:fs";
import { join } from "node:path";
import { lowerCpuLevel } from "./cpu-level.js";
import { ROOT } from "./paths.js";

// A file of tests after this one runs on what `npm run build:portable` made: the engine and the programs.
const build = join(ROOT, ".build", "local-portable");
const engine = join(build, "cria.node");
if (!existsSync(engine)) {
  throw new Error(`${engine} is not there: \`npm run build:portable\` makes it`);
}
process.env.CRIA_BINARY = engine;
process.env.CRIA_TEST_PROGRAMS = join(build, "bin");

const level = lowerCpuLevel();
if (level !== undefined) process.env.CRIA_CPU_LEVEL = level;
