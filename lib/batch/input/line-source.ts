import type { ReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { types } from "node:util";
import { createGunzip, type Gunzip } from "node:zlib";
import { filePath, unreadable } from "../../internal/checks.js";
import { expected, invalid, messageOf } from "../../internal/errors.js";
import { type Line, LineSplitter, linesOf } from "../../internal/lines.js";
import { unreadableInput } from "../batch-failures.js";
import type { RunBatchOptions } from "../batch-types.js";

/** The lines of an input, and how much of it has been read. */
export interface LineSource extends AsyncIterable<Line> {
  /** The part of the input that has been read, 0…1; undefined if its length is not known. */
  readonly fraction: number | undefined;
  close(): Promise<void>;
}

type Items = Iterable<Uint8Array | object> | AsyncIterable<Uint8Array | object>;

export async function openInput(input: RunBatchOptions["input"]): Promise<LineSource> {
  if (typeof input === "string") return fileLines(filePath(input, "options.input"));
  const lines = itemLines(itemsOf(input));
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
  const splitter = new LineSplitter();
  let file: ReadStream | undefined;
  /** How many bytes of the file have gone into the splitter, which counts unpacked ones. */
  let taken = () => 0;
  // Opened by the reader, who then hears of its errors.
  async function* lines(): AsyncGenerator<Line> {
    file = handle.createReadStream({ highWaterMark: 1 << 18 });
    const gunzip = extname(path) === ".gz" ? unpacked(file) : undefined;
    taken = () => gunzip?.bytesWritten ?? splitter.pushed;
    yield* linesOf(gunzip ?? file, splitter);
  }
  return {
    get fraction() {
      if (size === 0 || splitter.pushed === 0) return undefined;
      return Math.min((taken() / size) * (splitter.behind / splitter.pushed), 1);
    },
    async *[Symbol.asyncIterator]() {
      try {
        yield* lines();
      } catch (error) {
        throw unreadableInput(path, error);
      }
    },
    close: async () => {
      if (file === undefined) await handle.close();
      else file.destroy(); // not awaited: a pipe's next byte may never come
    },
  };
}

function unpacked(file: ReadStream): Gunzip {
  const gunzip = createGunzip();
  file.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => file.destroy());
  return file.pipe(gunzip);
}

/** A file in memory is one chunk of bytes; as an iterable, a `Buffer` would be numbers. */
function itemsOf(input: Exclude<RunBatchOptions["input"], string>): Items {
  const wrong = () =>
    expected("a file's path, bytes, or an iterable of bytes or requests", "options.input", input);
  if (typeof input !== "object" || input === null) throw wrong();
  try {
    const bytes = bytesOf(input);
    if (bytes !== undefined) return [new Uint8Array(bytes)]; // it is read after the call
    // As iterables these have numbers or characters.
    if (ArrayBuffer.isView(input) || types.isBoxedPrimitive(input)) throw wrong();
    const { stream } = input as Partial<Blob>;
    if (typeof stream === "function") return stream.call(input) as AsyncIterable<Uint8Array>;
    const items = input as Partial<Iterable<object> & AsyncIterable<object>>;
    const open: unknown = items[Symbol.asyncIterator] ?? items[Symbol.iterator];
    if (typeof open === "function") return input as Items;
  } catch (error) {
    throw unreadable(error, "options.input", input);
  }
  throw wrong();
}

/** Undefined if the value is not bytes. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (types.isUint8Array(value)) return value;
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value);
  if (!types.isDataView(value)) return undefined;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Bytes are cut into lines; an object is a line by itself. */
async function* itemLines(input: Items): AsyncGenerator<Line> {
  const splitter = new LineSplitter();
  let index = 0;
  for await (const item of input) {
    const bytes = bytesOf(item);
    if (bytes !== undefined) {
      yield* splitter.push(bytes);
    } else if (typeof item === "object" && item !== null) {
      yield* splitter.end();
      yield objectLine(item, splitter.next());
    } else {
      // A text may be a line or a part of one: nobody can tell.
      throw expected(
        "bytes or a request, an object (of text the bytes: `Buffer.from(text)`),",
        `options.input[${index}]`,
        item,
      );
    }
    index += 1;
  }
  yield* splitter.end();
}

function objectLine(item: object, number: number): Line {
  try {
    return { number, text: JSON.stringify(item) ?? "null" };
  } catch (error) {
    return { number, text: "", problem: `it is not JSON: ${messageOf(error)}` };
  }
}
