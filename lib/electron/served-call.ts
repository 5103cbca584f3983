import { type Deferred, deferred } from "../internal/deferred.js";
import { CriaError } from "../internal/errors.js";
import type { ToolContext } from "../tools/define-tool.js";
import { hasHoles } from "./array-holes.js";
import { NewsFlow } from "./news-flow.js";
import type { ClientMessage, Method, ServerMessage } from "./port-protocol.js";

type CallMessage = Extract<ClientMessage, { readonly type: "call" }>;
type Executed = Extract<ClientMessage, { readonly type: "executed" }>;

/** A client's call while it runs. */
export class ServedCall {
  readonly id: number;
  readonly method: Method;
  readonly target: number;
  readonly args: readonly unknown[];
  readonly flow: NewsFlow;
  /** What its error tells besides. */
  besides: unknown;
  readonly #post: (message: ServerMessage) => void;
  readonly #stop = new AbortController();
  readonly #executing = new Map<number, Deferred<unknown>>();
  #lastKey = 0;
  #stopBy: (() => void) | undefined;

  constructor({ id, method, target, args }: CallMessage, post: (message: ServerMessage) => void) {
    this.id = id;
    this.method = method;
    this.target = target;
    this.args = args;
    this.#post = post;
    this.flow = new NewsFlow((news) => post({ type: "news", id, news }));
  }

  /** Aborted by the client's `cancel`, and when the client is gone. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  readonly progress = (...values: readonly unknown[]): void => this.flow.progress(...values);

  /** For what has a `cancel()` of its own. */
  stopBy(cancel: () => void): void {
    this.#stopBy = cancel;
    if (this.signal.aborted) cancel();
  }

  cancel(): void {
    this.#stop.abort();
    this.#stopBy?.();
  }

  /** The client is gone: nothing that is waited for will come. */
  abandon(): void {
    this.cancel();
    this.flow.end();
    for (const waiting of this.#executing.values()) waiting.reject(gone());
    this.#executing.clear();
  }

  /** Has the client carry out a tool's call. The turn does not wait for it once it is cancelled. */
  execute(name: string, args: unknown, { callId, signal }: ToolContext): Promise<unknown> {
    if (signal?.aborted) throw gone();
    const key = ++this.#lastKey;
    const waiting = deferred<unknown>();
    this.#executing.set(key, waiting);
    this.#post({ type: "execute", id: this.id, key, name, args, callId });
    return waiting.promise;
  }

  executed({ key, result, error }: Executed): void {
    const waiting = this.#executing.get(key);
    this.#executing.delete(key);
    const problem =
      error ?? (hasHoles(result) ? "The tool's result has an array with holes." : error);
    if (problem === undefined) waiting?.resolve(result);
    else waiting?.reject(new CriaError("ERR_TOOL", problem));
  }
}

function gone(): CriaError {
  return new CriaError("ERR_TOOL", "The call was cancelled.");
}
