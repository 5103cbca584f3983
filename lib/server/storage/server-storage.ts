import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ioError } from "../../batch/batch-failures.js";
import { lockOutput } from "../../batch/output/output-lock.js";
import { CriaError } from "../../internal/errors.js";
import { BatchRunner, type ModelFinder } from "./batch-runner.js";
import { BatchStore } from "./batch-store.js";
import { FileStore, type StorageLimits } from "./file-store.js";

export interface StorageOptions extends StorageLimits {
  /** Undefined: a temporary folder, which goes with the server. */
  readonly filesDirectory: string | undefined;
}

/** The files and batches that clients have left here. */
export interface OpenStorage {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly runner: BatchRunner;
}

/** Opened when it is first needed: most servers never are asked for files. */
export class ServerStorage {
  readonly #options: StorageOptions;
  readonly #models: ModelFinder;
  #opening: Promise<OpenStorage & { readonly leave: () => Promise<void> }> | undefined;

  constructor(options: StorageOptions, models: ModelFinder) {
    this.#options = options;
    this.#models = models;
  }

  /** Whether something may be left from before, which has to go on. */
  get lasts(): boolean {
    return this.#options.filesDirectory !== undefined;
  }

  /** @throws errors of the file system; where another server has the folder */
  open(): Promise<OpenStorage> {
    if (this.#opening === undefined) {
      const opening = this.#open();
      this.#opening = opening;
      // The next request tries again.
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined;
      });
    }
    return this.#opening;
  }

  /** Stops batches, to go on with the next start. */
  async stop(): Promise<void> {
    const open = await this.#opening?.catch(() => undefined);
    await open?.runner.close();
  }

  /** Leaves the folder to others, or removes it where it is a temporary one. */
  async close(): Promise<void> {
    await this.stop();
    const open = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    await open?.leave();
  }

  async #open() {
    const { filesDirectory } = this.#options;
    const leave: (() => Promise<void>)[] = [];
    const folder = filesDirectory ?? (await mkdtemp(join(tmpdir(), "cria-files-")));
    try {
      if (filesDirectory === undefined) {
        leave.push(() => rm(folder, { recursive: true, force: true }));
      } else {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        leave.push(await lockFolder(folder));
      }
      const [ownFiles, ownBatches] = [join(folder, "files"), join(folder, "batches")];
      for (const own of [ownFiles, ownBatches]) await mkdir(own, { recursive: true, mode: 0o700 });
      const files = await FileStore.open(ownFiles, this.#options);
      const batches = await BatchStore.open(ownBatches);
      const runner = new BatchRunner({ files, batches, models: this.#models });
      runner.resume();
      return { files, batches, runner, leave: () => leaveAll(leave) };
    } catch (error) {
      await leaveAll(leave);
      throw error;
    }
  }
}

async function leaveAll(steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of steps) await step();
}

/** Two servers would answer the same batch twice. */
async function lockFolder(folder: string): Promise<() => Promise<void>> {
  try {
    return await lockOutput(join(folder, "server"));
  } catch (error) {
    const what = `The folder ${folder} cannot be used for files (filesDirectory)`;
    if (!CriaError.is(error)) throw ioError(what, error);
    const { code, details = {}, message } = error;
    throw new CriaError(code, `${what}: ${message}`, { details, cause: error });
  }
}
