import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { replaceFile } from "../internal/replace-file.js";
import { type ByteRange, ByteRanges } from "./byte-ranges.js";
import { coded, diskError, failed } from "./download-failures.js";
import { type Checksum, FollowingHash } from "./file-checksum.js";

export interface PartialFileParts {
  /** Where it lies until it is complete. Beside it, ".json" says which bytes are there. */
  readonly path: string;
  readonly size: number;
  /** Tells this content from another under the same name; undefined where the server tells none. */
  readonly identity: string | undefined;
  readonly checksum: Checksum | undefined;
  readonly blockBytes: number;
}

/** The first bytes of every GGUF file. */
const MAGIC = "GGUF";

/**
 * A file that is being fetched, in any order. What came before is there again after any end of the process;
 * after a kill all but what came since the last block.
 */
export class PartialFile {
  readonly #parts: PartialFileParts;
  readonly #file: FileHandle;
  readonly #received: ByteRanges;
  readonly #hash: FollowingHash | undefined;
  #unsaved = 0;
  #saving: Promise<void> = Promise.resolve();

  /** @throws {CriaError} ERR_DISK_FULL, ERR_DOWNLOAD_FAILED */
  static async open(parts: PartialFileParts): Promise<PartialFile> {
    try {
      await mkdir(dirname(parts.path), { recursive: true });
      const received = await readReceived(parts);
      const file = await open(parts.path, constants.O_RDWR | constants.O_CREAT, 0o666);
      try {
        const { size } = await file.stat();
        const whole = received.all.every(([, to]) => to <= size);
        const partial = new PartialFile(parts, file, whole ? received : new ByteRanges());
        await checkRoom(parts.path, parts.size - partial.#received.bytes);
        partial.#hash?.follow(partial.#received.prefix);
        return partial;
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      throw diskError(error, parts.path);
    }
  }

  private constructor(parts: PartialFileParts, file: FileHandle, received: ByteRanges) {
    this.#parts = parts;
    this.#file = file;
    this.#received = received;
    this.#hash = parts.checksum && new FollowingHash(file, parts.size, parts.checksum);
  }

  /** Bytes that are there. */
  get bytes(): number {
    return this.#received.bytes;
  }

  /** In the file's order. */
  gaps(): ByteRange[] {
    return this.#received.gaps(this.#parts.size);
  }

  /** @throws {CriaError} ERR_DISK_FULL, ERR_DOWNLOAD_FAILED */
  async write(bytes: Uint8Array, at: number): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(
          bytes,
          done,
          bytes.length - done,
          at + done,
        );
        this.#received.add(at + done, at + done + bytesWritten);
        this.#unsaved += bytesWritten;
        done += bytesWritten;
      }
    } catch (error) {
      throw diskError(error, this.#parts.path);
    }
    if (this.#unsaved >= this.#parts.blockBytes) await this.save();
  }

  /** Makes sure of what came. The bytes go before the note of them. */
  save(): Promise<void> {
    this.#unsaved = 0;
    this.#saving = this.#saving.then(async () => {
      const { path, size, identity } = this.#parts;
      const received = [...this.#received.all];
      try {
        await this.#file.datasync();
        await replaceFile(`${path}.json`, JSON.stringify({ size, identity, received }));
      } catch (error) {
        throw diskError(error, path);
      }
      this.#hash?.follow(this.#received.prefix);
    });
    return this.#saving;
  }

  /** Ends for now. What came stays. */
  async leave(): Promise<void> {
    await this.#saving.catch(() => {});
    // Where even the note finds no room, the last one still holds.
    if (this.#unsaved > 0) await this.save().catch(() => {});
    await this.#hash?.stop();
    await this.#file.close();
  }

  /**
   * Checks the whole and moves it to its place. What is not as it should be is deleted, since no byte of it can be
   * trusted.
   *
   * @throws {CriaError} ERR_DOWNLOAD_DAMAGED, ERR_DISK_FULL, ERR_DOWNLOAD_FAILED
   */
  async settle(place: string): Promise<void> {
    const { path } = this.#parts;
    try {
      const problem = await this.#problem();
      await this.#file.datasync();
      if (problem !== undefined) {
        await this.#file.close();
        await rm(path, { force: true });
        await this.#dropNote();
        throw problem;
      }
      // All of it is there: where the move fails, the next call has only that to do.
      if (this.#unsaved > 0) await this.save();
      await this.#file.close();
      await mkdir(dirname(place), { recursive: true });
      await rename(path, place);
    } catch (error) {
      await this.#file.close().catch(() => {});
      throw diskError(error, path);
    }
    await this.#dropNote();
  }

  /** What tells which bytes are there. */
  async #dropNote(): Promise<void> {
    await rm(`${this.#parts.path}.json`, { force: true }).catch(() => {});
  }

  async #problem(): Promise<Error | undefined> {
    const { size, checksum, path } = this.#parts;
    await this.#saving;
    const head = Buffer.alloc(MAGIC.length);
    await this.#file.read(head, 0, head.length, 0);
    if (checksum !== undefined && this.#hash !== undefined) {
      const sum = await this.#hash.end(size);
      if (sum !== checksum.hex) {
        return coded(
          "ERR_DOWNLOAD_DAMAGED",
          `What came is not what the hub says it is: its ${checksum.kind} sum is ${sum} instead of ` +
            `${checksum.hex}. It has been deleted; ask again, or another mirror`,
          { path, expected: checksum.hex, got: sum },
        );
      }
    }
    if (head.toString("latin1") === MAGIC) return undefined;
    return coded(
      "ERR_DOWNLOAD_DAMAGED",
      `What came is no GGUF file: it begins with ${JSON.stringify(head.toString("latin1"))}. It has been deleted`,
      { path },
    );
  }
}

/** What the note beside the file says, if it is of this content. */
async function readReceived(parts: PartialFileParts): Promise<ByteRanges> {
  if (parts.identity === undefined) return new ByteRanges();
  try {
    const note = JSON.parse(await readFile(`${parts.path}.json`, "utf8")) as Record<
      string,
      unknown
    >;
    const { size, identity, received } = note;
    if (size !== parts.size || identity !== parts.identity) return new ByteRanges();
    return new ByteRanges((received as unknown[]).map((range) => checkedRange(range, parts.size)));
  } catch {
    return new ByteRanges(); // none, or one that was cut off
  }
}

function checkedRange(range: unknown, size: number): ByteRange {
  const [from, to] = range as [unknown, unknown];
  const isOne = Number.isInteger(from) && Number.isInteger(to) && (from as number) >= 0;
  if (isOne && (from as number) < (to as number) && (to as number) <= size) {
    return range as ByteRange;
  }
  throw new Error("no range");
}

/** Before hours of fetching, where the system tells it. */
async function checkRoom(path: string, needed: number): Promise<void> {
  const room = await statfs(dirname(path)).catch(() => undefined);
  if (room === undefined || room.bsize === 0 || room.blocks === 0) return;
  const free = room.bavail * room.bsize;
  if (free >= needed) return;
  throw coded(
    "ERR_DISK_FULL",
    `The disk has no room for the model: ${needed} more bytes are needed at ${dirname(path)}, and ${free} are ` +
      "free. Make room, give another `directory`, or set HF_HOME",
    { path, needed, free },
  );
}

/** The length of what cannot be cut into ranges, or was not told. */
export function checkSize(size: number, shown: string): number {
  if (Number.isSafeInteger(size) && size > 0) return size;
  throw failed(`${shown} does not tell how long the file is`, { url: shown });
}
