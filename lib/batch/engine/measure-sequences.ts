import type { Context } from "../../context/context.js";
import type { ContextOptions } from "../../context/context-options.js";
import { CriaError } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import type { Model } from "../../model/model.js";
import { Sampler } from "../../sampling/sampler.js";
import type { SequencesMeasured } from "../batch-types.js";

/** How many sequences are tried, one after the other as long as it pays. */
const STEPS = [1, 2, 4, 8, 16, 32];
/** More sequences make each answer slower, so the rate must grow by this factor. */
const WORTH = 1.1;
/** What all measurements may take together, roughly. */
const BUDGET_MS = 4000;
const PROMPT_TOKENS = 16;
const TOKENS = 12;

/** A context of as many sequences as there is room for. */
async function openLargest(
  model: Model,
  options: ContextOptions,
  signal: AbortSignal | undefined,
): Promise<Context> {
  // A batch has at least one token of each sequence.
  const { batchSize = Number.POSITIVE_INFINITY } = options;
  for (let sequences = Math.min(STEPS.at(-1) as number, batchSize); ; ) {
    try {
      return await model.createContext({
        ...options,
        contextSize: Math.min(64, model.contextLength),
        sequences,
        ...given({ signal }),
      });
    } catch (error) {
      const full = CriaError.is(error) && error.code === "ERR_OUT_OF_MEMORY";
      if (!full || sequences === 1) throw error;
      sequences = Math.floor(sequences / 2);
    }
  }
}

/** Finds by a few short generations how many at a time give the most tokens per second here. */
export async function measureSequences(
  model: Model,
  options: ContextOptions,
  signal: AbortSignal | undefined,
): Promise<SequencesMeasured> {
  const context = await openLargest(model, options, signal);
  const began = performance.now();
  const rates = new Map<number, number>();
  let best = 1;
  try {
    await rateOf(context, 1, signal); // the first run pays for what is made once
    for (const sequences of STEPS) {
      if (sequences > context.sequences) break;
      const rate = await rateOf(context, sequences, signal);
      rates.set(sequences, rate);
      if (rate > (rates.get(best) ?? 0) * WORTH) best = sequences;
      // One step without a gain may be chance. The next takes at least as long as this one.
      if (sequences > best * 2 || performance.now() - began > BUDGET_MS / 2) break;
    }
  } finally {
    await context.dispose();
  }
  return { sequences: best, rates };
}

async function rateOf(
  context: Context,
  count: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { vocabularySize } = context.model;
  const options = {
    sampler: Sampler.greedy(),
    maxTokens: TOKENS,
    cachePrompt: false,
    maxPause: Number.POSITIVE_INFINITY,
    ...(signal && { signal }),
  };
  const generations = Array.from({ length: count }, (_, index) => {
    const prompt = Array.from(
      { length: PROMPT_TOKENS },
      (_, at) => (index * 31 + at * 7) % vocabularySize,
    );
    return context.generate(prompt, options).result();
  });
  const results = await Promise.all(generations);
  const milliseconds = Math.max(...results.map(({ timings }) => timings.generationMs), 0.001);
  const tokens = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return (tokens * 1000) / milliseconds;
}
