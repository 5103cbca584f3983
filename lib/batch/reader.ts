import type { ReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { types } from "node:util";
import { createGunzip, type Gunzip } from "node:zlib";
import { expected, invalid } from "../errors.js";
import { type Line, LineSplitter, linesOf } from "../lines.js";
import { unreadable } from "../options.js";
import { unreadableInput } from "./failures.js";

/** The lines of an input, and how much of it is behind them. */
export interface LineSource extends AsyncIterable<Line> {
  /** 0…1; undefined where the end is not known. */
  readonly fraction: number | undefined;
  /** Whether or not it was read. */
  close(): Promise<void>;
}

type Input = string | Iterable<Uint8Array | object> | AsyncIterable<Uint8Array | object>;

export async function openInput(input: Input): Promise<LineSource> {
  if (typeof input === "string") return fileLines(input);
  if (!isIterable(input)) {
    throw expected("a file's path, or an iterable of bytes or requests", "options.input", input);
  }
  const lines = itemLines(input);
  return {
    fraction: undefined,
    close: async () => {},
    [Symbol.asyncIterator]: () => lines[Symbol.asyncIterator](),
  };
}

function isIterable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    const both = value as Partial<Iterable<unknown> & AsyncIterable<unknown>>;
    return typeof (both[Symbol.asyncIterator] ?? both[Symbol.iterator]) === "function";
  } catch (error) {
    throw unreadable(error, "options.input", value);
  }
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
  /** Bytes of the file that the splitter has, unpacked where need be. */
  let taken = () => 0;
  // Opened by the first one who reads, who then hears of its errors.
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

/** Bytes are joined to lines; an object is a line of its own. */
async function* itemLines(input: Exclude<Input, string>): AsyncGenerator<Line> {
  const splitter = new LineSplitter();
  for await (const item of input) {
    if (types.isUint8Array(item)) {
      yield* splitter.push(item);
    } else {
      yield* splitter.end();
      yield objectLine(item, splitter.next());
    }
  }
  yield* splitter.end();
}

function objectLine(item: object, number: number): Line {
  try {
    return { number, text: JSON.stringify(item) ?? "null" };
  } catch (error) {
    return { number, text: "", problem: `it is no JSON: ${(error as Error).message}` };
  }
}
