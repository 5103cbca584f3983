import { unreadable } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { isInt32Array } from "../internal/realm.js";

/** Token ids. Results are typed arrays; arguments may be plain ones, too. */
export type Tokens = Int32Array | readonly number[];

/** An own copy, so that neither a later change nor another thread's can reach the engine. */
export function copyTokens(value: unknown, name: string, vocabularySize: number): Int32Array {
  const check = (id: unknown, index: number) => {
    if (typeof id === "number" && id >= 0 && id < vocabularySize && Number.isInteger(id)) return id;
    throw wrongToken(id, `${name}[${index}]`, vocabularySize);
  };
  try {
    if (isInt32Array(value)) {
      const ids = new Int32Array(value); // throws where it is detached
      for (let i = 0; i < ids.length; i++) check(ids[i], i);
      return ids;
    }
    if (Array.isArray(value)) {
      // An array may claim any length, so the copy grows with what has been checked. The first step is
      // a million ids, whose memory the system gives only as it is written.
      const { length } = value;
      let ids = new Int32Array(Math.min(length, 1 << 20));
      for (let i = 0; i < length; i++) {
        const id = check(value[i], i);
        if (i === ids.length) ids = append(ids, i, new Int32Array(Math.min(i, length - i)));
        ids[i] = id;
      }
      return ids.length === length ? ids : ids.slice(0, length);
    }
  } catch (error) {
    throw unreadable(error, name, value);
  }
  throw expected("an Int32Array or an array of token ids", name, value);
}

export function tokenId(value: unknown, name: string, vocabularySize: number): number {
  if (
    typeof value === "number" &&
    value >= 0 &&
    value < vocabularySize &&
    Number.isInteger(value)
  ) {
    return value;
  }
  throw wrongToken(value, name, vocabularySize);
}

function wrongToken(value: unknown, name: string, vocabularySize: number): Error {
  return vocabularySize > 0
    ? expected(`a token id from 0 to ${vocabularySize - 1}`, name, value)
    : expected("no token id, since the model has no vocabulary,", name, value);
}

/** Grows by doubling: one generation's tokens in one buffer, whatever the number of pieces. */
export class TokenBuffer {
  #ids: Int32Array = new Int32Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(ids: Int32Array): void {
    this.#ids = append(this.#ids, this.#length, ids);
    this.#length += ids.length;
  }

  /** A copy of the ids from `start` on. */
  from(start: number): Int32Array {
    return this.#ids.slice(start, this.#length);
  }
}

/** One array of all; the array itself where it is the only one. */
export function joinTokens(parts: readonly Int32Array[]): Int32Array {
  if (parts.length === 1) return parts[0] as Int32Array;
  const joined = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let length = 0;
  for (const part of parts) {
    joined.set(part, length);
    length += part.length;
  }
  return joined;
}

/** Puts `more` behind the first `length` elements, in a larger array where there is no room. */
export function append<T extends Int32Array | Float32Array>(array: T, length: number, more: T): T {
  let room = array;
  if (length + more.length > array.length) {
    room = new (array.constructor as new (size: number) => T)(
      Math.max(length + more.length, array.length * 2),
    );
    room.set(array.subarray(0, length));
  }
  room.set(more, length);
  return room;
}
