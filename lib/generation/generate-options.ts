import {
  abortSignal,
  boolean,
  callback,
  integer,
  isPlainObject,
  isWellFormed,
  list,
  MAX_INT32,
  nearest,
  oneOf,
  readOptions,
  string,
  unreadable,
} from "../internal/checks.js";
import { expected, invalid, show } from "../internal/errors.js";
import type { NativeRequest, NativeReuse } from "../internal/native.js";
import { isSampler, nativeSteps, type Sampler } from "../sampling/sampler.js";
import type { CachePrompt, GenerateOptions } from "./generation.js";

export const GENERATE_OPTIONS: readonly (keyof GenerateOptions)[] = [
  "sampler",
  "maxTokens",
  "stop",
  "special",
  "signal",
  "logprobs",
  "cachePrompt",
  "onProgress",
];

/** The most that `logprobs` may ask for. */
const LOGPROBS_MAX = 20;

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
  const o = readOptions(given, "options", GENERATE_OPTIONS);
  const { sampler = recommended(), maxTokens, stop = [], special = false } = o;
  const { signal, logprobs, cachePrompt = true, onProgress } = o;
  if (!isSampler(sampler)) throw expected("a Sampler", "options.sampler", sampler);
  if (maxTokens !== undefined) integer(maxTokens, "options.maxTokens", 0, MAX_INT32);
  if (logprobs !== undefined) integer(logprobs, "options.logprobs", 0, LOGPROBS_MAX);
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
      logprobs: logprobs ?? -1,
      reuse: nativeReuse(cachePrompt, "options.cachePrompt"),
    },
  };
}

export function nativeReuse(cachePrompt: CachePrompt, name: string): NativeReuse {
  oneOf(cachePrompt, name, [true, false, "exact"]);
  if (cachePrompt === "exact") return cachePrompt;
  return cachePrompt ? "any" : "none";
}

/** Longer names than this are near an option's only where it is meant. */
const SHORT_NAME = 4;

/**
 * A batch's request, each option read once. What else it holds is its owner's own data, except what
 * looks like a misspelt option.
 */
export function readRequest(request: unknown, name: string): { prompt: unknown } & GenerateOptions {
  if (!isPlainObject(request)) throw expected("a plain object with a `prompt`", name, request);
  const known: readonly string[] = ["prompt", ...GENERATE_OPTIONS];
  const read: { prompt: unknown; [key: string]: unknown } = { prompt: undefined };
  try {
    for (const key of Object.keys(request)) {
      if (known.includes(key)) {
        const value = request[key];
        if (value !== undefined) read[key] = value;
      } else if (key.length > SHORT_NAME) {
        const near = nearest(key, known);
        if (near !== undefined) throw misspelt(key, near, name);
      }
    }
  } catch (error) {
    throw unreadable(error, name, request);
  }
  return read;
}

function misspelt(key: string, near: string, name: string): Error {
  return invalid(
    `Unknown option ${show(key)} in \`${name}\`: did you mean \`${near}\`? Data of your own needs ` +
      "another name",
    { name, option: key },
  );
}

/** Half a surrogate pair can never match: the output is whole characters. */
function stopString(value: unknown, name: string): string {
  const text = string(value, name);
  if (text !== "" && isWellFormed(text)) return text;
  throw expected("a non-empty string of whole characters", name, value);
}

export function randomSeed(): number {
  return Math.floor(Math.random() * (2 ** 32 - 1));
}
