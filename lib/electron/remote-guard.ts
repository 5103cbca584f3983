import type { GuardOptions, GuardVerdict } from "../guard/guard-types.js";
import type { GuardConversation, ModerateOptions } from "../guard/llama-guard.js";
import { isPlainObject } from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import { type Connection, splitOptions } from "./connection.js";
import type { WireGuard } from "./port-protocol.js";
import { contextInside, type RemoteContext } from "./remote-context.js";

/** Set by the class, whose members it reads. Undefined for what is none. */
let peek: (guard: unknown) => GuardInside | undefined;

interface GuardInside {
  readonly connection: Connection;
  readonly wire: WireGuard;
}

/** Llama Guard 3 on the other side of a port, as `LlamaGuard`. It fails closed. */
export class RemoteLlamaGuard {
  readonly #context: RemoteContext;
  readonly #options: GuardOptions | undefined;

  static {
    peek = (guard) => {
      if (typeof guard !== "object" || guard === null || !(#context in guard)) return undefined;
      const { connection, id } = contextInside(guard.#context);
      return { connection, wire: { context: id, options: guard.#options } };
    };
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

const GUARD = 'a LlamaGuard of "cria/electron"';

/**
 * A guard, or several by what they judge, as the server is told of them. Anything else is refused here: an instance of
 * another class would cross the port as an empty object, and an empty object means that nobody judges.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
 */
export function wireGuards(guard: unknown, connection: Connection): unknown {
  if (peek(guard) !== undefined) {
    const one = wired(guard, "options.guard", connection);
    return { input: one, output: one };
  }
  if (!isPlainObject(guard))
    throw expected(`${GUARD}, or an object of them`, "options.guard", guard);
  return Object.fromEntries(
    Object.entries(guard).map(([name, one]) => [
      name,
      wired(one, `options.guard.${name}`, connection),
    ]),
  );
}

/** Also one that is `undefined`: elsewhere that is "not given", here a guard that went missing. */
function wired(guard: unknown, name: string, connection: Connection): WireGuard {
  const found = peek(guard);
  if (found === undefined) throw expected(GUARD, name, guard);
  if (found.connection === connection) return found.wire;
  throw invalid(
    `\`${name}\` judges over another connection: make one in a context of the connection that it is for`,
    { name },
  );
}
