// The models that are measured. Random weights, since speed does not depend on their values; where
// only the vocabulary matters, or the time that the model takes should not, others.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { program, workDirectory } from "./upstream.mjs";

const run = promisify(execFile);

/** Layers, embedding, feed-forward, heads, key-value heads. */
const shapes = {
  "90m": { shape: [8, 512, 1536, 8, 4], type: "Q8_0", title: "90M Q8_0" },
  "1b": { shape: [16, 2048, 8192, 32, 8], type: "Q4_K_M", title: "1B Q4_K_M" },
  // Of the same shape, with an output of its own; it goes on with the next id.
  "1b-counts": {
    shape: [16, 2048, 8192, 32, 8],
    type: "Q4_K_M",
    more: ["counts"],
    title: "1B Q4_K_M that counts",
  },
};

/** Files that are there already, from the path of llama.cpp's tree. */
const files = {
  demo: { title: "cria-demo", path: () => path.join(workDirectory, "../../models/cria-demo.gguf") },
  vocabulary: {
    title: "128K vocabulary",
    path: (tree) => path.join(tree, "models", "ggml-vocab-llama-bpe.gguf"),
  },
};

export const titleOf = (name) => (shapes[name] ?? files[name]).title;

/** A change of what make-model writes makes new files. */
const recipe = 2;

/** Path of a model, which is made if it is not there yet. */
export async function ensureModel(name, tree, log) {
  if (files[name]) return files[name].path(tree);
  const { shape, type, title, more = [] } = shapes[name];
  const directory = path.join(workDirectory, "models");
  const file = path.join(directory, `${name}-${shape.join("-")}-${type}-${recipe}.gguf`);
  if (existsSync(file)) return file;
  log(`making the model ${title} (a minute or two)`);
  await mkdir(directory, { recursive: true });
  const vocabulary = files.vocabulary.path(tree);
  const partial = `${file}.partial`;
  try {
    await run(program("make-model"), [vocabulary, partial, ...shape.map(String), type, ...more]);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
  return file;
}
