import { isPlainObject } from "../internal/checks.js";
import { show } from "../internal/errors.js";
import type { HubFile } from "./choose-files.js";
import { failed, shownUrl } from "./download-failures.js";
import type { HubClient } from "./hub-client.js";
import { isCommit } from "./model-cache.js";
import { safePath } from "./model-reference.js";

/** More than any repository has, at a thousand files a page. */
const PAGES_MAX = 100;

/** More models than any repository has: all are kept until one is chosen. */
const FILES_MAX = 100_000;

/** A repository of a hub, as the hub's API tells of it. */
export class Repository {
  readonly name: string;
  readonly #endpoint: string;
  readonly #client: HubClient;

  constructor(client: HubClient, endpoint: string, name: string) {
    this.#client = client;
    this.#endpoint = endpoint;
    this.name = name;
  }

  /** The commit that a branch's or a tag's name stands for now, so that all files are of one. */
  async commit(revision: string): Promise<string> {
    if (isCommit(revision)) return revision;
    const url = this.#url(["api", "models"], ["revision", encodeURIComponent(revision)]);
    const { value } = await this.#client.json(url);
    const { sha } = isPlainObject(value) ? value : {};
    if (typeof sha === "string" && isCommit(sha)) return sha;
    throw failed(`${shownUrl(url)} does not answer as a hub does: no commit`, { url: url.href });
  }

  /** All files of a commit. */
  async files(commit: string): Promise<HubFile[]> {
    const files: HubFile[] = [];
    let url: URL | undefined = this.#url(["api", "models"], ["tree", commit]);
    url.searchParams.set("recursive", "true");
    for (let page = 0; url !== undefined; page++) {
      const { value, next }: { value: unknown; next: URL | undefined } =
        await this.#client.json(url);
      if (!Array.isArray(value) || page >= PAGES_MAX) {
        throw failed(`${shownUrl(url)} does not answer as a hub does: no list of files`, {
          url: url.href,
        });
      }
      for (const entry of value) {
        const file = readEntry(entry);
        if (file !== undefined) files.push(file);
        if (files.length > FILES_MAX) {
          throw failed(`${shownUrl(url)} lists more than ${FILES_MAX} model files`, {
            url: url.href,
          });
        }
      }
      url = next;
    }
    return files;
  }

  /** Where a file of a commit is. */
  fileUrl(commit: string, path: string): URL {
    return this.#url([], ["resolve", commit, ...path.split("/").map(encodeURIComponent)]);
  }

  #url(before: readonly string[], behind: readonly string[]): URL {
    return new URL([this.#endpoint, ...before, this.name, ...behind].join("/"));
  }
}

/** A model file; others are of no interest, and may be called anything. */
function readEntry(entry: unknown): HubFile | undefined {
  const { type, path, size, oid, lfs } = isPlainObject(entry) ? entry : {};
  if (type !== "file" || typeof path !== "string" || !/\.gguf$/i.test(path)) return undefined;
  const large = isPlainObject(lfs) ? lfs : undefined;
  const length = large?.size ?? size;
  if (!Number.isSafeInteger(length) || (length as number) < 0) {
    throw failed(`The hub lists ${show(path)} without a length that can be`, { path });
  }
  return {
    path: safePath(path),
    size: length as number,
    sha256: hex(large?.oid, 64),
    gitId: large === undefined ? hex(oid, 40) : undefined,
  };
}

function hex(value: unknown, length: number): string | undefined {
  const text = typeof value === "string" ? value.replace(/^sha256:/, "").toLowerCase() : "";
  return text.length === length && /^[0-9a-f]+$/.test(text) ? text : undefined;
}
