import { throwIfAborted, untilAborted } from "../internal/abort.js";
import { abortSignal, callback, isPlainObject } from "../internal/checks.js";
import { type Deferred, deferred } from "../internal/deferred.js";
import { type CriaError, expected, invalid, messageOf } from "../internal/errors.js";
import { closePort, listenTo, type PortLike } from "./message-port.js";
import {
  type ClientMessage,
  type Method,
  PROTOCOL,
  type ProgressNews,
  type ServerMessage,
} from "./port-protocol.js";
import { connectionClosed, fromWire } from "./wire-errors.js";

export type ExecuteRequest = Extract<ServerMessage, { readonly type: "execute" }>;

/** Who waits for a call's end. */
export interface CallReceiver {
  news?(news: unknown): void;
  execute?(request: ExecuteRequest): void;
  result(value: unknown): void;
  /** @param value what the end tells besides the error */
  fail(error: unknown, value?: unknown): void;
}

/** What of a call stays at the client. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with what the server's side of the callback was. What it throws fails the call. */
  readonly onNews?: ((...args: never[]) => unknown) | undefined;
}

/** The client's side of a port: pairs answers with calls. */
export class Connection {
  readonly #port: PortLike;
  readonly #pending = new Map<number, CallReceiver>();
  readonly #closed: Deferred<CriaError> = deferred();
  #lastId = 0;
  #failure: CriaError | undefined;

  constructor(port: PortLike) {
    this.#port = port;
    listenTo(port, {
      message: (data) => this.#receive(data as ServerMessage),
      closed: (why) => this.#end(connectionClosed(why)),
    });
    port.unref?.(); // nothing is pending
    this.#post({ type: "hello", protocol: PROTOCOL });
  }

  /** Resolves with what everything pending was rejected with. */
  get closed(): Promise<CriaError> {
    return this.#closed.promise;
  }

  /** Starts a call and returns its id. The receiver may fail at once. @throws {CriaError} ERR_INVALID_ARGUMENT */
  start(method: Method, target: number, args: readonly unknown[], receiver: CallReceiver): number {
    const id = ++this.#lastId;
    if (this.#failure !== undefined) {
      receiver.fail(this.#failure);
      return id;
    }
    this.#post({ type: "call", id, method, target, args });
    if (this.#pending.size === 0) this.#port.ref?.();
    this.#pending.set(id, receiver);
    return id;
  }

  /** A call with one answer. The signal's abort rejects at once and crosses the port. */
  async request<T>(
    method: Method,
    target: number,
    args: readonly unknown[],
    { signal, onNews }: CallOptions = {},
  ): Promise<T> {
    throwIfAborted(signal);
    const { promise, resolve, reject } = deferred<T>();
    promise.catch(() => {}); // an abort may have come first
    const news = (told: unknown) => {
      if (signal?.aborted) return;
      try {
        onNews?.(...((told as ProgressNews).progress as never[]));
      } catch (error) {
        this.cancel(id);
        reject(error);
      }
    };
    const id = this.start(method, target, args, {
      news,
      result: (value) => resolve(value as T),
      fail: reject,
    });
    return untilAborted(promise, signal, () => this.cancel(id));
  }

  /** Ends a call early. It is told its end all the same. */
  cancel(id: number): void {
    this.#post({ type: "cancel", id });
  }

  release(id: number): void {
    this.#post({ type: "release", id });
  }

  /** Answers a tool's call; a result that cannot be copied is an error. */
  answer({ id, key }: ExecuteRequest, told: { result: unknown } | { error: string }): void {
    try {
      this.#post({ type: "executed", id, key, ...told });
    } catch (error) {
      this.#post({ type: "executed", id, key, error: messageOf(error) });
    }
  }

  close(): void {
    this.#post({ type: "goodbye" });
    this.#end(connectionClosed("The connection was closed"));
  }

  #post(message: ClientMessage): void {
    if (this.#failure !== undefined) return;
    try {
      this.#port.postMessage(message);
    } catch (error) {
      throw invalid(
        `Only plain data can cross a port, and ${messageOf(error)}: leave out functions and instances of classes`,
        undefined,
        error,
      );
    }
  }

  #receive(message: ServerMessage): void {
    if (typeof message !== "object" || message === null) return;
    if (message.type === "goodbye") {
      const { error } = message;
      const why = "The server closed the connection";
      this.#end(error === undefined ? connectionClosed(why) : (fromWire(error) as CriaError));
      return;
    }
    const receiver = this.#pending.get(message.id);
    switch (message.type) {
      case "news":
        this.#post({ type: "ack", id: message.id });
        receiver?.news?.(message.news);
        break;
      case "execute":
        receiver?.execute?.(message);
        break;
      case "result":
        this.#forget(message.id);
        receiver?.result(message.value);
        break;
      case "error":
        this.#forget(message.id);
        receiver?.fail(fromWire(message.error), message.value);
    }
  }

  /** An idle connection does not keep a Node process alive. */
  #forget(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#port.unref?.();
  }

  #end(failure: CriaError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    closePort(this.#port);
    for (const receiver of this.#pending.values()) receiver.fail(failure);
    this.#pending.clear();
    this.#closed.resolve(failure);
  }
}

/** What stays at the client, taken out of the options, and the rest, which crosses the port. */
export function splitOptions<T extends object, const K extends keyof T & string>(
  options: T | undefined,
  local: readonly K[],
): { readonly here: Partial<Pick<T, K>>; readonly there: Omit<T, K> } {
  if (options !== undefined && !isPlainObject(options)) {
    throw expected("a plain object", "options", options);
  }
  const here: Record<string, unknown> = {};
  const there: Record<string, unknown> = { ...options };
  for (const key of local) {
    if (there[key] !== undefined) here[key] = there[key];
    delete there[key];
  }
  if (here.signal !== undefined) abortSignal(here.signal, "options.signal");
  for (const name of ["onProgress", "onUsage"]) {
    // biome-ignore lint/complexity/noBannedTypes: only that it can be called matters here
    if (here[name] !== undefined) callback(here[name] as Function, `options.${name}`);
  }
  return { here: here as Partial<Pick<T, K>>, there: there as Omit<T, K> };
}
