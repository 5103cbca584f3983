import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.js";

/** The llama.cpp tree that the engine was built from. */
export function llamaCppDir(): string {
  const directory = process.env.LLAMA_CPP_DIR || join(ROOT, ".llama.cpp");
  if (existsSync(join(directory, "include", "llama.h"))) return directory;
  throw new Error(`No llama.cpp in ${directory}: run npm run build:native, or set LLAMA_CPP_DIR`);
}
