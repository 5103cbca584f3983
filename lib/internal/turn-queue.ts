import { MAX_WAITING, queueFull } from "./errors.js";

/** Operations that run one after the other, each once all before it have ended, however they ended. */
export class TurnQueue {
  readonly #owner: string;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** @param owner the noun with its article, as in "The sequence", for ERR_QUEUE_FULL */
  constructor(owner: string) {
    this.#owner = owner;
  }

  /** @param run is given the end of everything before it, and waits for that unless it is stopped first */
  add<T>(run: (before: Promise<unknown>) => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) throw queueFull(this.#owner);
    const turn = run(this.#last);
    this.#waiting += 1;
    this.#last = Promise.allSettled([this.#last, turn]).then(() => {
      this.#waiting -= 1;
    });
    return turn;
  }
}
