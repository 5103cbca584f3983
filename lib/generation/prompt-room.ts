/** The share of the context that is left for an answer without `maxTokens`. */
const ANSWER_SHARE = 0.25;

/** How many tokens a prompt may have that is made to fit, so that an answer fits behind it. */
export function promptRoom(
  contextSize: number,
  maxTokens: number = Number.POSITIVE_INFINITY,
): number {
  return contextSize - Math.min(maxTokens, Math.floor(contextSize * ANSWER_SHARE));
}
