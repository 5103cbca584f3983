import { types } from "node:util";
import { abortReason, watchSignal } from "./abort.js";
import { unreadable } from "./checks.js";
import { CriaError, disposedError, expected } from "./errors.js";

type Source<T> = Iterator<T> | AsyncIterator<T>;

/** Items that are worked on at a time: a quarter more than are decoded, so that none is waited for. */
export function windowWidth(sequences: number): number {
  return sequences + Math.max(2, Math.ceil(sequences / 4));
}

/** A string is an iterable, too, and so is a buffer: of characters, of numbers, and never meant. */
export function opener<T>(items: Iterable<T> | AsyncIterable<T>, name: string): () => Source<T> {
  const wrong = () => expected(`an iterable or async iterable of ${name}`, name, items);
  if (typeof items !== "object" || items === null) throw wrong();
  if (types.isBoxedPrimitive(items) || ArrayBuffer.isView(items)) throw wrong();
  try {
    const both = items as Partial<Iterable<T> & AsyncIterable<T>>;
    const open: unknown = both[Symbol.asyncIterator] ?? both[Symbol.iterator];
    if (typeof open !== "function") throw wrong();
    return () => open.call(items) as Source<T>;
  } catch (error) {
    throw unreadable(error, name, items);
  }
}

function iteratorOf<T>(made: Source<T>, name: string): Source<T> {
  if (typeof made === "object" && made !== null && typeof made.next === "function") return made;
  throw expected("an iterator", `${name}[Symbol.iterator]()`, made);
}

/** What works on the items: a context. */
export interface Workplace {
  readonly sequences: number;
  readonly disposed: boolean;
}

/** One item under way. */
export interface Task<V> {
  readonly outcome: Promise<V>;
  /** Its outcome is of no interest any more. */
  cancel(): void;
}

/** What became of an item: what came out, or the error. */
export type Outcome<V> = { readonly value: V } | { readonly error: unknown };

export interface WindowParts<T, V, R> {
  readonly context: Workplace;
  /** What the caller knows the items by. */
  readonly name: string;
  readonly open: () => Source<T>;
  /** What it throws is the item's error. */
  readonly start: (item: T, index: number) => Task<V>;
  readonly report: (index: number, item: T, outcome: Outcome<V>) => R;
  readonly signal: AbortSignal | undefined;
  readonly ordered: boolean;
  /** Items that are worked on at a time. Default: `windowWidth` of the context's sequences. */
  readonly width?: number;
  /** Items that may be read before the results of the first ones are taken. */
  readonly readAhead: number;
}

interface Waiter<R> {
  resolve(step: IteratorResult<R, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Work of a context's on each item of an iterable. Reads items while there is room in the window,
 * whether or not anyone waits for a result, so that the context stays full. A finished result is held
 * until it is taken, and takes its place in the window.
 */
export class Windowed<T, V, R> implements AsyncIterableIterator<R> {
  readonly #parts: WindowParts<T, V, R>;
  /** Undefined before the first `next()`, which opens it, and as soon as nothing more is read. */
  #source: Source<T> | undefined;
  #opened = false;
  #reading = false;
  #nextIndex = 0;
  readonly #running = new Map<number, Task<V>>();
  /** In the order of finishing. */
  readonly #finished = new Map<number, R>();
  /** The index that is taken next where the order counts. */
  #nextTaken = 0;
  #waiters: Waiter<R>[] = [];
  /** Thrown once, when everything before it is taken. */
  #failure: { readonly error: unknown } | undefined;
  #unwatch = () => {};

  constructor(parts: WindowParts<T, V, R>) {
    this.#parts = parts;
  }

  next(): Promise<IteratorResult<R, undefined>> {
    const step = new Promise<IteratorResult<R, undefined>>((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
    step.catch(() => {}); // one that is not awaited must not end the process
    if (!this.#opened) this.#open();
    this.#serve();
    return step;
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    const closing = this.#stop();
    this.#serve();
    await closing;
    return { done: true, value: undefined };
  }

  async throw(error?: unknown): Promise<IteratorResult<R, undefined>> {
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
      this.#source = iteratorOf(open(), this.#parts.name);
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
          throw expected("an object", `${this.#parts.name}.next()`, step);
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
    const { context, readAhead, width = windowWidth(context.sequences) } = this.#parts;
    const running = this.#running.size;
    return running < width && running + this.#finished.size < readAhead;
  }

  #start(item: T): void {
    const index = this.#nextIndex++;
    try {
      const task = this.#parts.start(item, index);
      this.#running.set(index, task);
      task.outcome.then(
        (value) => this.#finish(index, item, { value }),
        (error: unknown) => this.#finish(index, item, { error }),
      );
    } catch (error) {
      if (this.#parts.context.disposed) this.#fail(error);
      else this.#settle(index, item, { error });
    }
  }

  #finish(index: number, item: T, outcome: Outcome<V>): void {
    if (!this.#running.delete(index)) return; // stopped meanwhile
    // Without a context every item that is still to come would fail the same way.
    const fatal = "error" in outcome && CriaError.is(outcome.error) && this.#parts.context.disposed;
    if (fatal) this.#fail(outcome.error);
    else this.#settle(index, item, outcome);
  }

  #settle(index: number, item: T, outcome: Outcome<V>): void {
    this.#finished.set(index, this.#parts.report(index, item, outcome));
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
    for (const task of running) task.cancel();
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
      const waiter = this.#waiters.shift() as Waiter<R>;
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

  #take(): R | undefined {
    const first = this.#parts.ordered ? this.#nextTaken : this.#finished.keys().next().value;
    if (first === undefined) return undefined;
    const result = this.#finished.get(first);
    if (result === undefined) return undefined;
    this.#finished.delete(first);
    this.#nextTaken++;
    return result;
  }

  #end(waiter: Waiter<R>): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(failure.error);
  }
}
