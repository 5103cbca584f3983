import type { GenerationResult } from "../generation/generation.js";

type Timed = Pick<GenerationResult, "usage" | "timings">;

/**
 * llama-server's `timings`, of answers that were generated together: the prompt is that of the first, the tokens are
 * those of all, and their time is that of the longest.
 */
export function timingsOf(results: readonly Timed[]) {
  const [first] = results;
  const { promptTokens = 0, cachedTokens = 0 } = first?.usage ?? {};
  const predicted = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  const predictedMs = Math.max(0, ...results.map(({ timings }) => timings.generationMs));
  const prompt = spent(promptTokens - cachedTokens, first?.timings.promptMs ?? 0);
  const generated = spent(predicted, predictedMs);
  return {
    cache_n: cachedTokens,
    prompt_n: prompt.tokens,
    prompt_ms: prompt.ms,
    prompt_per_token_ms: prompt.each,
    prompt_per_second: prompt.rate,
    predicted_n: generated.tokens,
    predicted_ms: generated.ms,
    predicted_per_token_ms: generated.each,
    predicted_per_second: generated.rate,
  };
}

/** Nothing that took no time has a rate of infinity: JSON has none. */
function spent(tokens: number, ms: number) {
  return {
    ...{ tokens, ms, each: tokens > 0 ? ms / tokens : 0 },
    rate: ms > 0 ? (tokens * 1000) / ms : 0,
  };
}
