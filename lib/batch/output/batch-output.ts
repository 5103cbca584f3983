import { constants, fstat, type Stats } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { CriaError } from "../../internal/errors.js";
import { LineSplitter, linesOf } from "../../internal/lines.js";
import { ioError } from "../batch-failures.js";
import type { IdTable } from "../input/custom-ids.js";
import {
  differences,
  digestOf,
  inWords,
  readSettings,
  type Settings,
  settingsFile,
  writeSettings,
} from "./batch-settings.js";
import { membersOf, pack } from "./gzip-members.js";
import { lockOutput } from "./output-lock.js";

export interface OutputOptions {
  readonly resume: boolean;
  readonly overwrite: boolean;
  /** The input, if it is a file: its path, or the descriptor of a stream. */
  readonly input: string | number | undefined;
  readonly settings: Settings;
}

/** How often written data is flushed to the disk: so much is lost when the power fails. */
const SYNC_MS = 1000;

/** An output file, locked and written by one run. */
export class Output {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #unlock: () => Promise<void>;
  readonly #packed: boolean;
  /** Where the next line goes. What follows it in the file is incomplete. */
  #end: number;
  #synced = performance.now();

  private constructor(path: string, file: FileHandle, unlock: () => Promise<void>, end: number) {
    this.#path = path;
    this.#file = file;
    this.#unlock = unlock;
    this.#packed = isPacked(path);
    this.#end = end;
  }

  /**
   * @param ids learns what the output has already, with `resume`
   * @throws {CriaError} ERR_INVALID_ARGUMENT if there is an output, and neither `resume` nor `overwrite`; ERR_LOCKED
   */
  static async open(
    path: string,
    options: OutputOptions,
    ids: IdTable,
  ): Promise<[Output, Earlier]> {
    // A file has one lock, whichever of its names is given.
    const real = await realName(path);
    const unlock = await lockOutput(real);
    let file: FileHandle | undefined;
    try {
      file = await openFile(path, options);
      const earlier = await readEarlier(path, file, ids);
      await checkSettings(real, earlier, options.settings);
      await file.truncate(earlier.end);
      return [new Output(path, file, unlock, earlier.end), earlier];
    } catch (error) {
      // Whatever closing comes to, the lock goes, and the reason is told.
      await file?.close().catch(() => {});
      await unlock().catch(() => {});
      throw error;
    }
  }

  /**
   * Appends whole lines, each with its line feed. After a failure the lines of earlier calls are there.
   *
   * @throws with the file system's `code`, ENOSPC where the disk is full
   */
  async append(lines: string): Promise<void> {
    const bytes = this.#packed ? pack(lines) : Buffer.from(lines);
    try {
      for (let from = 0; from < bytes.length; ) {
        const at = this.#end + from;
        const { bytesWritten } = await this.#file.write(bytes, from, bytes.length - from, at);
        from += bytesWritten;
      }
      this.#end += bytes.length;
      if (performance.now() - this.#synced > SYNC_MS) await this.#sync();
    } catch (error) {
      await this.#file.truncate(this.#end).catch(() => {}); // --resume would do so, too
      throw ioError(
        `The output ${this.#path} cannot be written`,
        error,
        "What it holds is complete: make room, then resume the run",
      );
    }
  }

  /** @throws with the file system's `code`. The lock is gone all the same */
  async close(): Promise<void> {
    try {
      await this.#sync().finally(() => this.#file.close());
    } catch (error) {
      throw ioError(
        `The end of the output ${this.#path} cannot be written`,
        error,
        "Resume the run",
      );
    } finally {
      await this.#unlock();
    }
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    this.#synced = performance.now();
  }
}

/** Results that were made with different settings do not go into one file. */
async function checkSettings(path: string, earlier: Earlier, settings: Settings): Promise<void> {
  const digest = digestOf(settings);
  const before = await readSettings(path);
  const known = before === undefined ? undefined : digestOf(before);
  const other = [...earlier.settings].find((one) => one !== digest);
  if (other === undefined) {
    if (known !== digest) await writeSettings(path, settings);
    return;
  }
  const changes = before && known === other ? differences(before, settings) : [];
  const what =
    changes.length > 0
      ? changes.map(inWords).join("; ")
      : `which ones, ${settingsFile(path)} does not tell`;
  throw new CriaError(
    "ERR_INVALID_ARGUMENT",
    `The output ${path} has results that were made with other options: ${what}. Resume with the same ` +
      "ones, give another output, or overwrite this one",
    { details: { name: "options.resume", changes } },
  );
}

/** Works for a file that is not there yet, too: then its folder is resolved. */
async function realName(path: string): Promise<string> {
  const folder = () => realpath(dirname(path)).then((real) => join(real, basename(path)));
  return realpath(path).catch(() => folder().catch(() => path));
}

async function openFile(
  path: string,
  { resume, overwrite, input }: OutputOptions,
): Promise<FileHandle> {
  const { O_RDWR, O_CREAT } = constants;
  const file = await open(path, O_RDWR | O_CREAT, 0o666).catch((error) => {
    throw ioError(`The output ${path} cannot be opened`, error);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) {
      throw refused(`The output ${path} is no regular file, which alone can be resumed`);
    }
    const read = await statsOf(input);
    if (read?.ino === stats.ino && read.dev === stats.dev) {
      throw refused(`The output ${path} is the input: give another file`);
    }
    if (stats.size > 0 && !resume) {
      if (!overwrite) {
        throw refused(
          `The output ${path} exists: \`resume\` goes on with it, \`overwrite\` replaces it`,
        );
      }
      await file.truncate(0);
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function statsOf(input: OutputOptions["input"]): Promise<Stats | undefined> {
  if (typeof input === "string") return stat(input);
  // The descriptor of a closed stream is not valid any more.
  return input === undefined ? undefined : promisify(fstat)(input).catch(() => undefined);
}

function refused(message: string): CriaError {
  return new CriaError("ERR_INVALID_ARGUMENT", message, { details: { name: "options.output" } });
}

function isPacked(path: string): boolean {
  return extname(path) === ".gz";
}

/** What earlier runs have left. */
export interface Earlier {
  readonly lines: number;
  /** How many of the lines are errors. */
  readonly errors: number;
  /** Digests of the settings that the results were made with: one, if all is well. */
  readonly settings: ReadonlySet<string>;
  /** Where the complete lines end in the file. */
  readonly end: number;
}

async function readEarlier(path: string, file: FileHandle, ids: IdTable): Promise<Earlier> {
  let lines = 0;
  let errors = 0;
  let end = 0;
  const settings = new Set<string>();
  const take = (line: string) => {
    lines += 1;
    const result = resultOf(line, lines, path);
    ids.addDone(result.customId, result.request);
    settings.add(result.settings);
    if (result.failed) errors += 1;
  };
  if (!isPacked(path)) {
    const size = await endOfLines(file);
    if (size > 0) {
      const splitter = new LineSplitter(Number.POSITIVE_INFINITY);
      const stream = file.createReadStream({ start: 0, end: size - 1, autoClose: false });
      for await (const { text } of linesOf(stream, splitter)) take(text);
    }
    if (!(await isTorn(file, size))) throw noResult(foreign(path, lines + 1));
    return { lines, errors, end: size, settings };
  }
  try {
    for await (const member of membersOf(file)) {
      const text = Buffer.from(member.text).toString();
      for (const line of text.slice(0, -1).split("\n")) take(line);
      end = member.end;
    }
  } catch (error) {
    if (CriaError.is(error)) throw error;
    throw noResult(`The output ${path} cannot be resumed: ${(error as Error).message}`);
  }
  return { lines, errors, end, settings };
}

/** The settings' digest and the request's hash. */
const RESULT_ID = /^batch_req_([0-9a-f]{16})([0-9a-f]{16})$/;

function resultOf(
  line: string,
  number: number,
  path: string,
): { customId: string; settings: string; request: string; failed: boolean } {
  let old = false;
  try {
    const { id, custom_id, error } = JSON.parse(line) as Record<string, unknown>;
    const [, settings, request] = RESULT_ID.exec(String(id)) ?? [];
    if (settings !== undefined && request !== undefined && typeof custom_id === "string") {
      return { customId: custom_id, settings, request, failed: error !== null };
    }
    if (/^batch_req_[0-9a-f]{16}$/.test(String(id))) old = true;
  } catch {
    // The line is refused below.
  }
  if (old) throw noResult(`The output ${path} was written by an older cria, and cannot be resumed`);
  throw noResult(foreign(path, number));
}

function foreign(path: string, number: number): string {
  return `Line ${number} of the output ${path} is not a result of a run`;
}

function noResult(what: string): CriaError {
  return refused(`${what}: give another output, or \`overwrite\` it`);
}

const RESULT_START = Buffer.from('{"id":"batch_req_');

/** Whether what begins there may be cut off: it is a line that a run began to write. */
async function isTorn(file: FileHandle, position: number): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(RESULT_START.length);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  const begun = buffer.subarray(0, bytesRead);
  // After a crash of the system there may be zeros in place of the data.
  return begun.equals(RESULT_START.subarray(0, bytesRead)) || begun.every((byte) => byte === 0);
}

const TAIL = 1 << 16;

/** The place after the last line feed. What follows is a line that was never finished. */
async function endOfLines(file: FileHandle): Promise<number> {
  let { size } = await file.stat();
  const buffer = Buffer.allocUnsafe(TAIL);
  while (size > 0) {
    const start = Math.max(size - TAIL, 0);
    const { bytesRead } = await file.read(buffer, 0, size - start, start);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(10);
    if (at >= 0) return start + at + 1;
    size = start;
  }
  return 0;
}
