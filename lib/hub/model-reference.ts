import { isWellFormed } from "../internal/checks.js";
import { CriaError, expected, invalid, show } from "../internal/errors.js";

/** What a model is asked for by. */
export type ModelReference = HubReference | UrlReference | PathReference;

/** A file or a quantisation in a repository of a hub. */
export interface HubReference {
  readonly kind: "hub";
  /** "user/repo". */
  readonly repository: string;
  /** A branch, a tag or a commit, or undefined for the default. */
  readonly revision: string | undefined;
  /** The file's path in the repository, or undefined where it is chosen. */
  readonly file: string | undefined;
  /** A quantisation such as "Q4_K_M", in the spelling that was given. */
  readonly tag: string | undefined;
}

export interface UrlReference {
  readonly kind: "url";
  readonly url: URL;
}

export interface PathReference {
  readonly kind: "path";
  readonly path: string;
}

const FORMS =
  '"hf:user/repo:Q4_K_M", "hf:user/repo/file.gguf", a URL (https://…/file.gguf) or the path of a file';
/** More than any real name or URL has. */
const LENGTH_MAX = 4096;
const OWNER = /^[A-Za-z0-9][\w.-]{0,95}$/;

/**
 * Whether it names something elsewhere. A file of that name would have to be given as "./hf:…".
 */
export function isReference(value: unknown): boolean {
  return typeof value === "string" && /^(?:hf:|https?:\/\/)/i.test(value);
}

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function readReference(value: unknown, name: string): ModelReference {
  if (typeof value !== "string" || value === "" || value.includes("\0") || !isWellFormed(value)) {
    throw expected(FORMS, name, value);
  }
  if (!isReference(value)) return { kind: "path", path: value };
  if (value.length > LENGTH_MAX) throw expected(FORMS, name, value);
  return /^hf:/i.test(value) ? hubReference(value, name) : urlReference(value, name);
}

function hubReference(value: string, name: string): HubReference {
  const [owner = "", rest = "", ...path] = value.slice("hf:".length).split("/");
  // Behind the repository's own name: its revision, then a tag or a path.
  const [, repo = "", revision, tag] = /^([^:@]*)(?:@([^:]*))?(?::(.*))?$/s.exec(rest) ?? [];
  if (!isName(owner) || !isName(repo)) throw expected(FORMS, name, value);
  if (tag !== undefined && (path.length > 0 || !/^[\w.-]{1,64}$/.test(tag))) {
    throw expected(`${FORMS}; a quantisation has letters, digits, "_", "-" and "."`, name, value);
  }
  if (revision !== undefined) checkRevision(revision, name);
  if (path.length > 0) checkRepositoryPath(path.join("/"), name);
  if (path.length > 0 && !/\.gguf$/i.test(path.at(-1) as string)) {
    throw expected(`${FORMS}; the file's name ends in .gguf`, name, value);
  }
  return {
    kind: "hub",
    repository: `${owner}/${repo}`,
    ...{ revision, tag, file: path.length > 0 ? path.join("/") : undefined },
  };
}

function urlReference(value: string, name: string): UrlReference {
  if (!URL.canParse(value)) throw expected("a URL that can be read", name, value);
  const url = new URL(value);
  if (url.username !== "" || url.password !== "") {
    throw invalid(
      `Expected a URL without a password for \`${name}\`: give a token as the option \`token\``,
      { name },
    );
  }
  url.hash = "";
  return { kind: "url", url };
}

function isName(text: string): boolean {
  return OWNER.test(text) && !text.includes("..") && !text.includes("--") && !text.endsWith(".");
}

/**
 * A branch, a tag or a commit. It becomes part of URLs and of file names.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function checkRevision(value: unknown, name: string): string {
  const isOne = typeof value === "string" && /^[\w.-]+(?:\/[\w.-]+)*$/.test(value);
  if (isOne && value.length <= 255 && value.split("/").every((part) => !isDots(part))) return value;
  throw expected('a revision such as "main", "v1.0" or a commit', name, value);
}

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
function checkRepositoryPath(path: string, name: string): void {
  if (!isSafePath(path)) {
    throw expected(`a file's path inside the repository, without ".."`, name, path);
  }
}

/** What a server calls a file may not lead out of the folder that it is put into. */
export function safePath(path: string): string {
  if (isSafePath(path)) return path;
  throw new CriaError(
    "ERR_DOWNLOAD_FAILED",
    `The server lists a file whose name leads elsewhere: ${show(path)}. Nothing was written`,
    { details: { path } },
  );
}

/** Also of Windows, where a colon names a stream and a few names are devices. */
export function isSafePath(path: string): boolean {
  return (
    path.length <= 1024 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    !/[\\:*?"<>|\u0000-\u001f\u007f]/.test(path) &&
    path.split("/").every(isSafeName)
  );
}

function isSafeName(part: string): boolean {
  if (part === "" || isDots(part) || part.length > 255 || /[. ]$/.test(part)) return false;
  return !/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(part);
}

function isDots(part: string): boolean {
  return /^\.+$/.test(part);
}
