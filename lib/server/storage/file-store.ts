import { open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isPlainObject } from "../../internal/checks.js";
import { replaceFile } from "../../internal/replace-file.js";
import { now } from "../answer-head.js";
import { HttpError } from "../http-errors.js";
import { isObjectId, newObjectId } from "./object-ids.js";

/** What a file is for: the requests of a batch, or what came of them. */
export type FilePurpose = "batch" | "batch_output";

/** OpenAI's description of a file. */
export interface StoredFile {
  readonly id: string;
  readonly object: "file";
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly created_at: number;
  /** As its sender calls it. It is shown, and never part of a path. */
  readonly filename: string;
  readonly purpose: FilePurpose;
  readonly status: "processed";
}

/** How much clients may leave here. */
export interface StorageLimits {
  /** Bytes of one file. */
  readonly maxFile: number;
  /** Bytes of all. */
  readonly maxStorage: number;
}

/** Files in a folder: ID.data, and ID.json, which is written when the data is complete. */
export class FileStore {
  readonly #folder: string;
  readonly #limits: StorageLimits;
  readonly #files = new Map<string, StoredFile>();
  /** Those that are being written included. */
  #bytes = 0;

  private constructor(folder: string, limits: StorageLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /** Takes what is there; what was never completed is removed. */
  static async open(folder: string, limits: StorageLimits): Promise<FileStore> {
    const store = new FileStore(folder, limits);
    const names = await readdir(folder);
    for (const name of names) if (name.endsWith(".json")) await store.#take(name.slice(0, -5));
    for (const name of names) {
      const [id = "", ending] = name.split(".");
      const left = ending === "data" && isObjectId("file", id) && !store.#files.has(id);
      if (left || isTemporary(name)) await rm(join(folder, name), { force: true });
    }
    return store;
  }

  /** The newest first. */
  list(): StoredFile[] {
    return [...this.#files.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  /** @throws {HttpError} 404 */
  find(id: string): StoredFile {
    const found = this.#files.get(id);
    if (found !== undefined) return found;
    throw new HttpError(404, "file_not_found", "No such file", { param: "id" });
  }

  /** Where its content is. Only for files that are known. */
  pathOf({ id }: Pick<StoredFile, "id">): string {
    return join(this.#folder, `${id}.data`);
  }

  async remove(file: StoredFile): Promise<void> {
    if (!this.#files.delete(file.id)) return;
    this.#bytes -= file.bytes;
    // The description first: data without one is removed the next time.
    await rm(join(this.#folder, `${file.id}.json`), { force: true });
    await rm(this.pathOf(file), { force: true });
  }

  /**
   * Begins a file, which is nowhere to be seen until it is kept.
   *
   * @param limited whether the limits hold: not for results, which would be lost
   */
  async begin(limited = true): Promise<FileDraft> {
    const id = newObjectId("file");
    const path = this.pathOf({ id });
    const handle = await open(path, "wx", 0o600);
    let bytes = 0;
    return {
      append: async (piece) => {
        if (limited) this.#checkRoom(bytes, piece.length);
        this.#bytes += piece.length;
        bytes += piece.length;
        await handle.writeFile(piece);
      },
      keep: async (filename, purpose) => {
        await handle.datasync();
        await handle.close();
        const file: StoredFile = {
          ...{ id, object: "file", bytes, created_at: now(), filename, purpose },
          status: "processed",
        };
        await replaceFile(join(this.#folder, `${id}.json`), JSON.stringify(file));
        this.#files.set(id, file);
        return file;
      },
      discard: async () => {
        this.#bytes -= bytes;
        bytes = 0;
        await handle.close().catch(() => {});
        await rm(path, { force: true });
      },
    };
  }

  #checkRoom(before: number, more: number): void {
    const { maxFile, maxStorage } = this.#limits;
    if (before + more > maxFile) {
      throw new HttpError(413, "file_too_large", `The file is larger than ${maxFile} bytes`, {
        param: "file",
      });
    }
    if (this.#bytes + more > maxStorage) {
      throw new HttpError(
        413,
        "storage_full",
        `The files here have ${maxStorage} bytes together at most: delete some`,
        { param: "file" },
      );
    }
  }

  async #take(id: string): Promise<void> {
    if (!isObjectId("file", id)) return;
    const text = await readFile(join(this.#folder, `${id}.json`), "utf8");
    const file = fileOf(text, id);
    const data = await stat(this.pathOf({ id })).catch(() => undefined);
    if (file === undefined || data?.size !== file.bytes) return;
    this.#files.set(id, file);
    this.#bytes += file.bytes;
  }
}

/** A file that is being written. */
export interface FileDraft {
  /** @throws {HttpError} 413 where there is no room for it; errors of the file system */
  append(piece: Uint8Array): Promise<void>;
  keep(filename: string, purpose: FilePurpose): Promise<StoredFile>;
  discard(): Promise<void>;
}

/** Undefined where it is none that was written here. */
function fileOf(text: string, id: string): StoredFile | undefined {
  try {
    const file: unknown = JSON.parse(text);
    return isPlainObject(file) && file.id === id ? (file as unknown as StoredFile) : undefined;
  } catch {
    return undefined;
  }
}

/** What `replaceFile` leaves where the process ends in the midst of it. */
export function isTemporary(name: string): boolean {
  return /^\.cria-[0-9a-f-]+\.tmp$/.test(name);
}
