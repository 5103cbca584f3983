import { resolve } from "node:path";
import type { Context } from "../context/context.js";
import { untilAborted } from "../internal/abort.js";
import {
  abortSignal,
  boolean,
  filePath,
  guarded,
  hasMembers,
  isArray,
  readOptions,
} from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import { atOnce } from "../internal/steps.js";
import { TurnQueue } from "../internal/turn-queue.js";
import { type ChatMessage, type ChatMessageInput, unpairedSteps } from "../messages/messages.js";
import type { UnpairedMessage } from "../messages/pairing.js";
import { type ChatTurn, RunningTurn } from "./chat-turn.js";
import { fittedPrompt } from "./fitted-prompt.js";
import { readSession, stateFile, writeSession } from "./session-file.js";
import { SessionHistory, shown } from "./session-history.js";
import {
  type ChatSessionOptions,
  type ChatTurnOptions,
  readSessionOptions,
  readTurnOptions,
} from "./session-options.js";
import {
  NO_STATE,
  removeState,
  restoreState,
  type SessionState,
  saveState,
} from "./session-state.js";
import { TokenCounts } from "./token-counts.js";
import { TurnConductor } from "./turn-conductor.js";

/**
 * A conversation with a model: keeps the history, runs the tools that the model calls, and evaluates of
 * each turn only what is new. When the history no longer fits the context, whole oldest turns are left
 * out of the prompt, never the system message and never half an exchange with a tool; `messages` keeps
 * them, and `summarize` may write what the model is told of them. A session holds nothing native: it needs no
 * disposing.
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

  /** What the model is told of the messages that no longer fit; undefined where nothing is. */
  get summary(): string | undefined {
    return this.#history.summary || undefined;
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

  /**
   * Writes the conversation to a file, and beside it, as `PATH.state`, the state of the KV cache, so that a
   * session in another process goes on where this one ends. Each file is there completely or as it was
   * before. What the context has not cached is evaluated for the state. Waits for the turns before it.
   *
   * @example
   * await session.save("chat.json");
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_STATE_INVALID (the file cannot be written), ERR_DISPOSED,
   * ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_QUEUE_FULL; the signal's reason
   */
  async save(path: string, options?: SessionStorageOptions): Promise<SessionState> {
    const file = readPath(path);
    const { state, signal } = readStorage(options);
    const { renderer, generate } = readTurnOptions(this.#options, undefined, this.#context.model);
    return this.#turns.add(async (before) => {
      await untilAborted(before, signal);
      const context = this.#context;
      const history = this.#history;
      await history.ready(signal);
      await writeSession(file, history, context.model);
      if (!state || history.messages.length === 0) {
        await removeState(stateFile(file));
        return NO_STATE;
      }
      const { contextSize } = context;
      const { maxTokens } = generate;
      const whole = { renderer, contextSize, maxTokens, addGenerationPrompt: false };
      const prompt = async () =>
        (await fittedPrompt(history.copy(), { ...whole, summarize: undefined }, signal)).prompt;
      return saveState(context, stateFile(file), prompt, signal);
    });
  }

  /**
   * Goes on with a conversation that `save` wrote, in place of this session's own; tools and all other
   * options stay this session's. The KV cache's state comes along where it is of the same model and a
   * context that can take it; else the messages are evaluated anew, and `stateError` says why. Where it
   * fails, the session is as it was. Waits for the turns before it.
   *
   * @example
   * const session = new ChatSession(context, { tools: [weather] });
   * await session.restore("chat.json");
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_STATE_INVALID (no such file, or none of `save`'s), ERR_DISPOSED,
   * ERR_QUEUE_FULL; the signal's reason
   */
  async restore(path: string, options?: SessionStorageOptions): Promise<SessionState> {
    const file = readPath(path);
    const { state, signal } = readStorage(options);
    return this.#turns.add(async (before) => {
      await untilAborted(before, signal);
      const { sameModel, ...saved } = await readSession(file, this.#context.model, signal);
      const restored =
        state && sameModel && saved.messages.length > 0
          ? await restoreState(this.#context, stateFile(file), signal)
          : NO_STATE;
      this.#history.replace(saved);
      return restored;
    });
  }
}

/** What `save` and `restore` take besides the path. */
export interface SessionStorageOptions {
  /** Whether the state of the KV cache is saved or restored, too. Default true. */
  readonly state?: boolean;
  /** Aborts the call, which rejects with its reason. Default: none. */
  readonly signal?: AbortSignal;
}

const STORAGE = optionNames(["session.save", "session.restore"], ["state", "signal"]);

function readPath(path: string): string {
  return resolve(filePath(path, "path"));
}

function readStorage(options: SessionStorageOptions | undefined) {
  const { state = true, signal } = readOptions(options, "options", STORAGE);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  return {
    state: boolean(state, "options.state"),
    signal: signal ?? new AbortController().signal,
  };
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
    return atOnce(unpairedSteps(messages as readonly ChatMessageInput[], "input", "files"));
  });
}
