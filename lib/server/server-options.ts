import {
  boolean,
  callback,
  filePath,
  integer,
  isPlainObject,
  list,
  MAX_INT32,
  readOptions,
  string,
} from "../internal/checks.js";
import { expected, show } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import type { AllowedOrigins } from "./access-rules.js";
import type { ExchangeLimits } from "./exchange.js";
import { type HostedModelInput, type HostedSettings, readHosted } from "./hosted-options.js";
import type { StorageOptions } from "./storage/server-storage.js";

/** A request that was answered, or whose client went before. */
export interface AnsweredRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Of the answer; 499 where the client went before it was complete. */
  readonly status: number;
  readonly milliseconds: number;
  /** The model's name, where the request came so far. */
  readonly model: string | undefined;
  /** What made the answer an error: a `CriaError`, or whatever was thrown. */
  readonly error: unknown;
}

/** What `createServer` takes. */
export interface ServerOptions {
  /**
   * What requests may name as their `model`. A file is loaded with the first request that names it; a `Model`
   * or a `Context` stays yours, and is not disposed of. A request without a name is for the first one.
   */
  readonly models: Readonly<Record<string, HostedModelInput>>;
  /** One of these has to come with each request, but for `/health`. Default: none, and all may ask. */
  readonly apiKeys?: readonly string[];
  /**
   * Pages of which other origins may use the server, such as "https://example.org"; true: all of them.
   * Default false.
   */
  readonly cors?: AllowedOrigins;
  /** Whether `/` is a page to chat with the models in a browser. It needs no key, what it asks for does. Default true. */
  readonly page?: boolean;
  /** Generations of a model that may wait for their turn, 0…65,536; more are refused with 429. Default 64. */
  readonly queue?: number;
  /** Bytes that a body may have, 1…2^31 - 1; a larger one is refused with 413. Default 16 MiB. */
  readonly maxBody?: number;
  /**
   * A folder for the files and batches of clients, made where it is missing: a server that is started with the
   * same one goes on with its batches. Default: a temporary one, removed when the server closes.
   */
  readonly filesDirectory?: string;
  /** Bytes that one file of a client's may have, 1…2^53 - 1; a larger one is refused with 413. Default 200 MiB. */
  readonly maxFile?: number;
  /** Bytes that all files may have together before more are refused with 413, 1…2^53 - 1. Default 10 GiB. */
  readonly maxStorage?: number;
  /** Milliseconds that an answer may take, its time in the queue included, 1…2^31 - 1. Default 600,000. */
  readonly timeout?: number;
  /** Milliseconds between the comments that keep a quiet stream alive, 1…2^31 - 1. Default 15,000. */
  readonly keepAlive?: number;
  /**
   * Milliseconds without a request after which what the server has loaded and made is given back, until the next
   * one; 0: never. Up to 2^31 - 1. Default 0.
   */
  readonly idle?: number;
  /** Told of each request when it is over. What it throws, or rejects with, is lost. Default: nobody. */
  readonly onRequest?: (request: AnsweredRequest) => unknown;
}

export interface CheckedServerOptions extends ExchangeLimits, StorageOptions {
  readonly models: readonly HostedSettings[];
  readonly apiKeys: readonly string[];
  readonly cors: AllowedOrigins;
  readonly page: boolean;
  readonly queue: number;
  readonly idle: number;
  readonly onRequest: (request: AnsweredRequest) => unknown;
}

const SERVER: readonly (keyof ServerOptions)[] = optionNames("createServer", [
  ...(["models", "apiKeys", "cors", "queue", "maxBody", "timeout"] as const),
  ...(["keepAlive", "idle", "onRequest", "page"] as const),
  ...(["filesDirectory", "maxFile", "maxStorage"] as const),
]);
const QUEUE_MAX = 65_536;

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function readServerOptions(options: ServerOptions | undefined): CheckedServerOptions {
  const o = readOptions(options, "options", SERVER);
  const { apiKeys = [], cors = false, queue = 64, maxBody = 2 ** 24 } = o;
  const { timeout = 600_000, keepAlive = 15_000, idle = 0, onRequest = () => {}, page = true } = o;
  const milliseconds = (value: number, name: string, least = 1) =>
    integer(value, `options.${name}`, least, MAX_INT32);
  const bytes = (value: number, name: string) =>
    integer(value, `options.${name}`, 1, Number.MAX_SAFE_INTEGER);
  return {
    models: readModels(o.models),
    apiKeys: list(apiKeys, "options.apiKeys", "an array of keys", apiKey),
    cors:
      typeof cors === "boolean"
        ? cors
        : list(cors, "options.cors", "a boolean or an array of origins", originOf),
    page: boolean(page, "options.page"),
    queue: integer(queue, "options.queue", 0, QUEUE_MAX),
    maxBody: integer(maxBody, "options.maxBody", 1, MAX_INT32),
    timeout: milliseconds(timeout, "timeout"),
    keepAlive: milliseconds(keepAlive, "keepAlive"),
    idle: milliseconds(idle, "idle", 0),
    filesDirectory:
      o.filesDirectory === undefined
        ? undefined
        : filePath(o.filesDirectory, "options.filesDirectory"),
    maxFile: bytes(o.maxFile ?? 200 * 2 ** 20, "maxFile"),
    maxStorage: bytes(o.maxStorage ?? 10 * 2 ** 30, "maxStorage"),
    onRequest: callback(onRequest, "options.onRequest"),
  };
}

function readModels(models: unknown): HostedSettings[] {
  const name = "options.models";
  if (!isPlainObject(models)) throw expected("an object of models by their names", name, models);
  const named = Object.entries(models);
  if (named.length === 0) throw expected("at least one model", name, models);
  return named.map(([key, model]) => readHosted(key, model, `${name}[${show(key)}]`));
}

function apiKey(value: unknown, name: string): string {
  const key = string(value, name);
  // As a header can carry it.
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw expected("visible ASCII characters without spaces", name, `${key.length} others`);
}

function originOf(value: unknown, name: string): string {
  const origin = string(value, name);
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  throw expected('an origin such as "https://example.org"', name, origin);
}
