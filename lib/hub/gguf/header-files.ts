import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { throwIfAborted } from "../../internal/abort.js";
import { diskError } from "../download-failures.js";
import { CONDUCT, type Conduct, type HubClient } from "../hub-client.js";
import { type HubOptions, hubSettings } from "../hub-settings.js";
import { isReference, readReference } from "../model-reference.js";
import { findModel, type SourceFile } from "../model-source.js";
import { type ByteSource, RemoteSource } from "./byte-source.js";
import { readHeader } from "./gguf-header.js";

/**
 * Hands files with a model's headers to `use`: the model's own where it is here, else files that are as long as the
 * model's, have its headers and nothing behind them, and take no room. They are what the engine needs to measure a model
 * that nobody has fetched yet.
 *
 * @throws {CriaError} as `inspectGguf`; what `use` throws
 */
export async function withHeaderFiles<T>(
  reference: string,
  options: HubOptions & { readonly signal: AbortSignal | undefined },
  use: (path: string) => Promise<T>,
  conduct: Conduct = CONDUCT,
): Promise<T> {
  if (!isReference(reference)) return use(reference);
  const read = readReference(reference, "path");
  if (read.kind === "path") return use(read.path);
  const { signal, ...hub } = options;
  throwIfAborted(signal);
  const settings = await hubSettings(hub);
  const found = await findModel(read, { settings, signal, conduct, cache: true });
  if ("cached" in found) return use(found.cached[0] as string);
  const folder = await mkdtemp(join(tmpdir(), "cria-headers-"));
  try {
    const paths: string[] = [];
    for (const file of found.files) paths.push(await headerFile(found.client, file, folder));
    return await use(paths[0] as string);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function headerFile(client: HubClient, file: SourceFile, folder: string): Promise<string> {
  const path = join(folder, basename(file.name));
  const copy = await open(path, "w");
  try {
    const source = await RemoteSource.open(client, file.url);
    // Whole arrays, since what is skipped is not copied.
    await readHeader(new CopiedSource(source, copy), Number.POSITIVE_INFINITY, 0);
    await copy.truncate(source.size);
    return path;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : diskError(error, path);
  } finally {
    await copy.close();
  }
}

/** Keeps what is read of a source at the same place in a file. */
class CopiedSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #copy: FileHandle;

  constructor(source: ByteSource, copy: FileHandle) {
    this.#source = source;
    this.#copy = copy;
  }

  get shown(): string {
    return this.#source.shown;
  }

  get size(): number {
    return this.#source.size;
  }

  async read(from: number, length: number): Promise<Buffer> {
    const bytes = await this.#source.read(from, length);
    await this.#copy.write(bytes, 0, bytes.length, from);
    return bytes;
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}
