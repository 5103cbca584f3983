import { HttpError } from "./http-errors.js";

/** How much the mean follows the last answer. */
const WEIGHT = 0.2;
const RETRY_MAX_S = 60;

/** How many generations a model has to do at a time: those that run and those that wait. */
export class Admission {
  /** How many run at a time. */
  readonly together: number;
  readonly #limit: number;
  #taken = 0;
  /** Of an answer, smoothed. */
  #meanMs = 1000;

  /**
   * @param together how many run at a time
   * @param waiting how many more may wait
   */
  constructor(together: number, waiting: number) {
    this.together = together;
    this.#limit = together + waiting;
  }

  get running(): number {
    return Math.min(this.#taken, this.together);
  }

  get waiting(): number {
    return this.#taken - this.running;
  }

  /**
   * Takes room for so many generations, until the returned function is called.
   *
   * @throws {HttpError} 429 where there is none now, 400 where there never is
   */
  enter(count: number): () => void {
    if (count > this.#limit) {
      throw new HttpError(
        400,
        "too_many_generations",
        `The request asks for ${count} generations at once, and this server takes at most ` +
          `${this.#limit}: ask for fewer`,
      );
    }
    if (this.#taken + count > this.#limit) {
      throw new HttpError(429, "rate_limit_exceeded", "The queue is full: try again later", {
        headers: { "retry-after": String(this.#retryAfter()) },
      });
    }
    this.#taken += count;
    const began = performance.now();
    return () => {
      this.#taken -= count;
      this.#meanMs += WEIGHT * (performance.now() - began - this.#meanMs);
    };
  }

  /** In seconds: when the first place should be free. */
  #retryAfter(): number {
    const seconds = this.#meanMs / this.together / 1000;
    return Math.max(1, Math.min(RETRY_MAX_S, Math.ceil(seconds)));
  }
}
