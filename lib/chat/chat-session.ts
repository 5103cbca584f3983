import type { Context } from "../context/context.js";
import { guarded, hasMembers, isArray } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { atOnce } from "../internal/steps.js";
import { TurnQueue } from "../internal/turn-queue.js";
import { type ChatMessage, type ChatMessageInput, unpairedSteps } from "../messages/messages.js";
import type { UnpairedMessage } from "../messages/pairing.js";
import { type ChatTurn, RunningTurn } from "./chat-turn.js";
import { SessionHistory, shown } from "./session-history.js";
import {
  type ChatSessionOptions,
  type ChatTurnOptions,
  readSessionOptions,
  readTurnOptions,
} from "./session-options.js";
import { TokenCounts } from "./token-counts.js";
import { TurnConductor } from "./turn-conductor.js";

/**
 * A conversation with a model: keeps the history, runs the tools that the model calls, and evaluates of
 * each turn only what is new. When the history no longer fits the context, whole oldest turns are left
 * out of the prompt, never the system message and never half an exchange with a tool; `messages` keeps
 * them. A session holds nothing native: it needs no disposing.
 *
 * @example
 * const session = new ChatSession(context, { system: "Be brief.", tools: [weather] });
 * for await (const event of session.send("How is the weather in Lima?")) {
 *   if (event.type === "text") process.stdout.write(event.text);
 * }
 */
export class ChatSession {
  readonly #context: Context;
  readonly #options: ChatTurnOptions;
  readonly #history: SessionHistory;
  readonly #turns = new TurnQueue("The session");

  /**
   * A session that generates in this context. Any number of sessions may share one.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED, ERR_SCHEMA_UNSUPPORTED
   */
  constructor(context: Context, options?: ChatSessionOptions) {
    if (!hasMembers(context, { generate: "function", model: "object" })) {
      throw expected("a Context", "context", context);
    }
    const { messages, turn } = readSessionOptions(options);
    readTurnOptions(turn, undefined, context.model);
    this.#context = context;
    this.#options = turn;
    this.#history = new SessionHistory(messages, new TokenCounts(context.model));
  }

  /** The conversation so far, in OpenAI's shapes. */
  get messages(): readonly ChatMessage[] {
    return this.#history.messages.map(shown);
  }

  /**
   * The next turn. Turns of one session run one after the other: a tool must not wait for another turn
   * of its own session. A turn that fails leaves the history as it was; one that is cancelled or aborted
   * leaves what was shown, which is nothing of the turn where no answer had begun.
   *
   * @param input the user's text, or messages: results of tools that the caller carried out, several
   * messages at once
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED, ERR_SCHEMA_UNSUPPORTED, ERR_QUEUE_FULL
   */
  send(
    input: string | ChatMessageInput | readonly ChatMessageInput[],
    options?: ChatTurnOptions,
  ): ChatTurn {
    const checked = readTurnOptions(this.#options, options, this.#context.model);
    const conductor = new TurnConductor(this.#context, this.#history, readInput(input), checked);
    let turn!: RunningTurn;
    this.#turns.add((before) => {
      turn = new RunningTurn((to) => conductor.run(to), before, checked.generate.signal);
      return turn.result();
    });
    return turn;
  }
}

function readInput(
  input: string | ChatMessageInput | readonly ChatMessageInput[],
): UnpairedMessage[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (typeof input !== "object" || input === null) {
    throw expected("a string, a message or an array of messages", "input", input);
  }
  return guarded(input, "input", () => {
    const messages = isArray(input) ? input : [input];
    return atOnce(unpairedSteps(messages as readonly ChatMessageInput[], "input"));
  });
}
