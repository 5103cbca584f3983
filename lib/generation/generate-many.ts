import { boolean, readOptions } from "../internal/checks.js";
import { optionNames } from "../internal/option-names.js";
import { opener, Windowed, type Workplace, windowWidth } from "../internal/windowed.js";
import type { PromptInput } from "../model/prompt.js";
import type { Sampler } from "../sampling/sampler.js";
import {
  flatOptions,
  GENERATE_OPTIONS,
  overridden,
  readRequest,
  withoutFlatOptions,
} from "./generate-options.js";
import type { GenerateOptions, Generation, GenerationResult } from "./generation.js";

/**
 * One request of `Context.generateMany`, a plain object. Its options go before those of the batch, one by
 * one: its `temperature` changes that setting of the batch's `sampler` or sampling options and leaves the
 * others; its `sampler` replaces them all. Its `signal` ends itself only. It may carry data of your own,
 * which come back in the result's `request`.
 */
export type BatchRequest = {
  /** What the generation starts from. */
  readonly prompt: PromptInput;
} & GenerateOptions;

/** What became of a request: its result or its error. */
export type BatchResult<T> = {
  /** The request's place in the iterable, from 0. */
  readonly index: number;
  /** The request itself, the same object. */
  readonly request: T;
} & (
  | {
      /** The whole output. */
      readonly result: GenerationResult;
      readonly error?: undefined;
    }
  | {
      readonly result?: undefined;
      /** An invalid request's ERR_INVALID_ARGUMENT, or what its generation rejected with. */
      readonly error: unknown;
    }
);

/** What `Context.generateMany` takes besides the requests. */
export type GenerateManyOptions = GenerateOptions & {
  /** Results in the order of the requests. Default false: as they finish. */
  readonly ordered?: boolean;
};

const MANY_OPTIONS = [
  ...GENERATE_OPTIONS,
  ...optionNames("context.generateMany", ["ordered"]),
] as const;

/** The context that generates. */
interface GeneratingContext extends Workplace {
  generate(prompt: PromptInput, options: GenerateOptions): Generation;
}

/** With `ordered`, requests of which the results are not taken yet, in windows. */
const ORDERED_WINDOWS = 4;

/** Requests that may be read from the source before the results of the first ones are taken. */
export function readAhead(sequences: number, ordered: boolean): number {
  return windowWidth(sequences) * (ordered ? ORDERED_WINDOWS : 1);
}

export function generateMany<T extends BatchRequest>(
  context: GeneratingContext,
  requests: Iterable<T> | AsyncIterable<T>,
  given: GenerateManyOptions | undefined,
  check: (options: GenerateOptions) => { readonly sampler: Sampler },
): AsyncIterableIterator<BatchResult<T>> {
  const { ordered = false, ...options } = readOptions(given, "options", MANY_OPTIONS);
  boolean(ordered, "options.ordered");
  const { sampler } = check(options);
  const { signal, stop, ...rest } = options;
  // Requests begin later, and the caller may have changed his lists and objects by then.
  const defaults: GenerateOptions = {
    maxPause: Number.POSITIVE_INFINITY,
    ...withoutFlatOptions(rest),
    ...(stop !== undefined && { stop: typeof stop === "string" ? stop : [...stop] }),
    ...(flatOptions(rest) !== undefined && { sampler }),
  };
  return new Windowed<T, GenerationResult, BatchResult<T>>({
    context,
    name: "requests",
    open: opener(requests, "requests"),
    start: (request, index) => {
      const { prompt, ...own } = readRequest(request, `requests[${index}]`);
      const generation = context.generate(prompt as PromptInput, overridden(defaults, own));
      return { outcome: generation.result(), cancel: () => generation.cancel() };
    },
    report: (index, request, outcome) =>
      "value" in outcome
        ? { index, request, result: outcome.value }
        : { index, request, error: outcome.error },
    signal,
    ordered,
    readAhead: readAhead(context.sequences, ordered),
  });
}
