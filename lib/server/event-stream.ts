import type { ServerResponse } from "node:http";
import { untilAborted } from "../internal/abort.js";
import { type Deferred, deferred } from "../internal/deferred.js";

/** What keeps proxies and clients from giving the connection up: a comment, which no client shows. */
const KEEP_ALIVE = ": keep-alive\n\n";

/**
 * An answer of server-sent events. Its head goes out with the first event, so that what fails before has a
 * status of its own, or with the first comment, where that comes first.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #drained: Deferred<void> | undefined;

  /** @param quiet milliseconds without an event after which a comment is sent */
  constructor(response: ServerResponse, signal: AbortSignal, quiet: number) {
    this.#response = response;
    this.#signal = signal;
    this.#timer = setInterval(() => this.#keepAlive(), quiet);
    response.once("close", () => clearInterval(this.#timer));
  }

  /** Resolves when the client has room for more: a slow reader holds up its own events alone. */
  async send(data: object | string, name?: string): Promise<void> {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    this.#open();
    this.#timer.refresh();
    const event = name === undefined ? "" : `event: ${name}\n`;
    if (this.#response.write(`${event}data: ${text}\n\n`)) return;
    await untilAborted(this.#drain(), this.#signal);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#open();
    this.#response.end();
  }

  #open(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
  }

  /** One listener, however many choices wait. */
  #drain(): Promise<void> {
    if (this.#drained === undefined) {
      const waiting = deferred<void>();
      this.#drained = waiting;
      this.#response.once("drain", () => {
        this.#drained = undefined;
        waiting.resolve();
      });
    }
    return this.#drained.promise;
  }

  #keepAlive(): void {
    const { writableEnded, writableNeedDrain, destroyed } = this.#response;
    if (writableEnded || writableNeedDrain || destroyed) return;
    this.#open();
    this.#response.write(KEEP_ALIVE);
  }
}
