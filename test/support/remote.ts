import { MessageChannel, type MessagePort } from "node:worker_threads";
import { connect, type RemoteEngine } from "../../lib/electron/electron-client.js";
import { type Served, type ServedModels, serve } from "../../lib/electron/electron-server.js";
import type { ServerMessage } from "../../lib/electron/port-protocol.js";
import type { Context, Model } from "../../lib/index.js";
import { MODEL } from "./paths.js";

export interface Connected {
  readonly served: Served;
  readonly engine: RemoteEngine;
  /** The client's end. */
  readonly port: MessagePort;
}

/** A client and its server, on both ends of a channel in this process. */
export function connected(models: ServedModels = { demo: MODEL }): Connected {
  const { port1, port2 } = new MessageChannel();
  return { served: serve(port1, { models }), engine: connect(port2), port: port2 };
}

/** The server's end of a channel, and at the other one what a client of somebody's own sees. */
export class RawClient {
  readonly served: Served;
  readonly port: MessagePort;
  readonly received: ServerMessage[] = [];
  /** Whether news are taken as they come. */
  acks = true;
  /** The other side is gone. */
  readonly closed: Promise<void>;
  readonly #waiting = new Set<(message: ServerMessage) => void>();

  constructor(models: ServedModels, greeting: unknown = { type: "hello", protocol: 1 }) {
    const { port1, port2 } = new MessageChannel();
    this.served = serve(port1, { models });
    this.port = port2;
    port2.on("message", (message: ServerMessage) => {
      this.received.push(message);
      if (this.acks && message.type === "news") this.post({ type: "ack", id: message.id });
      for (const look of this.#waiting) look(message);
    });
    this.closed = new Promise((resolve) => port2.once("close", resolve));
    if (greeting !== null) port2.postMessage(greeting);
  }

  post(...messages: readonly unknown[]): void {
    for (const message of messages) this.port.postMessage(message);
  }

  /** The first message, of those that were there and those that come, that `is` finds. */
  when<T extends ServerMessage>(is: (message: ServerMessage) => message is T): Promise<T>;
  when(is: (message: ServerMessage) => boolean): Promise<ServerMessage>;
  when(is: (message: ServerMessage) => boolean): Promise<ServerMessage> {
    const found = this.received.find(is);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => {
      const look = (message: ServerMessage) => {
        if (!is(message)) return;
        this.#waiting.delete(look);
        resolve(message);
      };
      this.#waiting.add(look);
    });
  }

  /** How a call ended. */
  end(id: number) {
    type End = Extract<ServerMessage, { type: "result" | "error" }>;
    return this.when(
      (message): message is End =>
        (message.type === "result" || message.type === "error") && message.id === id,
    );
  }

  call(id: number, method: string, target: number, ...args: readonly unknown[]) {
    this.post({ type: "call", id, method, target, args });
    return this.end(id);
  }
}

/** A model that tells which contexts were made of it. */
export function watched(model: Model): { readonly model: Model; readonly contexts: Context[] } {
  const contexts: Context[] = [];
  const made = model.createContext.bind(model);
  const watching = Object.create(model, {
    createContext: {
      value: async (...args: Parameters<Model["createContext"]>) => {
        const context = await made(...args);
        contexts.push(context);
        return context;
      },
    },
    tokenizeAsync: { value: model.tokenizeAsync.bind(model) },
  }) as Model;
  return { model: watching, contexts };
}

/** Waits until a context has nothing to do any more: what was cancelled has left the batch. */
export async function idle(context: Context): Promise<void> {
  while (context.stats.activeGenerations + context.stats.queuedGenerations > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
