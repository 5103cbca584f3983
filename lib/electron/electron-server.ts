import { asyncDispose } from "../internal/async-dispose.js";
import { readOptions } from "../internal/checks.js";
import { deferred } from "../internal/deferred.js";
import { CriaError, invalid } from "../internal/errors.js";
import { hasHoles } from "./array-holes.js";
import { readClientMessage } from "./client-message.js";
import { checkPort, closePort, listenTo, type PortLike } from "./message-port.js";
import { type ClientMessage, PROTOCOL, type ServerMessage } from "./port-protocol.js";
import { ServedCall } from "./served-call.js";
import { CALLS } from "./served-calls.js";
import { type FindModel, readServedModels, type ServedModels } from "./served-models.js";
import { ServedObjects } from "./served-objects.js";
import { toWire, type WireError } from "./wire-errors.js";

export type { PortLike } from "./message-port.js";
export type { ServedModel, ServedModels } from "./served-models.js";

/** What `serve` takes besides the port. */
export interface ServeOptions {
  /** What the client's `Model.load` may load: nothing else can be. */
  readonly models: ServedModels;
}

/** A client that is served. */
export interface Served extends AsyncDisposable {
  /** Resolves when the client is gone and all that it had is freed. Never rejects. */
  readonly closed: Promise<void>;
  /** Ends the connection: as if the client had gone. */
  close(): Promise<void>;
}

/**
 * Lets the client behind a port use models of this process, in Electron a utility process. Call it once for each
 * port; a client that goes, by whatever way, takes its generations, contexts and models along. Nothing that comes
 * over the port is trusted.
 *
 * @example
 * process.parentPort.on("message", ({ ports: [port] }) => {
 *   serve(port, { models: { assistant: "/models/llama-3.2-3b.gguf" } });
 * });
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function serve(port: PortLike, options: ServeOptions): Served {
  const { models } = readOptions(options, "options", ["models"]);
  const client = new ServedClient(checkPort(port), readServedModels(models));
  return {
    closed: client.closed,
    close: () => client.close(),
    [asyncDispose]: () => client.close(),
  };
}

/** Calls of one client that have not ended: more than anybody can mean is a mistake, or an attack. */
const CALLS_MAX = 1024;

/** One client: reads its messages, runs its calls, and cleans up behind it. */
class ServedClient {
  readonly #port: PortLike;
  readonly #find: FindModel;
  readonly #objects = new ServedObjects();
  readonly #calls = new Map<number, ServedCall>();
  /** What runs for calls, until it has cleaned up behind itself. Never rejects. */
  readonly #running = new Set<Promise<void>>();
  readonly #closed = deferred<void>();
  #greeted = false;
  #lastId = 0;
  #over = false;

  constructor(port: PortLike, find: FindModel) {
    this.#port = port;
    this.#find = find;
    listenTo(port, {
      message: (data) => this.#receive(data),
      closed: () => void this.close(),
    });
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  close(error?: CriaError): Promise<void> {
    if (this.#over) return this.closed;
    this.#post({ type: "goodbye", ...(error && { error: toWire(error) }) });
    this.#over = true;
    closePort(this.#port);
    for (const call of this.#calls.values()) call.abandon();
    void this.#free();
    return this.closed;
  }

  /** Loads that were aborted and contexts that were being made are freed by those who made them. */
  async #free(): Promise<void> {
    try {
      await this.#objects.close();
    } finally {
      await Promise.all(this.#running);
      this.#closed.resolve();
    }
  }

  #receive(data: unknown): void {
    const message = readClientMessage(data);
    if (message === undefined || this.#greeted === (message.type === "hello")) {
      void this.close(invalid("Expected a message of cria/electron's protocol over the port"));
    } else {
      this.#take(message);
    }
  }

  #take(message: ClientMessage): void {
    switch (message.type) {
      case "hello":
        this.#greeted = true;
        if (message.protocol !== PROTOCOL) void this.close(otherProtocol(message.protocol));
        break;
      case "call":
        this.#start(message);
        break;
      case "ack":
        this.#calls.get(message.id)?.flow.ack();
        break;
      case "cancel":
        this.#cancel(message.id);
        break;
      case "release":
        this.#objects.releaseSession(message.id);
        break;
      case "executed":
        this.#calls.get(message.id)?.executed(message);
        break;
      case "goodbye":
        void this.close();
    }
  }

  #start(message: Extract<ClientMessage, { readonly type: "call" }>): void {
    const running = this.#run(message);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #run(message: Extract<ClientMessage, { readonly type: "call" }>): Promise<void> {
    const { id } = message;
    if (id <= this.#lastId) {
      void this.close(invalid("Expected each call to have a greater id than the one before it"));
      return;
    }
    this.#lastId = id;
    // What ends others' calls must not wait for them.
    if (this.#calls.size >= CALLS_MAX && message.method !== "dispose") {
      this.#post({ type: "error", id, error: toWire(tooMany()) });
      return;
    }
    const call = new ServedCall(message, (told) => this.#post(told));
    this.#calls.set(id, call);
    try {
      if (hasHoles(call.args)) throw invalid("Expected arrays without holes in a call's arguments");
      const value = await CALLS[message.method](call, this.#objects, this.#find);
      this.#end(call, { type: "result", id, value });
    } catch (error) {
      this.#end(call, { type: "error", id, ...failureOf(error, call) });
    }
  }

  #end(call: ServedCall, message: ServerMessage): void {
    call.flow.end();
    this.#calls.delete(call.id);
    this.#post(message);
  }

  /** One that has ended was cancelled before the client knew: what it made is nobody's. */
  #cancel(id: number): void {
    const call = this.#calls.get(id);
    if (call !== undefined) call.cancel();
    else void this.#objects.dispose(id);
  }

  #post(message: ServerMessage): void {
    if (this.#over) return;
    try {
      this.#port.postMessage(message);
    } catch (error) {
      this.#over = message.type === "goodbye";
      void this.close(invalid("An answer could not be sent", undefined, error));
    }
  }
}

function failureOf(error: unknown, { besides }: ServedCall): { error: WireError; value?: unknown } {
  return { error: toWire(error), ...(besides !== undefined && { value: besides }) };
}

function tooMany(): CriaError {
  const message = `This connection has ${CALLS_MAX} calls that are not answered yet: wait for some of them`;
  return new CriaError("ERR_QUEUE_FULL", message);
}

function otherProtocol(theirs: number): CriaError {
  return new CriaError(
    "ERR_UNSUPPORTED",
    `The page speaks protocol ${theirs} of cria/electron and the engine's process ${PROTOCOL}: use one version ` +
      "of cria on both sides",
  );
}
