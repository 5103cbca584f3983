import { Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { abortSignal, list, oneOf, readOptions } from "../internal/checks.js";
import { disposedError } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import { AccessRules, answerPreflight } from "./access-rules.js";
import { Exchange } from "./exchange.js";
import { HostedModel, SettingsError } from "./hosted-model.js";
import { errorBody, HttpError } from "./http-errors.js";
import { messageErrorBody } from "./messages/message-errors.js";
import { findPageRoute } from "./page-route.js";
import { responseErrorEvent } from "./responses/response-errors.js";
import { ServedHost } from "./served-host.js";
import { ServerMetrics } from "./server-metrics.js";
import {
  type CheckedServerOptions,
  readServerOptions,
  type ServerOptions,
} from "./server-options.js";
import { findRoute } from "./server-routes.js";

export type { AllowedOrigins } from "./access-rules.js";
export type { HostedModelInput, HostedModelOptions } from "./hosted-options.js";
export { type PageFile, pageFile } from "./page-files.js";
export type { AnsweredRequest, ServerOptions } from "./server-options.js";

/**
 * An HTTP server that answers as OpenAI's API does, with models of this process. It is Node's own `Server`: call
 * `listen` with a port and an address, and mind that without an address it is open to the network. All requests of
 * a model share its batches; a client that goes takes its generation along.
 *
 * `close(callback)` takes no more requests, waits for the answers that are under way, gives back what the server has
 * loaded, and then calls back. `closeAllConnections()` ends the answers at once, and loads and downloads with them.
 *
 * @example
 * const server = createServer({ models: { demo: "models/cria-demo.gguf" } });
 * server.listen(8080, "127.0.0.1");
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function createServer(options: ServerOptions): CriaServer {
  return new ModelServer(readServerOptions(options));
}

/** Node's own server, which can be made ready before it listens. */
export interface CriaServer extends Server {
  /**
   * Loads models, makes their contexts and opens `filesDirectory`, so that the first request is as fast as the
   * others, and what is wrong with them is told now. Without it all that is done when it is first needed.
   *
   * @throws {CriaError} as of `Model.load` and `createContext`; ERR_DISPOSED when it is closed; errors of the file
   * system; the signal's reason
   */
  prepare(options?: PrepareOptions): Promise<void>;
}

/** What `server.prepare` takes. */
export interface PrepareOptions {
  /** Which of the server's models. Default: all. */
  readonly models?: readonly string[];
  /** Gives up. Default: none. */
  readonly signal?: AbortSignal;
}

const PREPARE = optionNames("server.prepare", ["models", "signal"]);

/** Open to all: what looks whether the server lives has no key. */
const PUBLIC = ["/health", "/v1/health"];
const CLIENT_GONE = 499;

class ModelServer extends Server implements CriaServer {
  readonly #options: CheckedServerOptions;
  readonly #host: ServedHost;
  readonly #access: AccessRules;
  /** What is not answered to its end, by connection; nothing, of one that is kept open. */
  readonly #answering = new Map<Socket, Set<ServerResponse>>();
  #closing = false;

  constructor(options: CheckedServerOptions) {
    super();
    this.#options = options;
    // Node's own limit is for whole requests: an upload has as long as an answer.
    this.requestTimeout = Math.max(this.requestTimeout, options.timeout);
    this.#access = new AccessRules(options.apiKeys, options.cors);
    const { queue, idle } = options;
    const models = options.models.map((settings) => new HostedModel({ settings, queue, idle }));
    this.#host = new ServedHost(models, { metrics: new ServerMetrics(), storage: options });
    const { storage } = this.#host;
    // Unfinished batches go on without being asked for. What goes wrong, the next request is told.
    if (storage.lasts) this.once("listening", () => storage.open().catch(() => {}));
    this.on("request", (request, response) => {
      this.#remember(request.socket, response);
      const exchange = new Exchange(request, response, options);
      // A connection that was kept open would hold up the end.
      response.once(
        "close",
        () => this.#closing && setImmediate(() => this.closeIdleConnections()),
      );
      void this.#serve(exchange);
    });
    this.on("checkExpectation", (request, response) =>
      new Exchange(request, response, options).fail(unexpected()),
    );
    this.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      const begun = [...(this.#answering.get(socket) ?? [])].some((one) => one.headersSent);
      refuseMalformed(error, socket, begun);
    });
  }

  #remember(socket: Socket, response: ServerResponse): void {
    const known = this.#answering.get(socket);
    const answers = known ?? new Set<ServerResponse>();
    answers.add(response);
    response.once("close", () => answers.delete(response));
    if (known !== undefined) return;
    this.#answering.set(socket, answers);
    socket.once("close", () => this.#answering.delete(socket));
  }

  /** Node's own takes a connection for idle whose answer is written, but not yet sent. */
  override closeIdleConnections(): void {
    for (const [socket, answers] of this.#answering) if (answers.size === 0) socket.destroy();
  }

  async prepare(options?: PrepareOptions): Promise<void> {
    const { models: hosted, storage } = this.#host;
    const { models = [...hosted.keys()], signal } = readOptions(options, "options", PREPARE);
    if (signal !== undefined) abortSignal(signal, "options.signal");
    const names = list(models, "options.models", "an array of models' names", (value, name) =>
      oneOf(value, name, [...hosted.keys()]),
    );
    this.#assertOpen();
    if (storage.lasts) await storage.open();
    for (const name of names) {
      this.#assertOpen(); // it may have been closed meanwhile
      const never = new AbortController().signal;
      try {
        await hosted.get(name)?.hold(signal ?? never, (weights) => weights.open());
      } catch (error) {
        throw error instanceof SettingsError ? error.cause : error;
      }
    }
  }

  #assertOpen(): void {
    if (this.#closing) throw disposedError("The server");
  }

  override close(callback?: (error?: Error) => void): this {
    this.#closing = true;
    const { storage } = this.#host;
    void storage.stop();
    super.close((error) => {
      const models = [...this.#host.models.values()];
      void storage
        .close()
        .catch(() => {}) // a folder that cannot be removed is left
        .then(() => Promise.all(models.map((model) => model.dispose())))
        .then(() => callback?.(error));
    });
    return this;
  }

  async #serve(exchange: Exchange): Promise<void> {
    const began = performance.now();
    let name = "unknown";
    let error: unknown;
    const { method, path } = exchange;
    if (path.startsWith("/v1/messages")) {
      exchange.errorForm = { body: messageErrorBody, event: "error" };
    } else if (path === "/v1/responses" || path === "/responses") {
      exchange.errorForm = { body: errorBody, event: "error", late: responseErrorEvent };
    }
    try {
      this.#access.checkOrigin(exchange);
      if (method === "OPTIONS") {
        name = "preflight";
        answerPreflight(exchange);
      } else {
        const page = this.#options.page ? findPageRoute(method, path) : undefined;
        if (page === undefined && !PUBLIC.includes(path)) this.#access.checkKey(exchange);
        const found = page ?? findRoute(method, path);
        name = found.name;
        if (this.#closing) throw shuttingDown();
        await found.route(exchange, this.#host);
      }
    } catch (thrown) {
      error = thrown;
      exchange.fail(thrown);
    }
    this.#count(exchange, { name, error, milliseconds: performance.now() - began });
  }

  #count(
    exchange: Exchange,
    { name, error, milliseconds }: { name: string; error: unknown; milliseconds: number },
  ): void {
    const { method, path, model } = exchange;
    const status = exchange.gone ? CLIENT_GONE : exchange.status;
    this.#host.metrics.countRequest(name, status, milliseconds);
    try {
      const told = this.#options.onRequest({ method, path, status, milliseconds, model, error });
      // An async one fails later, which would end the process.
      Promise.resolve(told).catch(() => {});
    } catch {
      // The answer is out: there is nobody to tell.
    }
  }
}

function shuttingDown(): HttpError {
  return new HttpError(503, "shutting_down", "The server is shutting down", {
    headers: { connection: "close" },
  });
}

function unexpected(): HttpError {
  return new HttpError(417, "unknown_expectation", "Of `Expect` only `100-continue` is known", {
    headers: { connection: "close" },
  });
}

/**
 * What is no HTTP.
 *
 * @param begun whether an answer to an earlier request is under way, in the midst of which there is no place for one
 */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket, begun: boolean): void {
  if (error.code === "ECONNRESET" || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  const [status, words] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout"]
        : [400, "Bad Request"];
  const body = JSON.stringify(errorBody(new HttpError(status, "malformed_request", words)));
  socket.end(
    `HTTP/1.1 ${status} ${words}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
