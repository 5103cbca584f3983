import { invalid } from "./errors.js";

interface Waiter<T> {
  resolve(step: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/**
 * What one side writes and one reader iterates, once. An error comes after what was written before it,
 * and ends the iteration.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  readonly #waiters: Waiter<T>[] = [];
  readonly #join: (last: T, next: T) => T | undefined;
  readonly #onLeave: () => void;
  #end: { readonly error?: unknown } | undefined;
  #iterated = false;
  #left = false;

  /**
   * @param join makes one of two that no reader has taken yet, where they go together: a slow reader
   * gets bigger pieces, not more
   * @param onLeave the reader has left early
   */
  constructor(join: (last: T, next: T) => T | undefined, onLeave: () => void) {
    this.#join = join;
    this.#onLeave = onLeave;
  }

  write(value: T): void {
    if (this.#left || this.#end !== undefined) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value });
      return;
    }
    const last = this.#waiting.at(-1);
    const joined = last === undefined ? undefined : this.#join(last, value);
    if (joined === undefined) this.#waiting.push(value);
    else this.#waiting[this.#waiting.length - 1] = joined;
  }

  close(): void {
    this.#finish({});
  }

  fail(error: unknown): void {
    this.#finish({ error });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    if (this.#iterated) throw invalid("It can be iterated once; `result()` has all of it");
    this.#iterated = true;
    const iterator: AsyncIterableIterator<T, undefined> = {
      next: () => this.#next(),
      return: async () => {
        this.#leave();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    for (const waiter of this.#waiters.splice(0)) this.#settle(waiter);
  }

  #next(): Promise<IteratorResult<T, undefined>> {
    const step = new Promise<IteratorResult<T, undefined>>((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#waiting.length > 0) {
        resolve({ done: false, value: this.#waiting.shift() as T });
      } else if (this.#end !== undefined || this.#left) {
        this.#settle(waiter);
      } else {
        this.#waiters.push(waiter);
      }
    });
    step.catch(() => {}); // one that is not awaited must not end the process
    return step;
  }

  /** An error is told once. */
  #settle(waiter: Waiter<T>): void {
    const end = this.#end;
    if (end !== undefined && "error" in end && !this.#left) {
      this.#end = {};
      waiter.reject(end.error);
    } else {
      waiter.resolve({ done: true, value: undefined });
    }
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#waiting.length = 0;
    for (const waiter of this.#waiters.splice(0)) this.#settle(waiter);
    if (this.#end === undefined) this.#onLeave();
  }
}
