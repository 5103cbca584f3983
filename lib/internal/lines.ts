/** More than any context holds; what is longer is not kept. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

const LINE_FEED = 10;

/** A line of a file that is not empty. */
export interface Line {
  /** From 1, empty lines counted. */
  readonly number: number;
  readonly text: string;
  /** Why it cannot be read; `text` tells it from others then, and is not it. */
  readonly problem?: string;
}

/** The lines of UTF-8; one that is none, or too long, does not hide the others. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  splitter = new LineSplitter(),
): AsyncGenerator<Line> {
  for await (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.end();
}

/** Cuts bytes into lines. Of a line that is too long nothing is kept but its length. */
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

  /** Bytes that came. */
  get pushed(): number {
    return this.#pushed;
  }

  /** Of these, those of the lines that have been given out. */
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

  /** The number of a line that is not made of bytes. */
  next(): number {
    this.#number += 1;
    return this.#number;
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  /** What is left of a chunk is copied: its source may read the next one into the same buffer. */
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

/** Undefined where the bytes are something else. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
