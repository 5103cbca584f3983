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

/** Two threads, since that is where threads wait for each other. */
export const smallBatches = { contextSize: 512, batchSize: 16, threads: 2 };

/** Rises with the rounds, so that each stops at another point of the work. */
export function pause(round) {
  return new Promise((resolve) => setTimeout(resolve, round % 10));
}

/**
 * Starts three generations, and resolves when the first of them has told `events` times that it is in
 * this phase: by what the engine says, not by the clock.
 */
export async function underWay(model, context, phase, events) {
  const sampler = endlessSampler(model);
  const prompts = Array(3).fill(phase === "prefill" ? longPrompt(model) : "The");
  let told = 0;
  let reached;
  const seen = new Promise((resolve) => {
    reached = resolve;
  });
  const onProgress = () => {
    told += 1;
    if (told > events) reached();
  };
  const generations = prompts.map((prompt) =>
    context.generate(prompt, phase === "prefill" ? { sampler, onProgress } : { sampler }),
  );
  const results = generations.map((generation) => generation.result());
  for (const result of results) result.catch(() => {}); // whoever awaits it still gets the error
  if (phase === "decode") {
    (async () => {
      for await (const _ of generations[0]) onProgress();
    })().catch(() => {});
  }
  await Promise.race([seen, ...results.map((result) => result.catch(() => {}))]);
  return results;
}
