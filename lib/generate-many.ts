import { abortReason, watchSignal } from "./abort.js";
import type { Context } from "./context.js";
import { CriaError, disposedError, expected } from "./errors.js";
import { GENERATE_OPTIONS, readRequest } from "./generate-options.js";
import type { GenerateOptions, Generation, GenerationResult } from "./generation.js";
import { boolean, readOptions, unreadable } from "./options.js";
import type { PromptInput } from "./prompt.js";

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

/** Requests that are submitted at a time: a quarter more than are decoded, so that none is waited for. */
export function batchWindow(sequences: number): number {
  return sequences + Math.max(2, Math.ceil(sequences / 4));
}

/** With `ordered`, requests of which the results are not taken yet, in windows. */
const ORDERED_WINDOWS = 4;

/** Requests that may be read from the source before the results of the first ones are taken. */
export function readAhead(sequences: number, ordered: boolean): number {
  return batchWindow(sequences) * (ordered ? ORDERED_WINDOWS : 1);
}

export function generateMany<T extends BatchRequest>(
  context: Context,
  requests: Iterable<T> | AsyncIterable<T>,
  given: GenerateManyOptions | undefined,
  check: (options: GenerateOptions) => void,
): AsyncIterableIterator<BatchResult<T>> {
  const known = [...GENERATE_OPTIONS, "ordered"] as const;
  const { ordered = false, ...options } = readOptions(given, "options", known);
  boolean(ordered, "options.ordered");
  check(options);
  const { signal, ...defaults } = options;
  return new Batch({ context, open: opener(requests), defaults, signal, ordered });
}

type Source<T> = Iterator<T> | AsyncIterator<T>;

/** A string is an iterable, too, and never meant. */
function opener<T>(requests: Iterable<T> | AsyncIterable<T>): () => Source<T> {
  const wrong = () => expected("an iterable or async iterable of requests", "requests", requests);
  if (typeof requests !== "object" || requests === null) throw wrong();
  try {
    const both = requests as Partial<Iterable<T> & AsyncIterable<T>>;
    const open: unknown = both[Symbol.asyncIterator] ?? both[Symbol.iterator];
    if (typeof open !== "function") throw wrong();
    return () => open.call(requests) as Source<T>;
  } catch (error) {
    throw unreadable(error, "requests", requests);
  }
}

interface BatchParts<T> {
  readonly context: Context;
  readonly open: () => Source<T>;
  readonly defaults: GenerateOptions;
  readonly signal: AbortSignal | undefined;
  readonly ordered: boolean;
}

interface Waiter<T> {
  resolve(step: IteratorResult<BatchResult<T>, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Reads requests while there is room in the window, whether or not anyone waits for a result, so that
 * the context stays full. A finished result is held until it is taken, and takes its place in the window.
 */
class Batch<T extends BatchRequest> implements AsyncIterableIterator<BatchResult<T>> {
  readonly #parts: BatchParts<T>;
  /** Undefined before the first `next()`, which opens it, and as soon as nothing more is read. */
  #source: Source<T> | undefined;
  #opened = false;
  #reading = false;
  #nextIndex = 0;
  readonly #running = new Map<number, Generation>();
  /** In the order of finishing. */
  readonly #finished = new Map<number, BatchResult<T>>();
  /** The index that is taken next where the order counts. */
  #nextTaken = 0;
  #waiters: Waiter<T>[] = [];
  /** Thrown once, when everything before it is taken. */
  #failure: { readonly error: unknown } | undefined;
  #unwatch = () => {};

  constructor(parts: BatchParts<T>) {
    this.#parts = parts;
  }

  next(): Promise<IteratorResult<BatchResult<T>, undefined>> {
    const step = new Promise<IteratorResult<BatchResult<T>, undefined>>((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
    step.catch(() => {}); // one that is not awaited must not end the process
    if (!this.#opened) this.#open();
    this.#serve();
    return step;
  }

  async return(): Promise<IteratorResult<BatchResult<T>, undefined>> {
    const closing = this.#stop();
    this.#serve();
    await closing;
    return { done: true, value: undefined };
  }

  async throw(error?: unknown): Promise<IteratorResult<BatchResult<T>, undefined>> {
    this.#stop().catch(() => {}); // the caller's error comes first
    this.#serve();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #open(): void {
    this.#opened = true;
    const { context, signal, open } = this.#parts;
    try {
      if (signal?.aborted) throw abortReason(signal);
      if (context.disposed) throw disposedError("The context");
      this.#source = open();
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (signal !== undefined) {
      this.#unwatch = watchSignal(signal, () => this.#fail(abortReason(signal)));
    }
    void this.#read();
  }

  /** One `next()` of the source's at a time, whatever the source is. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    while (this.#source !== undefined && this.#hasRoom()) {
      try {
        const step = await this.#source.next();
        if (this.#source === undefined) break; // left, or failed, meanwhile
        if (typeof step !== "object" || step === null) {
          throw expected("an object", "requests.next()", step);
        }
        if (step.done) this.#source = undefined;
        else this.#start(step.value);
      } catch (error) {
        if (this.#source === undefined) break;
        this.#source = undefined;
        this.#failure = { error };
      }
    }
    this.#reading = false;
    this.#serve();
  }

  #hasRoom(): boolean {
    const { context, ordered } = this.#parts;
    const running = this.#running.size;
    return (
      running < batchWindow(context.sequences) &&
      running + this.#finished.size < readAhead(context.sequences, ordered)
    );
  }

  #start(request: T): void {
    const { context, defaults } = this.#parts;
    const index = this.#nextIndex++;
    try {
      const { prompt, ...own } = readRequest(request, `requests[${index}]`);
      const generation = context.generate(prompt as PromptInput, { ...defaults, ...own });
      this.#running.set(index, generation);
      generation.result().then(
        (result) => this.#finish({ index, request, result }),
        (error: unknown) => this.#finish({ index, request, error }),
      );
    } catch (error) {
      if (context.disposed) this.#fail(error);
      else this.#settle({ index, request, error });
    }
  }

  #finish(result: BatchResult<T>): void {
    if (!this.#running.delete(result.index)) return; // stopped meanwhile
    // Without a context every request that is still to come would fail the same way.
    if (CriaError.is(result.error) && this.#parts.context.disposed) this.#fail(result.error);
    else this.#settle(result);
  }

  #settle(result: BatchResult<T>): void {
    this.#finished.set(result.index, result);
    this.#serve();
    void this.#read();
  }

  /** Ends all of it at once, finished results that nobody has taken included. */
  #fail(error: unknown): void {
    this.#stop().catch(() => {}); // the reason comes before what the source says to it
    this.#failure = { error };
    this.#serve();
  }

  /** Cancels what runs and closes the source; resolves when that has closed. */
  async #stop(): Promise<void> {
    const [source, reading] = [this.#source, this.#reading];
    this.#opened = true;
    this.#unwatch();
    this.#source = undefined;
    this.#failure = undefined;
    const running = [...this.#running.values()];
    this.#running.clear();
    this.#finished.clear();
    for (const generation of running) generation.cancel();
    const close = async () => void (await source?.return?.());
    // One that is at its next request closes after that, which may take as long as it likes.
    if (reading) close().catch(() => {});
    else await close();
  }

  /** Gives the waiting readers what there is. */
  #serve(): void {
    let taken = false;
    while (this.#waiters.length > 0) {
      const result = this.#take();
      if (result === undefined && !this.#over()) break;
      const waiter = this.#waiters.shift() as Waiter<T>;
      if (result !== undefined) waiter.resolve({ done: false, value: result });
      else this.#end(waiter);
      taken ||= result !== undefined;
    }
    if (this.#over() && this.#finished.size === 0) this.#unwatch();
    if (taken) void this.#read();
  }

  #over(): boolean {
    return this.#source === undefined && this.#running.size === 0;
  }

  #take(): BatchResult<T> | undefined {
    const first = this.#parts.ordered ? this.#nextTaken : this.#finished.keys().next().value;
    const result = first === undefined ? undefined : this.#finished.get(first);
    if (result === undefined) return undefined;
    this.#finished.delete(result.index);
    this.#nextTaken++;
    return result;
  }

  #end(waiter: Waiter<T>): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(failure.error);
  }
}
