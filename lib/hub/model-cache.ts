import { createHash } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { replaceFile } from "../internal/replace-file.js";
import { coded, diskError } from "./download-failures.js";
import { type Checksum, sumOf } from "./file-checksum.js";

/** Where a file goes, and what is known of it there. */
export interface FilePlace {
  /** What the caller gets. */
  readonly path: string;
  /** Where it lies while it comes. */
  readonly partial: string;
  /** Where it is moved to once it is complete. */
  readonly complete: string;
  /** Whether this content is there already; makes `path` lead to it. */
  ready(size: number): Promise<boolean>;
  /**
   * Whether what already lies at `complete` is this content, though nothing was noted of it. Asked under the lock.
   *
   * @throws {CriaError} ERR_DOWNLOAD_FAILED where it is a file of somebody else's
   */
  adopt(checksum: Checksum | undefined): Promise<boolean>;
  /** Makes `path` lead to what has been moved to `complete`. */
  link(): Promise<void>;
}

/** Files of a download; the folder that it goes to decides how they lie there. */
export interface ModelStore {
  place(name: string, identity: string | undefined, size: number): FilePlace;
}

/**
 * The cache that Hugging Face's own libraries share: what was fetched by one is there for all. Each content lies once
 * under its checksum's name, and a revision's files are links to them.
 */
export class HubStore implements ModelStore {
  readonly #folder: string;
  readonly #commit: string;

  constructor(cache: string, repository: string, commit: string) {
    this.#folder = repositoryFolder(cache, repository);
    this.#commit = commit;
  }

  place(name: string, identity: string | undefined): FilePlace {
    // The hub's files have an identity always, if only their place in a commit.
    const complete = join(this.#folder, "blobs", fileName(identity ?? `${this.#commit} ${name}`));
    const path = join(this.#folder, "snapshots", this.#commit, ...name.split("/"));
    const linked = () => inDisk(path, () => linkTo(complete, path));
    return {
      ...{ path, complete, partial: `${complete}.cria-part`, link: linked },
      adopt: async () => false,
      ready: async (size: number) => {
        if ((await sizeOf(path)) === size) return true;
        if ((await sizeOf(complete)) !== size) return false;
        await linked();
        return true;
      },
    };
  }

  /** What a branch's or a tag's name stands for, so that it is known without the network. */
  async note(revision: string): Promise<void> {
    if (revision === this.#commit) return;
    const file = join(this.#folder, "refs", ...revision.split("/"));
    await inDisk(file, async () => {
      await mkdir(dirname(file), { recursive: true });
      await replaceFile(file, this.#commit);
    });
  }
}

/** What the shared cache knows of a repository, without the network. */
export async function cachedCommit(
  cache: string,
  repository: string,
  revision: string,
): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const file = join(repositoryFolder(cache, repository), "refs", ...revision.split("/"));
  const text = (await readFile(file, "utf8").catch(() => "")).trim();
  return isCommit(text) ? text : undefined;
}

/** The files of a revision that are there, by their paths in the repository. */
export async function cachedFiles(
  cache: string,
  repository: string,
  commit: string,
): Promise<{ readonly folder: string; readonly files: ReadonlyMap<string, number> }> {
  const folder = join(repositoryFolder(cache, repository), "snapshots", commit);
  const names = await readdir(folder, { recursive: true }).catch((): string[] => []);
  const files = new Map<string, number>();
  for (const name of names) {
    const size = /\.gguf$/i.test(name) ? await sizeOf(join(folder, name)) : undefined;
    if (size !== undefined) files.set(name.replaceAll("\\", "/"), size);
  }
  return { folder, files };
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

function repositoryFolder(cache: string, repository: string): string {
  return join(cache, `models--${repository.replace("/", "--")}`);
}

/**
 * Files of other servers, by the URL of the first one and what tells their versions from each other. A hub's
 * cache has no place for them.
 */
export class UrlStore implements ModelStore {
  readonly #folder: string;
  readonly #version: string;

  constructor(cache: string, url: URL, version: string) {
    this.#folder = urlFolder(cache, url);
    this.#version = digest(version);
  }

  place(name: string, identity: string | undefined, size: number): FilePlace {
    const path = join(this.#folder, this.#version, basename(name));
    // The length, too: what is left of a longer one would stay behind the end.
    const partial = join(this.#folder, `${digest(`${name} ${identity} ${size}`)}.cria-part`);
    return {
      ...{ path, complete: path, partial },
      ready: async () => identity !== undefined && (await sizeOf(path)) === size,
      adopt: async () => false,
      link: async () => {},
    };
  }

  /** What earlier versions left. A part that another download works on has its lock there. */
  async tidy(): Promise<void> {
    const names = await readdir(this.#folder).catch((): string[] => []);
    for (const name of names) {
      const part = /^(.*\.cria-part)(?:\.json)?$/.exec(name)?.[1];
      if (part === undefined || names.includes(`${part}.lock`)) continue;
      await rm(join(this.#folder, name), { force: true }).catch(() => {});
    }
  }
}

/** The newest version of a URL's file that is there. */
export async function cachedUrl(
  cache: string,
  url: URL,
  name: string,
): Promise<string | undefined> {
  const folder = urlFolder(cache, url);
  let newest: { path: string; at: number } | undefined;
  for (const version of await readdir(folder).catch(() => [])) {
    const path = join(folder, version, basename(name));
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && found.mtimeMs > (newest?.at ?? 0)) newest = { path, at: found.mtimeMs };
  }
  return newest?.path;
}

function urlFolder(cache: string, url: URL): string {
  return join(cache, "urls", digest(`${url.origin}${url.pathname}`));
}

/** A folder of the caller's, where files lie under their own names. */
export class FolderStore implements ModelStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  place(name: string, identity: string | undefined, size: number): FilePlace {
    const path = join(this.#folder, ...name.split("/"));
    const own = join(this.#folder, ".cria", digest(name));
    const record = `${own}.json`;
    return {
      ...{ path, complete: path, partial: `${own}-${digest(`${identity} ${size}`)}.cria-part` },
      ready: async () => {
        const { state, note } = await noted(path, record);
        return state === "untouched" && identity !== undefined && note?.identity === identity;
      },
      adopt: async (checksum) => {
        const { state } = await noted(path, record);
        // A later version takes the place of what was fetched before, but not of a file of the user's own.
        if (state !== "foreign") return false;
        const same = (await sizeOf(path)) === size && checksum !== undefined;
        if (same && (await sumOf(path, size, checksum)) === checksum.hex) return true;
        throw coded(
          "ERR_DOWNLOAD_FAILED",
          `There is another file at ${path}, which was not fetched from there: move it, or give another \`directory\``,
          { path },
        );
      },
      link: async () => {
        const { mtimeMs, size: length } = await stat(path);
        const note: FolderNote = { identity, mtimeMs, size: length };
        await inDisk(record, async () => {
          await mkdir(dirname(record), { recursive: true });
          await replaceFile(record, JSON.stringify(note));
        });
      },
    };
  }
}

interface FolderNote {
  readonly identity: unknown;
  readonly mtimeMs: unknown;
  readonly size: unknown;
}

/** Whether the file is as it was when the note of it was written. */
async function noted(path: string, record: string) {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return { state: "missing" } as const;
  let note: FolderNote | undefined;
  try {
    note = JSON.parse(await readFile(record, "utf8")) as FolderNote;
  } catch {
    return { state: "foreign" } as const;
  }
  const untouched = note.mtimeMs === found.mtimeMs && note.size === found.size;
  return { state: untouched ? "untouched" : "foreign", note } as const;
}

/** Links need rights on Windows, and not every drive has them: the second name of a file then, or its only one. */
async function linkTo(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true }); // a link that leads nowhere, or to another content
  try {
    await symlink(relative(dirname(path), target), path, "file");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return; // another process was quicker
  }
  if ((await sizeOf(path)) !== undefined) return;
  await rm(path, { force: true }); // a link that the drive takes and does not follow
  await link(target, path).catch(() => rename(target, path));
}

async function inDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, path);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/** Checksums are names already; what else a server says is no name. */
function fileName(identity: string): string {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(identity) ? identity : digest(identity);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
