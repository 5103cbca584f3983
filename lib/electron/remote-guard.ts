import type { GuardOptions, GuardVerdict } from "../guard/guard-types.js";
import type { GuardConversation, ModerateOptions } from "../guard/llama-guard.js";
import { splitOptions } from "./connection.js";
import type { WireGuard } from "./port-protocol.js";
import { contextInside, type RemoteContext } from "./remote-context.js";

/** Set by the class, whose members it reads. Undefined for what is none. */
let peek: (guard: unknown) => WireGuard | undefined;

/** Llama Guard 3 on the other side of a port, as `LlamaGuard`. It fails closed. */
export class RemoteLlamaGuard {
  readonly #context: RemoteContext;
  readonly #options: GuardOptions | undefined;

  static {
    peek = (guard) =>
      typeof guard === "object" && guard !== null && #context in guard
        ? { context: contextInside(guard.#context).id, options: guard.#options }
        : undefined;
  }

  /**
   * A guard that judges in this context. The options are checked with the first judgement.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  constructor(context: RemoteContext, options?: GuardOptions) {
    contextInside(context);
    this.#context = context;
    this.#options = options;
  }

  /**
   * Judges the last message of a conversation, as `LlamaGuard.moderate`.
   *
   * @throws {CriaError} as `LlamaGuard.moderate`; ERR_CONNECTION_CLOSED
   */
  async moderate(
    conversation: GuardConversation,
    options?: ModerateOptions,
  ): Promise<GuardVerdict> {
    const { connection, id } = contextInside(this.#context);
    const { here, there } = splitOptions(options, ["signal", "onUsage"]);
    const args = [conversation, there, this.#options, here.onUsage !== undefined];
    return connection.request("moderate", id, args, { signal: here.signal, onNews: here.onUsage });
  }
}

/** A guard, or several by what they judge, as the server is told of them. What is none stays, to be refused there. */
export function wireGuards(guard: unknown): unknown {
  const one = peek(guard);
  if (one !== undefined) return { input: one, output: one };
  if (typeof guard !== "object" || guard === null) return guard;
  return Object.fromEntries(
    Object.entries(guard).map(([name, value]) => [name, peek(value) ?? value]),
  );
}
