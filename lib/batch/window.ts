import type { Lane, PreparedRequest } from "./engine/batch-engine.js";

/** A request that waits for its turn. */
export interface Waiting {
  /** Its place among the lines of this run. */
  readonly place: number;
  readonly request: PreparedRequest;
}

/**
 * The requests that were read and are not running. A lane's leave in rounds: all that are there when it
 * begins, in the order of what they begin with, so that those with the same beginning follow each other,
 * and none waits for what comes later.
 */
export class Window<T extends Waiting> {
  /** Requests that may overtake one of another lane. */
  readonly #patience: number;
  readonly #lanes = new Map<Lane, LaneWindow<T>>();

  constructor(patience: number) {
    this.#patience = patience;
  }

  get size(): number {
    let size = 0;
    for (const lane of this.#lanes.values()) size += lane.size;
    return size;
  }

  add(waiting: T): void {
    const { lane } = waiting.request;
    const window = this.#lanes.get(lane) ?? new LaneWindow<T>();
    this.#lanes.set(lane, window);
    window.add(waiting);
  }

  /** The next one of the lane. */
  take(lane: Lane): T | undefined {
    return this.#lanes.get(lane)?.take();
  }

  /**
   * The lane whose turn it is: the present one as long as it has requests and the others have patience,
   * else the one whose oldest waits the longest.
   */
  lane(present: Lane | undefined): Lane | undefined {
    let oldest: Lane | undefined;
    let first = Number.POSITIVE_INFINITY;
    for (const [lane, window] of this.#lanes) {
      if (window.oldest < first) [oldest, first] = [lane, window.oldest];
    }
    const own = present === undefined ? undefined : this.#lanes.get(present);
    if (own === undefined || own.size === 0) return oldest;
    return own.oldest - first > this.#patience ? oldest : present;
  }
}

class LaneWindow<T extends Waiting> {
  /** The next to leave comes last. */
  #round: T[] = [];
  #oldestOfRound = Number.POSITIVE_INFINITY;
  /** Of the next round, in the order of coming. */
  #coming: T[] = [];

  get size(): number {
    return this.#round.length + this.#coming.length;
  }

  /** The place of the one that waits the longest, as far as the round knows. */
  get oldest(): number {
    if (this.#round.length > 0) return this.#oldestOfRound;
    return this.#coming[0]?.place ?? Number.POSITIVE_INFINITY;
  }

  add(waiting: T): void {
    this.#coming.push(waiting);
  }

  take(): T | undefined {
    if (this.#round.length === 0) {
      this.#oldestOfRound = this.oldest;
      this.#round = this.#coming.sort(compare).reverse();
      this.#coming = [];
    }
    return this.#round.pop();
  }
}

function compare(a: Waiting, b: Waiting): number {
  const [one, other] = [a.request.prefix, b.request.prefix];
  if (one !== other) return one < other ? -1 : 1;
  return a.place - b.place;
}
