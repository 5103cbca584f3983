import type { Lane, PreparedRequest } from "./engine/batch-engine.js";

/** A request that waits for its turn. */
export interface WaitingRequest {
  /** Its place among the lines of this run. */
  readonly place: number;
  readonly request: PreparedRequest;
}

/**
 * The requests that were read and are not running yet. `Windowed` would start them as they come; here those
 * with the same beginning follow each other. The requests of a lane leave in rounds, each of them all that
 * are there when it begins, so that none waits for what comes later.
 */
export class RequestQueue<T extends WaitingRequest> {
  /** How many requests may overtake one of another lane. */
  readonly #patience: number;
  readonly #lanes = new Map<Lane, LaneQueue<T>>();

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
    const queue = this.#lanes.get(lane) ?? new LaneQueue<T>();
    this.#lanes.set(lane, queue);
    queue.add(waiting);
  }

  take(lane: Lane): T | undefined {
    return this.#lanes.get(lane)?.take();
  }

  /** Drops those behind a place, and tells how many they were. */
  dropBehind(place: number): number {
    const before = this.size;
    for (const queue of this.#lanes.values()) queue.dropBehind(place);
    return before - this.size;
  }

  /**
   * The lane whose turn it is: the present one, as long as it has requests and none of another lane has
   * been overtaken by too many; else the one whose oldest request waits the longest.
   */
  lane(present: Lane | undefined): Lane | undefined {
    let oldest: Lane | undefined;
    let first = Number.POSITIVE_INFINITY;
    for (const [lane, queue] of this.#lanes) {
      if (queue.oldest < first) [oldest, first] = [lane, queue.oldest];
    }
    const own = present === undefined ? undefined : this.#lanes.get(present);
    if (own === undefined || own.size === 0) return oldest;
    return own.oldest - first > this.#patience ? oldest : present;
  }
}

class LaneQueue<T extends WaitingRequest> {
  /** The last of these leaves next. */
  #round: T[] = [];
  #oldestOfRound = Number.POSITIVE_INFINITY;
  /** The next round, in the order of coming. */
  #coming: T[] = [];

  get size(): number {
    return this.#round.length + this.#coming.length;
  }

  /** The place of the request that waits the longest; of a round that has begun, of its first one. */
  get oldest(): number {
    if (this.#round.length > 0) return this.#oldestOfRound;
    return this.#coming[0]?.place ?? Number.POSITIVE_INFINITY;
  }

  add(waiting: T): void {
    this.#coming.push(waiting);
  }

  dropBehind(place: number): void {
    const stays = (waiting: T) => waiting.place <= place;
    this.#round = this.#round.filter(stays);
    this.#coming = this.#coming.filter(stays);
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

function compare(a: WaitingRequest, b: WaitingRequest): number {
  const [one, other] = [a.request.prefix, b.request.prefix];
  if (one !== other) return one < other ? -1 : 1;
  return a.place - b.place;
}
