import type { Lane, PreparedRequest } from "./engine.js";

/** A request that waits for its turn. */
export interface Waiting {
  /** Its place among the lines of this run. */
  readonly place: number;
  readonly request: PreparedRequest;
}

/**
 * The requests that were read and are not running. Those of a lane leave in the order of what they
 * begin with, round and round, so that those with the same beginning follow each other; none waits for
 * longer than `patience` others that came later.
 */
export class Window<T extends Waiting> {
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
    const window = this.#lanes.get(lane) ?? new LaneWindow<T>(this.#patience);
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
  readonly #patience: number;
  /** By what they begin with, then by place. */
  readonly #sorted: T[] = [];
  /** By place: requests come in that order. Those that have left are skipped. */
  #queue: T[] = [];
  readonly #left = new Set<T>();
  #last: T | undefined;

  constructor(patience: number) {
    this.#patience = patience;
  }

  get size(): number {
    return this.#sorted.length;
  }

  /** The place of the one that waits the longest. */
  get oldest(): number {
    return this.#first()?.place ?? Number.POSITIVE_INFINITY;
  }

  add(waiting: T): void {
    this.#sorted.splice(this.#search(waiting), 0, waiting);
    this.#queue.push(waiting);
  }

  take(): T | undefined {
    const oldest = this.#first();
    if (oldest === undefined) return undefined;
    const newest = this.#queue.at(-1) as T;
    const overdue = newest.place - oldest.place > this.#patience;
    const at = overdue ? this.#search(oldest) : this.#next();
    const [taken] = this.#sorted.splice(at, 1) as [T];
    this.#left.add(taken);
    this.#last = taken;
    return taken;
  }

  /** The one behind the last that left. */
  #next(): number {
    const at = this.#last === undefined ? 0 : this.#search(this.#last);
    return at === this.#sorted.length ? 0 : at;
  }

  #first(): T | undefined {
    let gone = 0;
    while (gone < this.#queue.length && this.#left.delete(this.#queue[gone] as T)) gone += 1;
    if (gone > 0) this.#queue = this.#queue.slice(gone);
    return this.#queue[0];
  }

  /** Where it stands, or would. */
  #search(waiting: T): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#sorted[middle] as T, waiting)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function before(a: Waiting, b: Waiting): boolean {
  if (a.request.prefix !== b.request.prefix) return a.request.prefix < b.request.prefix;
  return a.place < b.place;
}
