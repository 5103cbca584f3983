import { abortSignal, readOptions } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import type { NativeCommand } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { nativePrompt, type PromptVocabulary } from "../model/prompt.js";
import { copyTokens } from "../model/tokens.js";
import { nativeReuse } from "./generate-options.js";
import type { CachePrompt } from "./generation.js";

const SCORE_OPTIONS = optionNames("context.score", ["signal", "cachePrompt"]);

/** What `Context.score` takes besides the prompt and the candidates. */
export interface ScoreOptions {
  /** Aborts the call, which rejects with its reason at once; the engine is free soon after. Default: none. */
  readonly signal?: AbortSignal;
  /** Prefix caching, as in `GenerateOptions`. Default true. */
  readonly cachePrompt?: CachePrompt;
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
  const { signal, cachePrompt = true } = readOptions(options, "options", SCORE_OPTIONS);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  const reuse = nativeReuse(cachePrompt, "options.cachePrompt");
  return { signal, command: { type: "score", segments, addBos, candidates, reuse } };
}
