import type { SamplerOptions } from "./sampler-options.js";
import type { Penalties } from "./sampler-parts.js";

/** How far the penalties look back: OpenAI's count the whole text. */
const PENALTY_REACH = 1_048_576;

/** Settings as OpenAI's API has them, and others after it. */
export interface OpenAISampling {
  readonly frequencyPenalty: number | undefined;
  readonly presencePenalty: number | undefined;
  /** Any integer. */
  readonly seed: number | undefined;
}

/** The penalties and the seed, where there are any, as a sampler takes them. */
export function openAISampling(
  { frequencyPenalty: frequency = 0, presencePenalty: presence = 0, seed }: OpenAISampling,
  others: Penalties = {},
): Pick<SamplerOptions, "penalties" | "seed"> {
  const penalises = frequency !== 0 || presence !== 0;
  return {
    ...(penalises && { penalties: { lastN: PENALTY_REACH, ...others, frequency, presence } }),
    ...(seed !== undefined && { seed: ownSeed(seed) }),
  };
}

/** Seeds there are signed 64-bit integers; each is mapped to one of ours. */
function ownSeed(seed: number): number {
  const range = 2 ** 32 - 1;
  return ((seed % range) + range) % range;
}
