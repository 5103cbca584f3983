// Which tokens of a text count, and what the model gives each.

/**
 * The windows of a text, as llama-perplexity cuts it. Without a stride they lie side by side, and of each the
 * tokens behind its first half count; with one, a window begins at every multiple of it, and its last `stride`
 * tokens count. What is left over at the end is not measured.
 *
 * Of each: `start` in `tokens`, and `counted`, how many of its last tokens count.
 */
export function windowsOf(length, window, stride) {
  if (stride > 0) {
    const windows = Math.ceil((length - window) / stride);
    return Array.from({ length: Math.max(0, windows) }, (_, index) => ({
      ...{ start: index * stride, counted: Math.min(stride, window - 1) },
    }));
  }
  const counted = window - 1 - Math.floor(window / 2);
  return Array.from({ length: Math.floor(length / window) }, (_, index) => ({
    ...{ start: index * window, counted },
  }));
}

/** The tokens of a window as they are evaluated: where the model wants a BOS it stands in place of the first. */
export function windowTokens(tokens, start, window, bos) {
  const own = Array.from(tokens.slice(start, start + window));
  return bos === null ? own : [bos, ...own.slice(1)];
}

/**
 * The log-probability of each of the last `counted` tokens behind all those before it. What is before them is
 * evaluated at once, by itself, so that no window depends on another; each of them adds one to it.
 */
export async function tokenLogprobs(context, tokens, counted) {
  const logprobs = [];
  for (let at = tokens.length - counted; at < tokens.length; at++) {
    const options = { cachePrompt: logprobs.length > 0 };
    const [logprob] = await context.score(tokens.slice(0, at), [tokens[at]], options);
    logprobs.push(logprob);
  }
  return logprobs;
}
