import { untilAborted } from "./abort.js";
import { deferred } from "./deferred.js";

/** Lets so much work run at a time. The rest waits here, in its order, and not in the engine. */
export class Places {
  #free: number;
  /** Each is called when a place is its own. */
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Does the work in a place, once there is one. Whoever is aborted before that leaves the queue. */
  async in<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const turn = deferred<void>();
    const take = () => turn.resolve();
    this.#waiting.add(take);
    try {
      await untilAborted(turn.promise, signal);
    } catch (error) {
      // The place that came in the same moment is the next one's.
      if (!this.#waiting.delete(take)) this.#pass();
      throw error;
    }
  }

  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free += 1;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}
