// What the works share: a model for as long as it is used, contexts with the settings of the run.

import { Model, Sampler } from "../../dist/index.js";
import { promptMaker } from "../prompts.mjs";

export const greedy = Sampler.greedy();

/** A model for as long as `use` runs. */
export async function withModel(work, use) {
  const model = await Model.load(work.model);
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

/** A context with the settings that the other side has, too. */
export function createContext(model, { settings, sequences = 1, contextSize, more = {} }) {
  return model.createContext({
    contextSize,
    sequences,
    threads: settings.threads,
    batchThreads: settings.threads,
    flashAttention: settings.flashAttention,
    kvCacheType: settings.kvCacheType,
    kvCache: settings.kvCache,
    batchSize: settings.batchSize,
    microBatchSize: settings.microBatchSize,
    ...more,
  });
}

export const vocabularyOf = (model) => ({
  vocabularySize: model.vocabularySize,
  bos: model.specialTokens.bos,
});

export const promptMakerOf = (model) => promptMaker(vocabularyOf(model));

/** Reads a generation to its end, chunk by chunk as an application would, and checks its length. */
export async function consume(generation, expected) {
  let count = 0;
  for await (const chunk of generation) count += chunk.tokens.length;
  const result = await generation.result();
  if (count !== expected || result.stopReason !== "max-tokens") {
    throw new Error(`${count} of ${expected} tokens came, then ${result.stopReason}.`);
  }
  return result;
}
