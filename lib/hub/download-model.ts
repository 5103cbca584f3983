import { resolve } from "node:path";
import { throwIfAborted } from "../internal/abort.js";
import { abortSignal, callback, filePath, readOptions } from "../internal/checks.js";
import { optionNames } from "../internal/option-names.js";
import { withDownloadLock } from "./download-lock.js";
import { fetchFile } from "./fetch-file.js";
import { CONDUCT, type Conduct } from "./hub-client.js";
import { checkHubOptions, type HubOptions, hubSettings } from "./hub-settings.js";
import { FolderStore, HubStore, UrlStore } from "./model-cache.js";
import { readReference } from "./model-reference.js";
import { findModel, type ModelSource, type SourceFile } from "./model-source.js";
import { PartialFile } from "./partial-file.js";

/** How far a download is. */
export interface DownloadProgress {
  /** The file that is coming, by its path in the repository or the last part of its URL. */
  readonly file: string;
  /** Bytes of the model that are there, of all its files, those of earlier runs included. */
  readonly receivedBytes: number;
  /** Bytes of all its files. */
  readonly totalBytes: number;
  /** Bytes that this call has fetched. */
  readonly fetchedBytes: number;
}

/** How a reference is fetched. */
export interface FetchOptions extends HubOptions {
  /**
   * A folder that the files are put into, under their own names. Default: the cache that Hugging Face's libraries
   * share (HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub); files of other servers go beside it, into
   * HF_HOME/cria.
   */
  readonly directory?: string;
  /** Called with each piece that came. What it throws ends the download. Default: none. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** What `downloadModel` takes. */
export interface DownloadModelOptions extends FetchOptions {
  /** Aborts the download, which rejects with its reason; what came stays. Default: none. */
  readonly signal?: AbortSignal;
}

export const FETCH_OPTIONS: readonly (keyof FetchOptions)[] = optionNames("downloadModel", [
  ...(["directory", "onProgress"] as const),
  ...(["token", "endpoint", "revision"] as const),
]);

/**
 * Fetches a model unless it is there already, and returns the path that `Model.load` takes: of a split model the
 * first part. A download that was ended in any way goes on where it was. What the hub knows a checksum of is
 * compared with it.
 *
 * @example
 * const path = await downloadModel("hf:bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M", {
 *   onProgress: ({ receivedBytes, totalBytes }) => console.log(receivedBytes / totalBytes),
 * });
 * @param reference "hf:user/repo:Q4_K_M", "hf:user/repo" (Q4_K_M, else what is nearest), "hf:user/repo/file.gguf",
 * each with "@revision" behind the repository; a URL; a path, which is returned as it is
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_MODEL_NOT_FOUND, which lists what there is; ERR_MODEL_INVALID where
 * its name announces more parts than any model has; ERR_DOWNLOAD_FAILED, ERR_DOWNLOAD_DENIED, ERR_DOWNLOAD_CHANGED, ERR_DOWNLOAD_DAMAGED, ERR_DISK_FULL; the signal's reason; what
 * `onProgress` threw
 */
export function downloadModel(reference: string, options?: DownloadModelOptions): Promise<string> {
  return downloadWith(CONDUCT, reference, options);
}

/** The same with a patience that tests choose. */
export async function downloadWith(
  conduct: Conduct,
  reference: string,
  options: DownloadModelOptions | undefined,
): Promise<string> {
  const read = readReference(reference, "reference");
  const o = readOptions<DownloadModelOptions>(options, "options", [...FETCH_OPTIONS, "signal"]);
  const { directory, onProgress, signal, ...hub } = o;
  const folder = directory === undefined ? undefined : filePath(directory, "options.directory");
  if (onProgress !== undefined) callback(onProgress, "options.onProgress");
  if (signal !== undefined) abortSignal(signal, "options.signal");
  checkHubOptions(hub);
  if (read.kind === "path") return read.path;
  const settings = await hubSettings(hub);
  throwIfAborted(signal);
  const found = await findModel(read, {
    ...{ settings, signal, conduct },
    cache: folder === undefined,
  });
  if ("cached" in found) return found.cached[0] as string;
  const { origin } = found;
  if (folder !== undefined) {
    return new ModelFetch(found, new FolderStore(resolve(folder)), onProgress).run();
  }
  if (origin.kind === "hub") {
    const store = new HubStore(settings.cache, origin.repository, origin.commit);
    const path = await new ModelFetch(found, store, onProgress).run();
    await store.note(origin.revision);
    return path;
  }
  const versions = found.files.map(({ identity, size }) => `${identity} ${size}`);
  const store = new UrlStore(settings.urlCache, origin.url, versions.join("\n"));
  const path = await new ModelFetch(found, store, onProgress).run();
  await store.tidy();
  return path;
}

/** Fetches a model's files, one after the other. */
class ModelFetch {
  readonly #source: ModelSource;
  readonly #store: FolderStore | HubStore | UrlStore;
  readonly #onProgress: ((progress: DownloadProgress) => void) | undefined;
  readonly #totalBytes: number;
  #receivedBytes = 0;
  #fetchedBytes = 0;

  constructor(
    source: ModelSource,
    store: FolderStore | HubStore | UrlStore,
    onProgress: ((progress: DownloadProgress) => void) | undefined,
  ) {
    this.#source = source;
    this.#store = store;
    this.#onProgress = onProgress;
    this.#totalBytes = source.files.reduce((sum, { size }) => sum + size, 0);
  }

  /** @returns the first file's path */
  async run(): Promise<string> {
    const paths: string[] = [];
    for (const file of this.#source.files) paths.push(await this.#file(file));
    return paths[0] as string;
  }

  async #file(file: SourceFile): Promise<string> {
    const { name, size, identity, checksum } = file;
    const place = this.#store.place(name, identity, size);
    const { conduct, signal } = this.#source.client;
    const earlier = this.#receivedBytes;
    if (!(await place.ready(size))) {
      await withDownloadLock(`${place.partial}.lock`, signal, async () => {
        if (await place.ready(size)) return;
        if (await place.adopt(checksum)) return place.link();
        const remote = await file.remote();
        const { partial: path } = place;
        const { blockBytes } = conduct;
        const partial = await PartialFile.open({ path, size, identity, checksum, blockBytes });
        try {
          this.#came(name, partial.bytes);
          await fetchFile(this.#source.client, remote, partial, (count) => {
            this.#fetchedBytes += count;
            this.#came(name, count);
          });
        } catch (error) {
          await partial.leave();
          throw error;
        }
        await partial.settle(place.complete);
        await place.link();
      });
    }
    this.#came(name, earlier + size - this.#receivedBytes);
    return place.path;
  }

  #came(file: string, count: number): void {
    this.#receivedBytes += count;
    this.#onProgress?.({
      ...{ file, receivedBytes: this.#receivedBytes },
      ...{ totalBytes: this.#totalBytes, fetchedBytes: this.#fetchedBytes },
    });
  }
}
