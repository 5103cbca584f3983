import {
  abortSignal,
  boolean,
  callback,
  integer,
  isPlainObject,
  isWellFormed,
  list,
  MAX_INT32,
  oneOf,
  readOptions,
  string,
  unreadable,
} from "../internal/checks.js";
import { expected, invalid, show } from "../internal/errors.js";
import type { NativeRequest, NativeReuse } from "../internal/native.js";
import { misspeltOption, optionNames } from "../internal/option-names.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { nativeAdapters } from "../model/lora-adapter.js";
import { isSampler, nativeSteps, type Sampler, type SamplerOptions } from "../sampling/sampler.js";
import { SAMPLER_OPTIONS } from "../sampling/sampler-options.js";
import type { CachePrompt, GenerateOptions, ReasoningBudget } from "./generation.js";

export const GENERATE_OPTIONS: readonly (keyof GenerateOptions)[] = [
  ...optionNames("context.generate", [
    "sampler",
    "maxTokens",
    "stop",
    "special",
    "signal",
    "logprobs",
    "cachePrompt",
    "maxPause",
    "onProgress",
    "reasoningBudget",
    "adapters",
  ]),
  ...SAMPLER_OPTIONS,
];

/** The most that `logprobs` may ask for. */
const LOGPROBS_MAX = 20;

/** Milliseconds: nobody who reads notices. */
const DEFAULT_PAUSE = 50;

/** The part of a request that the options make. */
export type RequestOptions = Omit<NativeRequest, "id" | "segments" | "addBos">;

/** A sampler of what the model's file recommends, with settings of the caller's where there are any. */
export type Recommended = (given?: SamplerOptions) => Sampler;

/** Checked and complete, as the addon takes it, and what stays in JS. */
export function nativeGenerateOptions(
  given: GenerateOptions | undefined,
  model: LoadedModel,
  recommended: Recommended,
): {
  signal: AbortSignal | undefined;
  onProgress: GenerateOptions["onProgress"] | undefined;
  sampler: Sampler;
  request: RequestOptions;
} {
  const o = readOptions(given, "options", GENERATE_OPTIONS);
  const { maxTokens, stop = [], special = false } = o;
  const { signal, logprobs, cachePrompt = true, maxPause = DEFAULT_PAUSE, onProgress } = o;
  const sampler = samplerOf(o, recommended);
  if (maxTokens !== undefined) integer(maxTokens, "options.maxTokens", 0, MAX_INT32);
  if (logprobs !== undefined) integer(logprobs, "options.logprobs", 0, LOGPROBS_MAX);
  pause(maxPause);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  if (onProgress !== undefined) callback(onProgress, "options.onProgress");
  return {
    signal,
    onProgress,
    sampler,
    request: {
      adapters: nativeAdapters(o.adapters, "options.adapters", model),
      sampler: nativeSteps(sampler, model.vocabularySize),
      seed: sampler.seed ?? randomSeed(),
      maxTokens: maxTokens ?? -1,
      stop: stopStrings(stop, "options.stop"),
      special: special === true,
      shown: shownTokens(special, "options.special"),
      reasoning: reasoningLimit(o.reasoningBudget, "options.reasoningBudget"),
      progress: onProgress !== undefined,
      logprobs: logprobs ?? -1,
      reuse: nativeReuse(cachePrompt, "options.cachePrompt"),
      maxPause,
    },
  };
}

function pause(value: unknown): void {
  if (typeof value === "number" && value >= 0) return;
  throw expected("a number of milliseconds from 0, or Infinity,", "options.maxPause", value);
}

/** The `sampler` of the options, or one that their sampling options make. */
export function samplerOf(options: GenerateOptions, recommended: Recommended): Sampler {
  const { sampler } = options;
  const flat = flatOptions(options);
  if (sampler === undefined) return recommended(flat);
  if (!isSampler(sampler))
    throw expected("a Sampler, made by `new Sampler({ … })`,", "options.sampler", sampler);
  if (flat === undefined) return sampler;
  const [name] = Object.keys(flat) as [string];
  throw invalid(
    `\`options.${name}\` cannot be given together with \`options.sampler\`: leave \`sampler\` out, or ` +
      `put \`${name}\` into it (\`sampler.with({ ${name}: … })\`)`,
    { name: `options.${name}` },
  );
}

/** The sampling options that are given one by one, or undefined where none is. */
export function flatOptions(options: GenerateOptions): SamplerOptions | undefined {
  const given = SAMPLER_OPTIONS.filter((name) => options[name] !== undefined);
  if (given.length === 0) return undefined;
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

export function withoutFlatOptions<T extends GenerateOptions>(options: T): T {
  const rest = { ...options };
  for (const name of SAMPLER_OPTIONS) delete rest[name];
  return rest;
}

/**
 * `own` options before those of the batch or the session. A sampling option changes that setting alone,
 * of a `sampler` too; a `sampler` replaces all sampling options.
 */
export function overridden<T extends GenerateOptions>(defaults: T, own: T): T {
  if (own.sampler !== undefined) return { ...withoutFlatOptions(defaults), ...own };
  const flat = defaults.sampler === undefined ? undefined : flatOptions(own);
  if (flat === undefined) return { ...defaults, ...own };
  const sampler = defaults.sampler?.with(flat);
  return { ...defaults, ...withoutFlatOptions(own), sampler };
}

export function nativeReuse(cachePrompt: CachePrompt, name: string): NativeReuse {
  oneOf(cachePrompt, name, [true, false, "exact"]);
  if (cachePrompt === "exact") return cachePrompt;
  return cachePrompt ? "any" : "none";
}

const REQUEST_OPTIONS = ["prompt", ...GENERATE_OPTIONS] as const;

/**
 * A batch's request, each option read once. What else it holds is its owner's own data, except what
 * looks like a misspelt option.
 */
export function readRequest(request: unknown, name: string): { prompt: unknown } & GenerateOptions {
  if (!isPlainObject(request)) throw expected("a plain object with a `prompt`", name, request);
  const known: readonly string[] = REQUEST_OPTIONS;
  const read: { prompt: unknown; [key: string]: unknown } = { prompt: undefined };
  try {
    for (const key of Object.keys(request)) {
      if (known.includes(key)) {
        const value = request[key];
        if (value !== undefined) read[key] = value;
      } else {
        const meant = misspeltOption(key, known);
        if (meant !== undefined) throw misspelt(key, meant, name);
      }
    }
  } catch (error) {
    throw unreadable(error, name, request);
  }
  return read;
}

function misspelt(key: string, meant: string, name: string): Error {
  return invalid(
    `Unknown option ${show(key)} in \`${name}\`: did you mean \`${meant}\`? Data of your own needs ` +
      "another name",
    { name, option: key },
  );
}

/** One text or many, as a list of its own. */
export function stopStrings(stop: unknown, name: string): string[] {
  if (typeof stop === "string") return [stopString(stop, name)];
  return list(stop, name, "a string or an array of strings", stopString);
}

const BUDGET = optionNames("context.generate", ["tokens", "start", "ends", "open"]);

function reasoningLimit(
  given: ReasoningBudget | undefined,
  name: string,
): NativeRequest["reasoning"] {
  if (given === undefined) return null;
  const o = readOptions(given, name, BUDGET);
  const { tokens = MAX_INT32, start = "<think>", ends = ["</think>"], open = false } = o;
  const marks = list(ends, `${name}.ends`, "an array of texts", string);
  if (marks.length === 0) throw expected("at least one text", `${name}.ends`, ends);
  return {
    tokens: integer(tokens, `${name}.tokens`, 0, MAX_INT32),
    start: string(start, `${name}.start`),
    ends: marks,
    open: boolean(open, `${name}.open`),
  };
}

function shownTokens(special: unknown, name: string): string[] {
  if (typeof special === "boolean") return [];
  return list(special, name, "a boolean or an array of control tokens' texts", string);
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
