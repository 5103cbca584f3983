// The models that are measured: random weights, since speed does not depend on their values.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { program, workDirectory } from "./upstream.mjs";

const run = promisify(execFile);

/** Layers, embedding, feed-forward, heads, key-value heads. */
export const shapes = {
  "90m": { shape: [8, 512, 1536, 8, 4], type: "Q8_0", title: "90M Q8_0" },
};

/** Path of a model, which is made if it is not there yet. */
export async function ensureModel(name, tree, log) {
  const { shape, type, title } = shapes[name];
  const directory = path.join(workDirectory, "models");
  const file = path.join(directory, `${name}-${shape.join("-")}-${type}.gguf`);
  if (existsSync(file)) return file;
  log(`making the model ${title}`);
  await mkdir(directory, { recursive: true });
  const vocabulary = path.join(tree, "models", "ggml-vocab-llama-bpe.gguf");
  const partial = `${file}.partial`;
  try {
    await run(program("make-model"), [vocabulary, partial, ...shape.map(String), type]);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
  return file;
}
