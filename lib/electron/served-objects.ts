import type { ChatSession } from "../chat/chat-session.js";
import type { Context } from "../context/context.js";
import { CriaError, disposedError } from "../internal/errors.js";
import type { Model } from "../model/model.js";
import type { ServedCall } from "./served-call.js";

/** What one client may have at a time. */
const MODELS_MAX = 8;
const CONTEXTS_MAX = 32;
const SESSIONS_MAX = 1024;

interface LoadedForClient {
  readonly model: Model;
  /** The server's own: it outlives the client. */
  readonly shared: boolean;
}

/** A session, and the calls of its turns that have not ended, the running one first. */
export interface ServedSession {
  /** Id of its context. */
  readonly context: number;
  readonly turns: ServedCall[];
  session?: ChatSession;
  /** Why there is none. */
  failure?: { readonly error: unknown };
  /** Messages that the client knows and that no turn changes any more. */
  settled?: number;
}

/** What one client has at the server, by the ids of the calls that made it. */
export class ServedObjects {
  readonly #models = new Map<number, LoadedForClient>();
  readonly #contexts = new Map<number, { readonly context: Context; readonly model: number }>();
  readonly #sessions = new Map<number, ServedSession>();
  #loading = 0;
  #creating = 0;
  #closed = false;

  model(id: number): LoadedForClient {
    const found = this.#models.get(id);
    if (found === undefined) throw disposedError("The model");
    return found;
  }

  context(id: number): Context {
    const found = this.#contexts.get(id);
    if (found === undefined) throw disposedError("The context");
    return found.context;
  }

  session(id: number): ServedSession {
    const found = this.#sessions.get(id);
    if (found === undefined) throw disposedError("The session's context");
    return found;
  }

  /** A place for a model that is being loaded, until the returned function is called. */
  reserveModel(): () => void {
    atMost(MODELS_MAX, this.#models.size + this.#loading, "models: dispose of one");
    this.#loading += 1;
    return () => {
      this.#loading -= 1;
    };
  }

  reserveContext(): () => void {
    atMost(CONTEXTS_MAX, this.#contexts.size + this.#creating, "contexts: dispose of one");
    this.#creating += 1;
    return () => {
      this.#creating -= 1;
    };
  }

  /** Whoever cancelled the load in the meantime never hears of the model. */
  async addModel({ id, signal }: ServedCall, loaded: LoadedForClient): Promise<void> {
    if (!this.#closed && !signal.aborted) {
      this.#models.set(id, loaded);
      return;
    }
    if (!loaded.shared) await loaded.model.dispose();
    throw disposedError("The model");
  }

  async addContext({ id, signal, target }: ServedCall, context: Context): Promise<void> {
    if (!this.#closed && !signal.aborted && this.#models.has(target)) {
      this.#contexts.set(id, { context, model: target });
      return;
    }
    await context.dispose();
    throw disposedError("The context");
  }

  addSession(id: number, session: ServedSession): void {
    this.context(session.context);
    atMost(SESSIONS_MAX, this.#sessions.size, "sessions: keep fewer of them");
    this.#sessions.set(id, session);
  }

  releaseSession(id: number): void {
    this.#sessions.delete(id);
  }

  /** A model with its contexts, or a context with its sessions; nothing where the id names neither. */
  async dispose(id: number): Promise<void> {
    const loaded = this.#models.get(id);
    this.#models.delete(id);
    const contexts = [...this.#contexts].filter(
      ([own, { model }]) => own === id || (loaded !== undefined && model === id),
    );
    for (const [own] of contexts) {
      this.#contexts.delete(own);
      for (const [key, { context }] of this.#sessions) {
        if (context === own) this.#sessions.delete(key);
      }
    }
    await Promise.all(contexts.map(([, { context }]) => context.dispose()));
    if (loaded?.shared === false) await loaded.model.dispose();
  }

  /** All of it, when the client is gone. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#models.keys()].map((id) => this.dispose(id)));
  }
}

function atMost(max: number, has: number, what: string): void {
  if (has < max) return;
  throw new CriaError("ERR_QUEUE_FULL", `This connection has ${max} ${what} first`);
}
