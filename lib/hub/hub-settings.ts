import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { filePath, readOptions, string } from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import { checkRevision } from "./model-reference.js";

/** Where a reference leads, and what is said there. */
export interface HubOptions {
  /**
   * Access token of the hub, or of the server of an `https://` reference. It goes to that host alone, also where
   * it redirects to others. Default for the hub: the variable HF_TOKEN, else the file that `hf auth login` wrote
   * (HF_TOKEN_PATH); none with HF_HUB_DISABLE_IMPLICIT_TOKEN=1.
   */
  readonly token?: string;
  /** The hub or a mirror of it. Default: the variable HF_ENDPOINT, else "https://huggingface.co". */
  readonly endpoint?: string;
  /** A branch, a tag or a commit, where the reference names none. Default "main". */
  readonly revision?: string;
}

/** The same, checked, with what the environment says. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** For the endpoint. */
  readonly token: string | undefined;
  /** Given by the caller: it is meant for whatever server the reference names. */
  readonly ownToken: string | undefined;
  readonly revision: string | undefined;
  /** The shared cache of repositories. */
  readonly cache: string;
  /** Where files of other servers are kept. */
  readonly urlCache: string;
  /** Nothing is asked of the network. */
  readonly offline: boolean;
}

export const HUB_OPTIONS: readonly (keyof HubOptions)[] = optionNames(
  ["downloadModel", "inspectGguf"],
  ["token", "endpoint", "revision"],
);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads options that were copied already.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export async function hubSettings(
  options: HubOptions,
  env: Environment = process.env,
): Promise<HubSettings> {
  const { token: own, endpoint, revision } = checkHubOptions(options);
  const home = folder(env.HF_HOME) ?? join(folder(env.XDG_CACHE_HOME) ?? inHome(".cache"), HF);
  const cache = folder(env.HF_HUB_CACHE) ?? folder(env.HUGGINGFACE_HUB_CACHE) ?? join(home, "hub");
  return {
    endpoint: endpoint ?? webAddress(env.HF_ENDPOINT || ENDPOINT, "HF_ENDPOINT"),
    token: own ?? (await implicitToken(env, home)),
    ownToken: own,
    revision,
    cache: resolve(cache),
    urlCache: resolve(home, "cria"),
    offline: isOn(env.HF_HUB_OFFLINE),
  };
}

/**
 * What the caller gives, without the environment.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function checkHubOptions(options: HubOptions): {
  readonly token: string | undefined;
  readonly endpoint: string | undefined;
  readonly revision: string | undefined;
} {
  const { token, endpoint, revision } = readOptions<HubOptions>(options, "options", HUB_OPTIONS);
  return {
    token: token === undefined ? undefined : checkToken(token, "options.token"),
    endpoint: endpoint === undefined ? undefined : webAddress(endpoint, "options.endpoint"),
    revision: revision === undefined ? undefined : checkRevision(revision, "options.revision"),
  };
}

const HF = "huggingface";
const ENDPOINT = "https://huggingface.co";

/** Variables that are set but empty count as not set, as everywhere. */
function folder(value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  return filePath(value.replace(/^~(?=$|[/\\])/, inHome("")), "HF_HOME or HF_HUB_CACHE");
}

function inHome(name: string): string {
  return join(homedir(), name);
}

function isOn(value: string | undefined): boolean {
  return /^(?:1|on|true|yes)$/i.test(value ?? "");
}

/** Without a slash at its end. */
function webAddress(given: unknown, name: string): string {
  const value = string(given, name);
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (url === undefined || !isWeb || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw expected("a URL such as https://huggingface.co", name, value);
  }
  return url.href.replace(/\/+$/, "");
}

/** It becomes a header: what could end one is refused before anything is sent. The value is never shown. */
function checkToken(value: unknown, name: string): string {
  if (typeof value === "string" && /^[\x21-\x7e]{1,4096}$/.test(value)) return value;
  throw invalid(`Expected a token for \`${name}\`, of letters, digits and signs without spaces`, {
    name,
  });
}

async function implicitToken(env: Environment, home: string): Promise<string | undefined> {
  if (isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const named = (env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || "").trim();
  if (named !== "") return checkToken(named, "HF_TOKEN");
  const file = folder(env.HF_TOKEN_PATH) ?? join(home, "token");
  const text = (await readFile(file, "utf8").catch(() => "")).trim();
  return text === "" ? undefined : checkToken(text, "HF_TOKEN_PATH");
}
