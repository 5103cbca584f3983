import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isPlainObject } from "../../internal/checks.js";
import { replaceFile } from "../../internal/replace-file.js";
import { HttpError } from "../http-errors.js";
import { type BatchObject, isOver } from "./batch-object.js";
import { isTemporary } from "./file-store.js";
import { isObjectId } from "./object-ids.js";

/** Descriptions of batches in a folder, ID.json, and while they run their results: ID.results.jsonl. */
export class BatchStore {
  readonly #folder: string;
  readonly #batches = new Map<string, BatchObject>();
  /** Writes of one description follow each other. */
  readonly #writing = new Map<string, Promise<void>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<BatchStore> {
    const store = new BatchStore(folder);
    for (const name of await readdir(folder)) {
      if (isTemporary(name)) await rm(join(folder, name), { force: true });
      const id = name.slice(0, -".json".length);
      if (!name.endsWith(".json") || !isObjectId("batch", id)) continue;
      const batch = batchOf(await readFile(join(folder, name), "utf8"), id);
      if (batch !== undefined) store.#batches.set(id, batch);
    }
    // Of one that was over when its server was killed: nobody would look at them again.
    for (const batch of store.#batches.values()) if (isOver(batch)) await store.dropResults(batch);
    return store;
  }

  /** The newest first. */
  list(): BatchObject[] {
    return [...this.#batches.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  /** @throws {HttpError} 404 */
  find(id: string): BatchObject {
    const found = this.#batches.get(id);
    if (found !== undefined) return found;
    throw new HttpError(404, "batch_not_found", "No such batch", { param: "id" });
  }

  /** Whether a batch that is not over reads this file. */
  reads(file: string): boolean {
    return this.list().some((batch) => batch.input_file_id === file && !isOver(batch));
  }

  /** Where its results are gathered. */
  resultsOf({ id }: Pick<BatchObject, "id">): string {
    return join(this.#folder, `${id}.results.jsonl`);
  }

  /** Takes away what runs have left of its results, the lock of one that was killed included. */
  async dropResults(batch: Pick<BatchObject, "id">): Promise<void> {
    const results = this.resultsOf(batch);
    for (const ending of ["", ".settings.json", ".lock"]) {
      await rm(`${results}${ending}`, { force: true });
    }
  }

  /** Shown to clients, and lost if the process ends. */
  show(batch: BatchObject): void {
    this.#batches.set(batch.id, batch);
  }

  /** Shown, and written. */
  async save(batch: BatchObject): Promise<void> {
    this.show(batch);
    const before = this.#writing.get(batch.id) ?? Promise.resolve();
    const path = join(this.#folder, `${batch.id}.json`);
    // What is newest when its turn comes.
    const writing = before
      .catch(() => {})
      .then(() => replaceFile(path, JSON.stringify(this.#batches.get(batch.id))));
    this.#writing.set(batch.id, writing);
    await writing.finally(() => {
      if (this.#writing.get(batch.id) === writing) this.#writing.delete(batch.id);
    });
  }
}

/** Undefined where it is none that was written here. */
function batchOf(text: string, id: string): BatchObject | undefined {
  try {
    const batch: unknown = JSON.parse(text);
    return isPlainObject(batch) && batch.id === id ? (batch as unknown as BatchObject) : undefined;
  } catch {
    return undefined;
  }
}
