import { types } from "node:util";
import { abortReason, throwIfAborted, watchSignal } from "./abort.js";
import { Channel } from "./channel.js";
import { unreadable } from "./checks.js";
import { CriaError, disposedError, expected } from "./errors.js";

type Source<T> = Iterator<T> | AsyncIterator<T>;

/** How many items are worked on at a time: a quarter more than are decoded, so that no sequence idles. */
export function windowWidth(sequences: number): number {
  return sequences + Math.max(2, Math.ceil(sequences / 4));
}

/**
 * What opens the caller's iterable. Strings and buffers are iterables, too, of characters and of numbers,
 * but nobody means them as such.
 */
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

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null)?.then === "function";
}

/** What works on the items: a context. */
export interface Workplace {
  readonly sequences: number;
  readonly disposed: boolean;
}

/** The work on one item. */
export interface Task<V> {
  readonly outcome: Promise<V>;
  /** Nobody is interested in the outcome any more. */
  cancel(): void;
}

/** What became of an item. */
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
  /** Results in the order of the items. Default false: as they finish. */
  readonly ordered?: boolean;
  /** How many items are worked on at a time. Default: `windowWidth` of the context's sequences. */
  readonly width?: number;
  /** How many items may be read before the results of the first ones are taken. Default: `width`. */
  readonly readAhead?: number;
}

/**
 * Works on each item of an iterable in a context. Reads items while there is room in the window, whether
 * or not anyone waits for a result, so that the context stays full. A finished result takes its place in
 * the window until somebody takes it.
 */
export class Windowed<T, V, R> implements AsyncIterableIterator<R> {
  readonly #parts: WindowParts<T, V, R>;
  readonly #results = new Channel<R>({
    take: () => this.#take(),
    over: () => this.#over(),
    leave: () => this.#stop(),
  });
  /** Undefined before the first `next()`, which opens it, and once nothing more is read. */
  #source: Source<T> | undefined;
  #opened = false;
  #reading = false;
  #nextIndex = 0;
  readonly #running = new Map<number, Task<V>>();
  /** In the order of finishing. */
  readonly #finished = new Map<number, R>();
  /** The index whose result is next where the order counts. */
  #nextTaken = 0;
  #unwatch = () => {};

  constructor(parts: WindowParts<T, V, R>) {
    this.#parts = parts;
  }

  next(): Promise<IteratorResult<R, undefined>> {
    if (!this.#opened) this.#open();
    const step = this.#results.next();
    this.#goOn();
    return step;
  }

  return(): Promise<IteratorResult<R, undefined>> {
    return this.#results.return();
  }

  throw(error?: unknown): Promise<IteratorResult<R, undefined>> {
    return this.#results.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #open(): void {
    this.#opened = true;
    const { context, signal, open } = this.#parts;
    try {
      throwIfAborted(signal);
      if (context.disposed) throw disposedError("The context");
      this.#source = iteratorOf(open(), this.#parts.name);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (signal !== undefined) {
      this.#unwatch = watchSignal(signal, () => this.#fail(abortReason(signal)));
    }
  }

  /** Hands over what there is, and reads on where that made room. */
  #goOn(): void {
    this.#results.serve();
    if (this.#over() && this.#finished.size === 0) this.#unwatch();
    else void this.#read();
  }

  /** One `next()` of the source's at a time, whatever the source is. */
  async #read(): Promise<void> {
    if (this.#reading || !this.#mayRead()) return;
    this.#reading = true;
    while (this.#source !== undefined && this.#mayRead()) {
      try {
        const next = this.#source.next();
        // Not awaited where it is there already: the window fills in one go, and so does the first batch.
        const step = isThenable(next) ? await next : next;
        if (this.#source === undefined) break; // left, or failed, meanwhile
        if (typeof step !== "object" || step === null) {
          throw expected("an object", `${this.#parts.name}.next()`, step);
        }
        if (step.done) this.#source = undefined;
        else this.#start(step.value);
      } catch (error) {
        if (this.#source === undefined) break;
        this.#source = undefined;
        this.#results.fail(error);
      }
    }
    this.#reading = false;
    this.#goOn();
  }

  #mayRead(): boolean {
    if (this.#source === undefined) return false;
    const { context, width = windowWidth(context.sequences), readAhead = width } = this.#parts;
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
    // Without a context all items that are still to come would fail the same way.
    const fatal = "error" in outcome && CriaError.is(outcome.error) && this.#parts.context.disposed;
    if (fatal) this.#fail(outcome.error);
    else this.#settle(index, item, outcome);
  }

  #settle(index: number, item: T, outcome: Outcome<V>): void {
    this.#finished.set(index, this.#parts.report(index, item, outcome));
    this.#goOn();
  }

  /** Ends all of it at once, with the finished results that nobody has taken. */
  #fail(error: unknown): void {
    this.#stop().catch(() => {}); // the reason comes before what the source says to it
    this.#results.fail(error);
  }

  /** Cancels what runs and closes the source; resolves when that has closed. */
  async #stop(): Promise<void> {
    const [source, reading] = [this.#source, this.#reading];
    this.#opened = true;
    this.#unwatch();
    this.#source = undefined;
    const running = [...this.#running.values()];
    this.#running.clear();
    this.#finished.clear();
    for (const task of running) task.cancel();
    const close = async () => void (await source?.return?.());
    // One that is at its next item closes after that, which may take as long as it likes.
    if (reading) close().catch(() => {});
    else await close();
  }

  #over(): boolean {
    return this.#opened && this.#source === undefined && this.#running.size === 0;
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
}

/** What comes of each item, in their order. The first failure ends all of it. */
export async function allOf<T, V>(
  parts: Omit<WindowParts<T, V, unknown>, "report" | "ordered">,
): Promise<V[]> {
  const values: V[] = [];
  const results = new Windowed<T, V, { index: number; outcome: Outcome<V> }>({
    ...parts,
    report: (index, _item, outcome) => ({ index, outcome }),
  });
  for await (const { index, outcome } of results) {
    if ("error" in outcome) throw outcome.error;
    values[index] = outcome.value;
  }
  return values;
}
