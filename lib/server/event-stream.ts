import type { ServerResponse } from "node:http";
import { untilAborted } from "../internal/abort.js";
import { type Deferred, deferred } from "../internal/deferred.js";
import { type PacedStream, StreamPacer } from "./stream-pacer.js";

/** What keeps proxies and clients from giving the connection up: a comment, which no client shows. */
const KEEP_ALIVE = ": keep-alive\n\n";

const PACER = new StreamPacer();
const DONE = Promise.resolve();

/**
 * An answer of server-sent events. Its head goes out with the first event, so that what fails before has a
 * status of its own, or with the first comment, where that comes first.
 */
export class EventStream implements PacedStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #drained: Deferred<void> | undefined;
  /** Events that are not written yet. */
  #held = "";
  /** When something was last written. */
  #sent = Number.NEGATIVE_INFINITY;

  /** @param quiet milliseconds without an event after which a comment is sent */
  constructor(response: ServerResponse, signal: AbortSignal, quiet: number) {
    this.#response = response;
    this.#signal = signal;
    this.#timer = setInterval(() => this.#keepAlive(), quiet);
    PACER.enter(this);
    response.once("close", () => this.#leave());
  }

  /** Resolves when the client has room for more: a slow reader holds up its own events alone. */
  send(data: object | string, name?: string): Promise<void> {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    const event = name === undefined ? "" : `event: ${name}\n`;
    this.#held += `${event}data: ${text}\n\n`;
    if (this.#drained === undefined) {
      if (PACER.holds(this, this.#sent)) return DONE;
      this.flush();
    }
    return this.#drained === undefined ? DONE : untilAborted(this.#drained.promise, this.#signal);
  }

  /** Writes what is held. */
  flush(): void {
    const { writableEnded, destroyed } = this.#response;
    if (this.#held === "" || writableEnded || destroyed) return;
    this.#open();
    this.#timer.refresh();
    this.#sent = performance.now();
    const text = this.#held;
    this.#held = "";
    if (!this.#response.write(text)) this.#drain();
  }

  end(): void {
    this.flush();
    this.#leave();
    this.#open();
    this.#response.end();
  }

  #leave(): void {
    clearInterval(this.#timer);
    PACER.leave(this);
    this.#held = "";
  }

  #open(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
  }

  /** One listener, however many choices wait. What is held then goes out with the next event. */
  #drain(): void {
    if (this.#drained !== undefined) return;
    const waiting = deferred<void>();
    this.#drained = waiting;
    this.#response.once("drain", () => {
      this.#drained = undefined;
      this.flush();
      waiting.resolve();
    });
  }

  #keepAlive(): void {
    const { writableEnded, writableNeedDrain, destroyed } = this.#response;
    if (writableEnded || writableNeedDrain || destroyed) return;
    this.#open();
    this.#response.write(KEEP_ALIVE);
  }
}
