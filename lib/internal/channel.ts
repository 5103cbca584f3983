import { type Deferred, deferred } from "./deferred.js";
import { invalid } from "./errors.js";

type Step<T> = IteratorResult<T, undefined>;

const DONE = { done: true, value: undefined } as const;

/** The writing side of a channel, which keeps what nobody has taken yet in a form of its own. */
export interface Supply<T> {
  /** Takes the next value; undefined while there is none. */
  take(): T | undefined;
  /** Whether nothing more will come. */
  over(): boolean;
  /** The reader has left, early or behind the end. */
  leave(): void | Promise<void>;
}

/**
 * The reading side of whatever produces values over time: one reader iterates it, once. Readers that ask
 * ahead are served in order. An error comes after the values before it, once, and ends the iteration.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #supply: Supply<T>;
  readonly #waiting: Deferred<Step<T>>[] = [];
  #failure: { readonly error: unknown } | undefined;
  #iterated = false;
  #left = false;

  constructor(supply: Supply<T>) {
    this.#supply = supply;
  }

  /** To be called whenever there may be something to take, or the end has come. */
  serve(): void {
    while (this.#waiting.length > 0) {
      const value = this.#left ? undefined : this.#supply.take();
      if (value === undefined && !this.#left && !this.#supply.over()) return;
      const waiter = this.#waiting.shift() as Deferred<Step<T>>;
      if (value !== undefined) waiter.resolve({ done: false, value });
      else this.#end(waiter);
    }
  }

  /** The error that ends the iteration, once the supply is over. A later one replaces it. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.serve();
  }

  next(): Promise<Step<T>> {
    const waiter = deferred<Step<T>>();
    waiter.promise.catch(() => {}); // a step that nobody awaits must not end the process
    this.#waiting.push(waiter);
    this.serve();
    return waiter.promise;
  }

  async return(): Promise<Step<T>> {
    await this.#leave();
    return DONE;
  }

  async throw(error?: unknown): Promise<Step<T>> {
    this.#leave().catch(() => {}); // the caller's error comes first
    throw error;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    if (this.#iterated) throw invalid("It can be iterated once; `result()` has all of it");
    this.#iterated = true;
    const iterator: AsyncIterableIterator<T, undefined> = {
      next: () => this.next(),
      return: () => this.return(),
      throw: (error) => this.throw(error),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  async #leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    this.serve();
    await this.#supply.leave();
  }

  #end(waiter: Deferred<Step<T>>): void {
    const failure = this.#left ? undefined : this.#failure;
    this.#failure = undefined;
    if (failure === undefined) waiter.resolve(DONE);
    else waiter.reject(failure.error);
  }
}
