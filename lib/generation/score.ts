import { abortSignal, callback, readOptions } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import type { NativeAnswer, NativeCommand } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { answered } from "../internal/requests.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { nativeAdapters, type ScaledAdapter } from "../model/lora-adapter.js";
import { nativePrompt, type PromptVocabulary } from "../model/prompt.js";
import { copyTokens } from "../model/tokens.js";
import { nativeReuse } from "./generate-options.js";
import type { CachePrompt, GenerationUsage } from "./generation.js";

const SCORE_OPTIONS = optionNames("context.score", [
  ...(["signal", "cachePrompt", "onUsage", "adapters"] as const),
]);

/** What `Context.score` takes besides the prompt and the candidates. */
export interface ScoreOptions {
  /** Aborts the call, which rejects with its reason at once; the engine is free soon after. Default: none. */
  readonly signal?: AbortSignal;
  /** Prefix caching, as in `GenerateOptions`. Default true. */
  readonly cachePrompt?: CachePrompt;
  /** Told how many tokens it took, just before the promise resolves. What it throws rejects that. */
  readonly onUsage?: (usage: GenerationUsage) => void;
  /** LoRA adapters that it is evaluated with, as in `GenerateOptions`. Default: none. */
  readonly adapters?: readonly ScaledAdapter[];
}

/** Checked and complete, as the addon takes it. */
export function scoreCommand(
  prompt: unknown,
  given: unknown,
  options: ScoreOptions | undefined,
  { model, vocabulary }: { model: LoadedModel; vocabulary: PromptVocabulary },
): {
  command: NativeCommand;
  signal: AbortSignal | undefined;
  onUsage: ScoreOptions["onUsage"] | undefined;
} {
  const { vocabularySize } = vocabulary;
  const { segments, addBos } = nativePrompt(prompt, vocabulary);
  const candidates = copyTokens(given, "candidates", vocabularySize);
  if (candidates.length === 0 || candidates.length > vocabularySize) {
    throw expected(`1 to ${vocabularySize} token ids`, "candidates", given);
  }
  const o = readOptions(options, "options", SCORE_OPTIONS);
  const { signal, cachePrompt = true, onUsage } = o;
  if (signal !== undefined) abortSignal(signal, "options.signal");
  if (onUsage !== undefined) callback(onUsage, "options.onUsage");
  const reuse = nativeReuse(cachePrompt, "options.cachePrompt");
  const adapters = nativeAdapters(o.adapters, "options.adapters", model);
  const counts = Int32Array.of(candidates.length);
  const command = { type: "score", segments, addBos, candidates, counts, reuse, adapters } as const;
  return { signal, onUsage, command };
}

export function scoreUsage({ count, cached }: NativeAnswer): GenerationUsage {
  return { promptTokens: answered(count), cachedTokens: answered(cached), completionTokens: 0 };
}
