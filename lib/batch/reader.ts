import { open } from "node:fs/promises";
import { extname } from "node:path";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { expected, invalid } from "../errors.js";
import { unreadableInput } from "./failures.js";

/** More than any context holds; what is longer is not kept. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** A line of the input that is not empty. */
export interface InputLine {
  /** From 1, empty lines counted. */
  readonly number: number;
  readonly text: string;
  /** Why it cannot be read; `text` tells it from others then, and is not it. */
  readonly problem?: string;
}

/** The lines of an input, and how much of it is behind them. */
export interface LineSource extends AsyncIterable<InputLine> {
  /** 0…1; undefined where the end is not known. */
  readonly fraction: number | undefined;
  /** Whether or not it was read. */
  close(): Promise<void>;
}

type Input = string | Iterable<Uint8Array | object> | AsyncIterable<Uint8Array | object>;

export async function openInput(input: Input): Promise<LineSource> {
  if (typeof input === "string") return fileLines(input);
  const iterable = input as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null;
  if (
    typeof input !== "object" ||
    (typeof iterable?.[Symbol.asyncIterator] !== "function" &&
      typeof iterable?.[Symbol.iterator] !== "function")
  ) {
    throw expected("a file's path, or an iterable of bytes or requests", "options.input", input);
  }
  const lines = itemLines(input);
  return {
    fraction: undefined,
    close: async () => {},
    [Symbol.asyncIterator]: () => lines[Symbol.asyncIterator](),
  };
}

async function fileLines(path: string): Promise<LineSource> {
  const handle = await open(path, "r").catch((error) => {
    throw unreadableInput(path, error);
  });
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    await handle.close();
    throw invalid(`The input ${path} is a folder: give a file`);
  }
  const size = stats.isFile() ? stats.size : 0;
  let behind = () => 0;
  // Opened by the first one who reads, who then hears of its errors.
  async function* lines(): AsyncGenerator<InputLine> {
    const file = handle.createReadStream({ highWaterMark: 1 << 18 });
    behind = () => file.bytesRead;
    yield* byteLines(extname(path) === ".gz" ? unpacked(file) : file);
  }
  return {
    get fraction() {
      return size === 0 ? undefined : Math.min(behind() / size, 1);
    },
    async *[Symbol.asyncIterator]() {
      try {
        yield* lines();
      } catch (error) {
        throw unreadableInput(path, error);
      }
    },
    // It may be closed already: by the stream that has read it to its end.
    close: () => handle.close().catch(() => {}),
  };
}

function unpacked(file: Readable): Readable {
  const gunzip = createGunzip();
  file.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => file.destroy());
  return file.pipe(gunzip);
}

/** Bytes are joined to lines; an object is a line of its own. */
async function* itemLines(input: Exclude<Input, string>): AsyncGenerator<InputLine> {
  const splitter = new LineSplitter();
  for await (const item of input) {
    if (item instanceof Uint8Array) {
      yield* splitter.push(item);
    } else {
      yield* splitter.end();
      yield splitter.object(item);
    }
  }
  yield* splitter.end();
}

export async function* byteLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<InputLine> {
  const splitter = new LineSplitter(maxBytes);
  for await (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.end();
}

const LINE_FEED = 10;

/** Cuts bytes into lines. Of a line that is too long nothing is kept but its length. */
class LineSplitter {
  #number = 0;
  #parts: Uint8Array[] = [];
  #length = 0;
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Uint8Array): Generator<InputLine> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      this.#keep(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) return;
      yield* this.#finish();
      start = end + 1;
    }
  }

  *end(): Generator<InputLine> {
    if (this.#length > 0) yield* this.#finish();
  }

  object(item: object): InputLine {
    this.#number += 1;
    try {
      return { number: this.#number, text: JSON.stringify(item) ?? "null" };
    } catch (error) {
      const problem = `The request is no JSON: ${(error as Error).message}`;
      return { number: this.#number, text: "", problem };
    }
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  *#finish(): Generator<InputLine> {
    const [parts, length] = [this.#parts, this.#length];
    this.#parts = [];
    this.#length = 0;
    this.#number += 1;
    const number = this.#number;
    if (length > this.#maxBytes) {
      const problem = `The line has ${length} bytes, and ${this.#maxBytes} are the most`;
      yield { number, text: `${length} bytes`, problem };
      return;
    }
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    const read = this.#decode(bytes);
    const text = (number === 1 ? read.text.replace(/^\uFEFF/, "") : read.text).replace(/\r$/, "");
    if (text.trim() !== "") yield { ...read, number, text };
  }

  #decode(bytes: Uint8Array): { text: string; problem?: string } {
    try {
      return { text: this.#decoder.decode(bytes) };
    } catch {
      return { text: Buffer.from(bytes).toString("latin1"), problem: "The line is no UTF-8" };
    }
  }
}
