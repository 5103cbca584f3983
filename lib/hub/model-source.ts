import { CriaError, invalid } from "../internal/errors.js";
import { chooseFiles, type HubFile, partNames } from "./choose-files.js";
import { coded, failed, shownUrl } from "./download-failures.js";
import { otherLength, probe, type RemoteFile } from "./fetch-file.js";
import type { Checksum } from "./file-checksum.js";
import { type ClientParts, type Conduct, HubClient } from "./hub-client.js";
import type { HubSettings } from "./hub-settings.js";
import { cachedCommit, cachedFiles, cachedUrl, isCommit } from "./model-cache.js";
import type { HubReference, ModelReference, UrlReference } from "./model-reference.js";
import { isSafePath } from "./model-reference.js";
import { Repository } from "./repository.js";

/** One file of a model, before it is fetched. */
export interface SourceFile {
  /** Its path in the repository, or the last part of its URL. */
  readonly name: string;
  readonly url: URL;
  readonly size: number;
  /** Tells this content from others; undefined where the server tells nothing of the kind. */
  readonly identity: string | undefined;
  readonly checksum: Checksum | undefined;
  /** Asks the server for it anew. */
  remote(): Promise<RemoteFile>;
}

/** A model elsewhere, found: its files, the first one first. */
export interface ModelSource {
  readonly client: HubClient;
  readonly files: readonly SourceFile[];
  readonly origin:
    | {
        readonly kind: "hub";
        readonly repository: string;
        readonly commit: string;
        readonly revision: string;
      }
    | { readonly kind: "url"; readonly url: URL };
}

/** A model that is in the cache, where nothing has to be or can be asked. */
export interface CachedModel {
  /** Its files, the first one first. */
  readonly cached: readonly string[];
}

const DEFAULT_REVISION = "main";

export interface FindParts {
  readonly settings: HubSettings;
  readonly signal: AbortSignal | undefined;
  readonly conduct: Conduct;
  /** Whether what lies in the cache will do. */
  readonly cache: boolean;
}

/**
 * Finds out which files a reference means.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_INVALID, ERR_DOWNLOAD_FAILED,
 * ERR_DOWNLOAD_DENIED; the signal's reason
 */
export async function findModel(
  reference: Exclude<ModelReference, { kind: "path" }>,
  parts: FindParts,
): Promise<ModelSource | CachedModel> {
  const onHub = reference.kind === "hub" ? reference : hubFileOf(reference, parts.settings);
  return onHub === undefined
    ? findUrl((reference as UrlReference).url, parts)
    : findOnHub(onHub, parts);
}

/** A page's or a file's URL of the hub itself is known by its checksum, too. */
function hubFileOf({ url }: UrlReference, { endpoint }: HubSettings): HubReference | undefined {
  const address = `${url.origin}${url.pathname}`;
  if (!address.startsWith(`${endpoint}/`)) return undefined;
  const parts = address.slice(endpoint.length + 1).split("/");
  const [owner, repo, kind, revision, ...path] = parts.map(decoded);
  if (owner === undefined || repo === undefined || revision === undefined) return undefined;
  if (kind !== "resolve" && kind !== "blob") return undefined;
  const file = path.join("/");
  const isPlain = /^[\w.-]+\/[\w.-]+$/.test(`${owner}/${repo}`) && isSafePath(revision);
  if (!isPlain || !isSafePath(file) || !/\.gguf$/i.test(file)) return undefined;
  return { kind: "hub", repository: `${owner}/${repo}`, revision, file, tag: undefined };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function findOnHub(
  reference: HubReference,
  parts: FindParts,
): Promise<ModelSource | CachedModel> {
  const { settings, cache } = parts;
  const { repository } = reference;
  if (reference.revision !== undefined && settings.revision !== undefined) {
    if (reference.revision !== settings.revision) {
      throw invalid(
        `The reference names the revision ${reference.revision}, and \`options.revision\` another one: leave one out`,
        { name: "options.revision" },
      );
    }
  }
  const revision = reference.revision ?? settings.revision ?? DEFAULT_REVISION;
  const inCache = async () => (cache ? cachedModel(reference, revision, settings) : undefined);
  if (settings.offline) return (await inCache()) ?? throwOffline(repository);
  const isExact = reference.file !== undefined || reference.tag !== undefined;
  if (isCommit(revision) && isExact) {
    const found = await inCache();
    if (found !== undefined) return found;
  }
  const client = new HubClient(clientParts(parts, settings.token, new URL(settings.endpoint)));
  const hub = new Repository(client, settings.endpoint, repository);
  try {
    const commit = await hub.commit(revision);
    const chosen = chooseFiles(await hub.files(commit), reference, repository);
    const files: SourceFile[] = [];
    for (const file of chosen) {
      files.push(await hubSource(client, hub.fileUrl(commit, file.path), file));
    }
    return { client, files, origin: { kind: "hub", repository, commit, revision } };
  } catch (error) {
    const found = isUnreachable(error) ? await inCache() : undefined;
    if (found !== undefined) return found;
    throw error;
  }
}

async function hubSource(client: HubClient, url: URL, file: HubFile): Promise<SourceFile> {
  const ask = async () => {
    const remote = await probe(client, url);
    if (remote.size !== file.size) throw otherLength(url, file.size, remote.size);
    const { linkedEtag: sum } = remote;
    if (sha256 === undefined || sum === undefined || sum === sha256 || sum.length !== 64) {
      return remote;
    }
    throw coded(
      "ERR_DOWNLOAD_CHANGED",
      `${shownUrl(url)} is not the file that the hub lists: ask again, or another mirror`,
      { url: shownUrl(url), expected: sha256, got: sum },
    );
  };
  const { path: name, size, sha256, gitId } = file;
  if (sha256 !== undefined || gitId !== undefined) {
    const checksum = checksumOf(sha256, gitId);
    return { name, url, size, identity: checksum?.hex, checksum, remote: ask };
  }
  // A mirror that lists no checksums may still send one with the file. Where it tells nothing of it, its URL has the
  // commit: the same name is another content in another one.
  const { linkedEtag, version } = await ask();
  const checksum = checksumOf(/^[0-9a-f]{64}$/.exec(linkedEtag ?? "")?.[0], undefined);
  return { name, url, size, identity: linkedEtag ?? version ?? url.href, checksum, remote: ask };
}

function checksumOf(sha256: string | undefined, git: string | undefined): Checksum | undefined {
  if (sha256 !== undefined) return { kind: "sha256", hex: sha256 };
  return git === undefined ? undefined : { kind: "git", hex: git };
}

/** The model as far as the cache has it whole. */
async function cachedModel(
  reference: HubReference,
  revision: string,
  { cache }: HubSettings,
): Promise<CachedModel | undefined> {
  const { repository } = reference;
  const commit = await cachedCommit(cache, repository, revision);
  if (commit === undefined) return undefined;
  const { folder, files } = await cachedFiles(cache, repository, commit);
  const listed = [...files].map(([path, size]) => ({ path, size, ...NO_SUMS }));
  try {
    const chosen = chooseFiles(listed, reference, repository);
    return { cached: chosen.map(({ path }) => `${folder}/${path}`) };
  } catch {
    return undefined; // not there, or not all of its parts
  }
}

const NO_SUMS = { sha256: undefined, gitId: undefined };

async function findUrl(url: URL, parts: FindParts): Promise<ModelSource | CachedModel> {
  const { settings } = parts;
  const urls = partsOf(url);
  const names = urls.map(nameOf);
  const inCache = async () => {
    const found = await Promise.all(
      names.map((name) => (parts.cache ? cachedUrl(settings.urlCache, url, name) : undefined)),
    );
    const paths = found.filter((path) => path !== undefined);
    return paths.length === names.length ? { cached: paths } : undefined;
  };
  if (settings.offline) return (await inCache()) ?? throwOffline(url.host);
  const isHub = url.origin === new URL(settings.endpoint).origin;
  const token = isHub ? settings.token : settings.ownToken;
  const client = new HubClient(clientParts(parts, token, url));
  try {
    const files: SourceFile[] = [];
    // One after the other: the first that is missing ends it.
    for (const [i, each] of urls.entries()) {
      files.push(await urlSource(client, each, names[i] as string));
    }
    return { client, files, origin: { kind: "url", url } };
  } catch (error) {
    const found = isUnreachable(error) ? await inCache() : undefined;
    if (found !== undefined) return found;
    throw error;
  }
}

async function urlSource(client: HubClient, url: URL, name: string): Promise<SourceFile> {
  const first = await probe(client, url);
  const { size, linkedEtag, version } = first;
  const sum = /^[0-9a-f]{64}$/.exec(linkedEtag ?? "")?.[0];
  let fresh: RemoteFile | undefined = first;
  const remote = async () => {
    const known = fresh ?? (await probe(client, url));
    fresh = undefined;
    return known;
  };
  const identity = linkedEtag ?? version;
  return { name, url, size, identity, checksum: checksumOf(sum, undefined), remote };
}

/** All parts of a split model, whichever was named. */
function partsOf(url: URL): URL[] {
  return partNames(url.pathname).map((pathname) => {
    const part = new URL(url);
    part.pathname = pathname;
    return part;
  });
}

/** What a URL's file is called here: nothing that leads out of its folder. */
function nameOf(url: URL): string {
  const last = decoded(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
  if (!last.includes("/") && isSafePath(last)) return /\.gguf$/i.test(last) ? last : `${last}.gguf`;
  return "model.gguf";
}

function clientParts(
  { signal, conduct }: FindParts,
  token: string | undefined,
  at: URL,
): ClientParts {
  return { token, tokenOrigin: at.origin, signal, conduct };
}

function isUnreachable(error: unknown): boolean {
  return CriaError.is(error) && error.details?.unreachable === true;
}

function throwOffline(what: string): never {
  throw failed(
    `The model of ${what} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it: unset it, or fetch the model ` +
      "with `cria pull` first",
    { offline: true },
  );
}
