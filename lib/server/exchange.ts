import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { abortReason, untilAborted } from "../internal/abort.js";
import { isPlainObject } from "../internal/checks.js";
import { EventStream } from "./event-stream.js";
import { errorBody, type FieldOf, HttpError, toHttpError } from "./http-errors.js";

export interface ExchangeLimits {
  /** Bytes of a body. */
  readonly maxBody: number;
  /** Milliseconds for an answer. */
  readonly timeout: number;
  /** Milliseconds between comments in a stream. */
  readonly keepAlive: number;
}

/** How a client is told of errors. */
export interface ErrorForm {
  readonly body: (error: HttpError) => object;
  /** What the event of one is called in a stream that has begun. Default: it has no name. */
  readonly event?: string;
  /** What is in that event. Default: the body. */
  readonly late?: (error: HttpError) => object;
}

/** Nobody is there any more to be answered. */
class ClientGone extends Error {
  constructor() {
    super("The client is gone");
  }
}

/** How long what is left of a refused body is read, and an answer sent, so that the client gets to see it. */
const LINGER_MS = 1000;

/** One request and its answer. */
export class Exchange {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #limits: ExchangeLimits;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout;
  #events: EventStream | undefined;
  /** The model that answers, once it is known. */
  model: string | undefined;
  /** The shape of errors. */
  errorForm: ErrorForm = { body: errorBody };
  /** What the options of the library are called in the body. */
  fieldOf: FieldOf = () => undefined;
  /** An error as the body's own kind of messages has it. */
  inOwnWords: (error: unknown) => unknown = (error) => error;

  constructor(request: IncomingMessage, response: ServerResponse, limits: ExchangeLimits) {
    this.request = request;
    this.#response = response;
    this.#limits = limits;
    this.method = request.method ?? "GET";
    this.path = (request.url ?? "/").split("?", 1)[0] as string;
    response.once("close", () => {
      clearTimeout(this.#timer);
      if (!response.writableFinished) this.#stop.abort(new ClientGone());
    });
    response.on("error", () => {}); // its "close" tells enough
    request.on("error", () => {});
    if (response.socket === null) closeWithConnection(request.socket, response);
    this.#timer = setTimeout(() => {
      this.#stop.abort(tooLate(limits.timeout));
      this.#letGo();
    }, limits.timeout);
  }

  /** All is said, and the client does not read it: nobody else would let go of the connection. */
  #letGo(): void {
    const { writableEnded, writableFinished } = this.#response;
    if (writableFinished) return;
    if (writableEnded) this.#response.destroy();
    // What the timeout ends has an answer, too, which gets its time.
    else this.#timer = setTimeout(() => this.#letGo(), LINGER_MS);
  }

  /** Whether it came by an address that only this machine has. */
  get fromLoopback(): boolean {
    const { localAddress = "" } = this.request.socket;
    return /^(::ffff:)?127\.|^::1$/.test(localAddress);
  }

  /** Aborts when the client goes, or when the answer takes too long. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get status(): number {
    return this.#response.statusCode;
  }

  /** What stands behind the question mark. */
  get query(): URLSearchParams {
    return new URLSearchParams((this.request.url ?? "").split("?").slice(1).join("?"));
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  setHeaders(headers: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value);
  }

  /** @throws {HttpError} 400, 413, 415 */
  async json(): Promise<Record<string, unknown>> {
    const text = await this.#body();
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new HttpError(400, "invalid_json", `The body is not JSON: ${(error as Error).message}`);
    }
    if (!isPlainObject(value)) throw new HttpError(400, "invalid_json", "Expected a JSON object");
    if (isTooDeep(text)) {
      throw new HttpError(
        400,
        "invalid_json",
        `The body is nested deeper than ${DEPTH_MAX} levels`,
      );
    }
    return value;
  }

  async #body(): Promise<string> {
    const { maxBody } = this.#limits;
    const coding = this.header("content-encoding") ?? "identity";
    if (coding !== "identity") {
      throw new HttpError(
        415,
        "unsupported_media_type",
        "Send the body without a content encoding",
      );
    }
    const told = Number(this.header("content-length") ?? 0);
    if (told > maxBody) throw tooLarge(maxBody);
    const bytes = await untilAborted(readBody(this.request, maxBody), this.signal);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new HttpError(400, "invalid_json", "The body is not UTF-8");
    }
  }

  sendJson(body: object, status = 200): void {
    this.sendText(JSON.stringify(body), "application/json; charset=utf-8", status);
  }

  sendText(text: string, type: string, status = 200): void {
    if (this.#response.headersSent || this.#response.destroyed) return;
    const bytes = Buffer.from(text);
    this.#response.writeHead(status, { "content-type": type, "content-length": bytes.length });
    this.#response.end(this.method === "HEAD" ? undefined : bytes);
  }

  /** Resolves when the client has all of it. What is read is closed, whatever happens. */
  async sendStream(
    source: Readable,
    headers: Readonly<Record<string, string | number>>,
  ): Promise<void> {
    this.#response.writeHead(200, headers);
    if (this.method === "HEAD") {
      source.destroy();
      this.#response.end();
      return;
    }
    await pipeline(source, this.#response, { signal: this.signal });
  }

  sendNothing(status: number): void {
    this.#response.writeHead(status);
    this.#response.end();
  }

  events(): EventStream {
    this.#events ??= new EventStream(this.#response, this.signal, this.#limits.keepAlive);
    return this.#events;
  }

  /** Whether the client went before the answer was complete. */
  get gone(): boolean {
    return this.signal.aborted && abortReason(this.signal) instanceof ClientGone;
  }

  /** Tells the client, if it is still there, in whichever form the answer has begun. */
  fail(error: unknown): void {
    const cause = this.signal.aborted ? abortReason(this.signal) : error;
    if (cause instanceof ClientGone || this.#response.destroyed) return;
    const told = toHttpError(this.inOwnWords(cause), this.fieldOf);
    if (this.#response.headersSent) this.#failLate(told);
    else this.#failFirst(told);
  }

  get #hasBodyLeft(): boolean {
    const { headers, complete } = this.request;
    const has = headers["transfer-encoding"] ?? headers["content-length"] ?? "0";
    return !complete && has !== "0";
  }

  #failFirst(error: HttpError): void {
    this.setHeaders(error.headers);
    this.#events = undefined;
    if (this.#hasBodyLeft) {
      this.setHeaders({ connection: "close" });
      this.request.resume();
      const timer = setTimeout(() => this.request.destroy(), LINGER_MS);
      this.request.once("close", () => clearTimeout(timer));
    }
    this.sendJson(this.errorForm.body(error), error.status);
  }

  /** The status is out: the error is an event of its own, which OpenAI's clients throw. */
  #failLate(error: HttpError): void {
    if (this.#response.writableEnded) return;
    this.#events?.flush();
    // A client that reads nothing would never make room for it.
    if (this.#response.writableNeedDrain) this.#response.destroy();
    else {
      const { body, event, late = body } = this.errorForm;
      const name = event === undefined ? "" : `event: ${event}\n`;
      this.#response.end(`${name}data: ${JSON.stringify(late(error))}\n\n`);
    }
  }
}

/** A response that waits behind others of its connection is told nothing by Node when the client goes. */
function closeWithConnection(socket: Socket, response: ServerResponse): void {
  const lost = () => response.destroy().emit("close");
  socket.setMaxListeners(0); // as many as the client sends ahead
  socket.once("close", lost);
  response.once("socket", () => socket.off("close", lost));
}

/** Not by iterating, which would end the connection together with the loop. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const take = (piece: Buffer) => {
      length += piece.length;
      pieces.push(piece);
      if (length <= limit) return;
      request.off("data", take);
      reject(tooLarge(limit));
    };
    request.on("data", take);
    const gone = () => reject(new ClientGone());
    request.once("end", () => {
      request.off("close", gone);
      resolve(Buffer.concat(pieces));
    });
    request.once("close", gone);
  });
}

/** Deeper, a walk over the value might leave the stack. */
const DEPTH_MAX = 256;

function isTooDeep(json: string): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '"') {
      for (at += 1; json[at] !== '"'; at++) if (json[at] === "\\") at += 1;
    } else if (character === "{" || character === "[") {
      depth += 1;
      if (depth > DEPTH_MAX) return true;
    } else if (character === "}" || character === "]") {
      depth -= 1;
    }
  }
  return false;
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, "body_too_large", `The body is larger than ${limit} bytes`);
}

function tooLate(limit: number): HttpError {
  return new HttpError(504, "timeout", `The answer took longer than ${limit / 1000} seconds`);
}
