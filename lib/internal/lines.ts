import { setImmediate } from "node:timers/promises";

/** More than any context holds. Longer lines are not kept. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

const LINE_FEED = 10;

/** A non-empty line of a file. */
export interface Line {
  /** From 1, empty lines counted. */
  readonly number: number;
  readonly text: string;
  /** Why the line cannot be read. Then `text` only tells it from other lines. */
  readonly problem?: string;
}

/** How many lines, and characters, are given out in a turn of the event loop: a chunk may hold thousands. */
const TURN_LINES = 64;
const TURN_LENGTH = 1 << 16;

/**
 * The lines of UTF-8 text. A line that is not UTF-8, or too long, does not hide the others. However fast they come, other
 * work in the event loop gets its turn.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  splitter = new LineSplitter(),
): AsyncGenerator<Line> {
  let lines = 0;
  let length = 0;
  for await (const chunk of chunks) {
    for (const line of splitter.push(chunk)) {
      yield line;
      lines += 1;
      length += line.text.length;
      if (lines < TURN_LINES && length < TURN_LENGTH) continue;
      lines = 0;
      length = 0;
      await setImmediate();
    }
  }
  yield* splitter.end();
}

/** Cuts bytes into lines. Only the length of a line that is too long is kept. */
export class LineSplitter {
  #number = 0;
  #parts: Uint8Array[] = [];
  #length = 0;
  #pushed = 0;
  #behind = 0;
  readonly #maxBytes: number;

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes were pushed. */
  get pushed(): number {
    return this.#pushed;
  }

  /** How many of these belong to lines that were given out. */
  get behind(): number {
    return this.#behind;
  }

  *push(chunk: Uint8Array): Generator<Line> {
    this.#pushed += chunk.length;
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      this.#keep(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) {
        this.#own();
        return;
      }
      this.#behind += this.#length + 1;
      yield* this.#finish();
      start = end + 1;
    }
  }

  *end(): Generator<Line> {
    this.#behind = this.#pushed;
    if (this.#length > 0) yield* this.#finish();
  }

  /** Counts a line that does not come as bytes. */
  next(): number {
    this.#number += 1;
    return this.#number;
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  /** Copies the rest of a chunk, since its source may read the next one into the same buffer. */
  #own(): void {
    const last = this.#parts.pop();
    if (last !== undefined) this.#parts.push(new Uint8Array(last));
  }

  *#finish(): Generator<Line> {
    const [parts, length] = [this.#parts, this.#length];
    this.#parts = [];
    this.#length = 0;
    const number = this.next();
    if (length > this.#maxBytes) {
      const problem = `it has ${length} bytes, and ${this.#maxBytes} are the most`;
      yield { number, text: `${length} bytes`, problem };
      return;
    }
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    const read = this.#decode(bytes);
    const text = (number === 1 ? read.text.replace(/^\uFEFF/, "") : read.text).replace(/\r$/, "");
    if (text.trim() !== "") yield { ...read, number, text };
  }

  #decode(bytes: Uint8Array): { text: string; problem?: string } {
    const text = utf8(bytes);
    return text === undefined
      ? { text: Buffer.from(bytes).toString("latin1"), problem: "it is no UTF-8" }
      : { text };
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined if the bytes are not UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
