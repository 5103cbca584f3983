import { boolean, readOptions } from "../internal/checks.js";
import { opener, Windowed, type Workplace, windowWidth } from "../internal/windowed.js";
import type { PromptInput } from "../model/prompt.js";
import { GENERATE_OPTIONS, readRequest } from "./generate-options.js";
import type { GenerateOptions, Generation, GenerationResult } from "./generation.js";

/**
 * One request of `Context.generateMany`, a plain object. Its options win over those of the batch; its
 * `signal` ends itself only. It may carry data of your own, which come back in the result's `request`.
 */
export type BatchRequest = { readonly prompt: PromptInput } & GenerateOptions;

/** What became of a request: its result or its error. */
export type BatchResult<T> = {
  /** The request's place in the iterable, from 0. */
  readonly index: number;
  /** The request itself, the same object. */
  readonly request: T;
} & (
  | { readonly result: GenerationResult; readonly error?: undefined }
  /** An invalid request's ERR_INVALID_ARGUMENT, or what its generation rejected with. */
  | { readonly result?: undefined; readonly error: unknown }
);

/** What `Context.generateMany` takes besides the requests. */
export type GenerateManyOptions = GenerateOptions & {
  /** Results in the order of the requests. Default false: as they finish. */
  readonly ordered?: boolean;
};

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
  check: (options: GenerateOptions) => void,
): AsyncIterableIterator<BatchResult<T>> {
  const known = [...GENERATE_OPTIONS, "ordered"] as const;
  const { ordered = false, ...options } = readOptions(given, "options", known);
  boolean(ordered, "options.ordered");
  check(options);
  const { signal, ...own } = options;
  // Of the list a copy: requests begin later, and the caller may have changed it by then.
  const defaults = { ...own, ...(own.stop && { stop: [...own.stop] }) };
  return new Windowed<T, GenerationResult, BatchResult<T>>({
    context,
    name: "requests",
    open: opener(requests, "requests"),
    start: (request, index) => {
      const { prompt, ...own } = readRequest(request, `requests[${index}]`);
      const generation = context.generate(prompt as PromptInput, { ...defaults, ...own });
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
