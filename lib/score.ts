import { expected } from "./errors.js";
import type { NativeCommand } from "./native.js";
import { abortSignal, boolean, readOptions } from "./options.js";
import { nativePrompt, type PromptVocabulary } from "./prompt.js";
import { copyTokens } from "./tokens.js";

/** What `Context.score` takes besides the prompt and the candidates. */
export interface ScoreOptions {
  /** Takes effect within 100 ms; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Take over what is cached of the longest common prefix of other prompts. Default true. */
  readonly cachePrompt?: boolean;
}

/** Checked and complete, as the addon takes it. */
export function scoreCommand(
  prompt: unknown,
  given: unknown,
  options: ScoreOptions | undefined,
  vocabulary: PromptVocabulary,
): { command: NativeCommand; signal: AbortSignal | undefined } {
  const { vocabularySize } = vocabulary;
  const { segments, addBos } = nativePrompt(prompt, vocabulary);
  const candidates = copyTokens(given, "candidates", vocabularySize);
  if (candidates.length === 0 || candidates.length > vocabularySize) {
    throw expected(`1 to ${vocabularySize} token ids`, "candidates", given);
  }
  const { signal, cachePrompt = true } = readOptions(options, "options", ["signal", "cachePrompt"]);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  boolean(cachePrompt, "options.cachePrompt");
  return { signal, command: { type: "score", segments, addBos, candidates, cachePrompt } };
}
