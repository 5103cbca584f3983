import { createHash } from "node:crypto";

/** How much of a hash is kept. Of a million ids, two have the same with a chance of 1 in 37 million. */
const DIGITS = 16;

export function hashOf(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  // With the lengths, since the same text cut elsewhere must have another hash.
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, DIGITS);
}

/** The line's own seed, 0…2^32 - 2. */
export function seedOf(seed: number, customId: string): number {
  return Number.parseInt(hashOf(String(seed), customId).slice(0, 8), 16) % (2 ** 32 - 1);
}

/** 32-bit words per entry: two of the id's hash, two of the request's. */
const WIDTH = 4;
const FIRST_CAPACITY = 1024;
const FULLEST = 0.7;

const EMPTY = 0;
const DONE = 1;
const MET = 2;

/**
 * The ids of a run, each either met in the input or with a result in the output (done). They are hashes
 * in flat arrays, of which a million take 36 MB at most. A `Map` would be shorter, but takes too much:
 * with keys and values of eight one-byte characters a run of a million lines grew by 373 MB.
 */
export class IdTable {
  #words = new Uint32Array(FIRST_CAPACITY * WIDTH);
  #states = new Uint8Array(FIRST_CAPACITY);
  #size = 0;

  /** Notes that the output has a result of this request. False if the id was there already. */
  addDone(customId: string, request: string): boolean {
    const key = hashOf(customId);
    const at = this.#find(key);
    if (this.#states[at] !== EMPTY) return false;
    this.#set(at, key, request, DONE);
    return true;
  }

  /**
   * Notes that the input has this request. "done": the output has its result; "changed": the output has
   * the result of another request under this id; "duplicate": the input had the id before.
   */
  meet(customId: string, request: string): "new" | "done" | "changed" | "duplicate" {
    const key = hashOf(customId);
    const at = this.#find(key);
    const state = this.#states[at];
    if (state === EMPTY) {
      this.#set(at, key, request, MET);
      return "new";
    }
    if (state === MET) return "duplicate";
    this.#states[at] = MET;
    const [high, low] = words(request);
    const same = this.#words[at * WIDTH + 2] === high && this.#words[at * WIDTH + 3] === low;
    return same ? "done" : "changed";
  }

  /** The place of the key, or the empty one where it belongs. */
  #find(key: string): number {
    const [high, low] = words(key);
    const mask = this.#states.length - 1;
    let at = low & mask;
    while (
      this.#states[at] !== EMPTY &&
      (this.#words[at * WIDTH] !== high || this.#words[at * WIDTH + 1] !== low)
    ) {
      at = (at + 1) & mask;
    }
    return at;
  }

  #set(at: number, key: string, request: string, state: number): void {
    this.#words.set([...words(key), ...words(request)], at * WIDTH);
    this.#states[at] = state;
    this.#size += 1;
    if (this.#size > this.#states.length * FULLEST) this.#grow();
  }

  #grow(): void {
    const [oldWords, oldStates] = [this.#words, this.#states];
    this.#states = new Uint8Array(oldStates.length * 2);
    this.#words = new Uint32Array(oldStates.length * 2 * WIDTH);
    const mask = this.#states.length - 1;
    for (let from = 0; from < oldStates.length; from++) {
      const state = oldStates[from] as number;
      if (state === EMPTY) continue;
      let at = (oldWords[from * WIDTH + 1] as number) & mask;
      while (this.#states[at] !== EMPTY) at = (at + 1) & mask;
      this.#words.set(oldWords.subarray(from * WIDTH, (from + 1) * WIDTH), at * WIDTH);
      this.#states[at] = state;
    }
  }
}

function words(hash: string): [number, number] {
  return [Number.parseInt(hash.slice(0, 8), 16), Number.parseInt(hash.slice(8, 16), 16)];
}
