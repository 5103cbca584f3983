import { type ChatTurn, type ChatTurnResult, RunningTurn } from "../chat/chat-turn.js";
import { watchSignal } from "../internal/abort.js";
import { deferred } from "../internal/deferred.js";
import type { ChatMessage, ChatMessageInput } from "../messages/messages.js";
import type { ToolDefinitionInput } from "../messages/tool-types.js";
import { hasHoles } from "./array-holes.js";
import { type CallReceiver, type Connection, splitOptions } from "./connection.js";
import type { HistoryChange, ProgressNews } from "./port-protocol.js";
import type { RemoteChatSessionOptions, RemoteChatTurnOptions } from "./remote-chat-options.js";
import { contextInside, type RemoteContext } from "./remote-context.js";
import { wireGuards } from "./remote-guard.js";
import { carryOutHere, type RemoteTool, wireTools } from "./remote-tools.js";

/** What of a turn's options stays on this side. */
interface HereOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (evaluated: number, total: number) => void;
  readonly tools?: readonly (RemoteTool | ToolDefinitionInput)[];
}

/** Sessions hold nothing that has to be disposed: the server's part goes when nobody refers to this one. */
const dropped = new FinalizationRegistry<() => void>((release) => release());

/**
 * A conversation with a model on the other side of a port, as `ChatSession`: the history is kept there, with
 * what is cached of it, and a copy here; tools are carried out here.
 *
 * @example
 * const session = new ChatSession(context, { system: "Be brief.", tools: [weather] });
 * for await (const event of session.send("How is the weather in Lima?")) {
 *   if (event.type === "text") answer.textContent += event.text;
 * }
 */
export class RemoteChatSession {
  readonly #connection: Connection;
  readonly #id: number;
  readonly #here: HereOptions;
  readonly #history: { messages: readonly ChatMessage[] } = { messages: [] };

  /**
   * A session that generates in this context. Its options are checked by the server, and what is wrong with
   * them rejects the turns.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT for what cannot cross a port, ERR_DISPOSED
   */
  constructor(context: RemoteContext, options?: RemoteChatSessionOptions) {
    const { connection, id } = contextInside(context);
    const { here, there } = split(options, connection);
    const history = this.#history;
    this.#connection = connection;
    this.#here = here;
    const given = (there as { readonly messages?: unknown }).messages;
    if (Array.isArray(given) && !hasHoles(given)) history.messages = [...given];
    this.#id = connection.start("openSession", id, [there], {
      result: (value) => change(history, value),
      fail: () => {}, // every turn is told
    });
    const session = this.#id;
    dropped.register(this, () => connection.release(session));
  }

  /**
   * The conversation so far, in OpenAI's shapes: as it was when the last turn ended. Until the server has read the
   * messages that were given, these as they are.
   */
  get messages(): readonly ChatMessage[] {
    return this.#history.messages;
  }

  /**
   * The next turn, as `ChatSession.send`. Turns of one session run one after the other.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT for what cannot cross a port; all else rejects the turn
   */
  send(
    input: string | ChatMessageInput | readonly ChatMessageInput[],
    options?: RemoteChatTurnOptions,
  ): ChatTurn {
    const connection = this.#connection;
    const { here, there } = split(options, connection);
    const { signal, onProgress, tools = [] } = { ...this.#here, ...here };
    const { promise, resolve, reject } = deferred<ChatTurnResult>();
    let thrown: { readonly error: unknown } | undefined;
    let turn!: RunningTurn;
    const receiver: CallReceiver = {
      news: (told) => {
        const { progress } = told as Partial<ProgressNews>;
        if (progress === undefined) return turn.tell(told as Parameters<typeof turn.tell>[0]);
        if (turn.stop.aborted) return;
        try {
          onProgress?.(...(progress as [number, number]));
        } catch (error) {
          thrown ??= { error };
          connection.cancel(id);
        }
      },
      execute: (request) => {
        void carryOutHere(request, tools, { connection, signal: turn.stop });
      },
      result: (value) => {
        const { result, history } = value as { result: ChatTurnResult; history: HistoryChange };
        change(this.#history, history);
        resolve(result);
      },
      fail: (error, value) => {
        if (value !== undefined) change(this.#history, value);
        reject(error);
      },
    };
    // At once, so that turns reach the server in the order of these calls.
    const args = [input, there, onProgress !== undefined];
    const id = signal?.aborted ? 0 : connection.start("send", this.#id, args, receiver);
    promise.catch(() => {}); // the turn tells it
    const conduct = async (): Promise<ChatTurnResult> => {
      if (id === 0) turn.throwIfAborted();
      const result = await promise;
      turn.throwIfAborted();
      if (thrown !== undefined) throw thrown.error;
      return result;
    };
    turn = new RunningTurn(conduct, Promise.resolve(), signal);
    const unwatch = watchSignal(turn.stop, () => connection.cancel(id));
    promise.then(unwatch, unwatch);
    return turn;
  }
}

function split(options: RemoteChatTurnOptions | undefined, connection: Connection) {
  const { here, there } = splitOptions(options, ["signal", "onProgress", "tools"]);
  const { guard, ...rest } = there;
  const wired = {
    ...rest,
    ...(guard !== undefined && { guard: wireGuards(guard, connection) }),
    ...(here.tools !== undefined && { tools: wireTools(here.tools) }),
  };
  return { here: here as HereOptions, there: wired };
}

function change(history: { messages: readonly ChatMessage[] }, value: unknown): void {
  const { from, messages } = value as HistoryChange;
  history.messages = [...history.messages.slice(0, from), ...(messages as ChatMessage[])];
}
