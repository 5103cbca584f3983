// What the children of this folder share: the built package, the model, and a sampler that never ends.
import { Model, Sampler } from "../../dist/index.js";

export { Model, Sampler };
export const path = process.env.CRIA_TEST_MODEL;
export const rounds = Number(process.argv[2] ?? 1);

export function endlessSampler(model) {
  const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
  const ends = ids.filter((id) => model.isEndOfGeneration(id));
  return Sampler.greedy().with({
    logitBias: Object.fromEntries(ends.map((id) => [id, -Infinity])),
  });
}

/** Takes many batches to evaluate, in a context of small ones. */
export function longPrompt(model) {
  return new Int32Array(480).fill(model.tokenize("a")[0]);
}

export const smallBatches = { contextSize: 512, batchSize: 16, threads: 1 };

/** Rises with the rounds, so that each stops at another point of the work. */
export function pause(round) {
  return new Promise((resolve) => setTimeout(resolve, round % 10));
}
