import { expected } from "./errors.js";
import { readCaching } from "./generate-options.js";
import type { GenerateOptions } from "./generation.js";
import type { NativeCommand } from "./native.js";
import { abortSignal, readOptions } from "./options.js";
import { nativePrompt, type PromptVocabulary } from "./prompt.js";
import { copyTokens } from "./tokens.js";

/** What `Context.score` takes besides the prompt and the candidates. */
export interface ScoreOptions {
  /** Takes effect within 100 ms; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Take over what is cached of other prompts, as with `Context.generate`. Default true. */
  readonly cachePrompt?: GenerateOptions["cachePrompt"];
}

const KNOWN = ["signal", "cachePrompt"] as const;

/** Checked and complete, as the addon takes it. */
export function scoreCommand(
  prompt: unknown,
  candidates: unknown,
  options: ScoreOptions | undefined,
  vocabulary: PromptVocabulary,
): { command: NativeCommand; signal: AbortSignal | undefined } {
  const { vocabularySize } = vocabulary;
  const copied = copyTokens(candidates, "candidates", vocabularySize);
  if (copied.length === 0 || copied.length > vocabularySize) {
    throw expected(`1 to ${vocabularySize} token ids`, "candidates", candidates);
  }
  const { signal, cachePrompt: given = true } = readOptions(options, "options", KNOWN);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  const { cachePrompt, sharedSegments } = readCaching(given);
  const native = nativePrompt(prompt, vocabulary, sharedSegments);
  return { signal, command: { type: "score", ...native, candidates: copied, cachePrompt } };
}
