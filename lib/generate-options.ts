import { expected } from "./errors.js";
import type { GenerateOptions } from "./generation.js";
import type { NativeRequest } from "./native.js";
import {
  abortSignal,
  boolean,
  callback,
  integer,
  isWellFormed,
  list,
  MAX_INT32,
  readOptions,
  string,
} from "./options.js";
import { isSampler, nativeSteps, type Sampler } from "./sampler.js";

const KNOWN: readonly (keyof GenerateOptions)[] = [
  "sampler",
  "maxTokens",
  "stop",
  "special",
  "signal",
  "onProgress",
];

/** The part of a request that the options make. */
export type RequestOptions = Omit<NativeRequest, "id" | "segments" | "addBos">;

/** Checked and complete, as the addon takes it, and what stays in JS. */
export function nativeGenerateOptions(
  given: GenerateOptions | undefined,
  vocabularySize: number,
  recommended: () => Sampler,
): {
  signal: AbortSignal | undefined;
  onProgress: GenerateOptions["onProgress"] | undefined;
  request: RequestOptions;
} {
  const o = readOptions(given, "options", KNOWN);
  const { sampler = recommended(), maxTokens, stop = [], special = false, signal, onProgress } = o;
  if (!isSampler(sampler)) throw expected("a Sampler", "options.sampler", sampler);
  if (maxTokens !== undefined) integer(maxTokens, "options.maxTokens", 0, MAX_INT32);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  if (onProgress !== undefined) callback(onProgress, "options.onProgress");
  return {
    signal,
    onProgress,
    request: {
      sampler: nativeSteps(sampler, vocabularySize),
      seed: sampler.seed ?? randomSeed(),
      maxTokens: maxTokens ?? -1,
      stop: list(stop, "options.stop", "an array of strings", stopString),
      special: boolean(special, "options.special"),
      progress: onProgress !== undefined,
      logprobs: -1,
      cachePrompt: true,
    },
  };
}

/** Half a surrogate pair can never match: the output is whole characters. */
function stopString(value: unknown, name: string): string {
  const text = string(value, name);
  if (text !== "" && isWellFormed(text)) return text;
  throw expected("a non-empty string of whole characters", name, value);
}

function randomSeed(): number {
  return Math.floor(Math.random() * (2 ** 32 - 1));
}
