import { renderChat } from "../chat/render.js";
import { ChatSession } from "../chat/session.js";
import type { ChatTurnOptions } from "../chat/session-options.js";
import type { ChatTurn } from "../chat/turn.js";
import type { Context } from "../context.js";
import { CriaError } from "../errors.js";
import type { GenerateOptions } from "../generation.js";
import type { LlamaGuard } from "../guard/llama-guard.js";
import type { ChatMessageInput } from "../messages/messages.js";
import type { Tool } from "../tools/define.js";
import { readConversation, writeConversation } from "./chat-file.js";

export interface ConversationOptions {
  readonly generate: GenerateOptions;
  readonly tools: readonly Tool[];
  readonly system: string | undefined;
  /** Judges what goes in and comes out. */
  readonly guard?: LlamaGuard | undefined;
}

/** What `cria chat` keeps from line to line: the session, which a reset or a load replaces. */
export class Conversation {
  readonly tools: readonly Tool[];
  readonly #context: Context;
  readonly #options: ChatTurnOptions;
  readonly #opening: readonly ChatMessageInput[];
  #session: ChatSession;

  /** Refuses at once a model that cannot chat like this, before anybody waits for an answer. */
  constructor(context: Context, options: ConversationOptions) {
    const { generate, tools, system, guard } = options;
    this.tools = tools;
    this.#context = context;
    this.#options = { ...generate, ...(guard && { guard }) };
    this.#opening = system === undefined ? [] : [{ role: "system", content: system }];
    this.#session = this.#open(this.#opening);
  }

  send(text: string, onProgress: NonNullable<GenerateOptions["onProgress"]>): ChatTurn {
    return this.#session.send(text, { onProgress });
  }

  reset(): void {
    this.#session = this.#open(this.#opening);
  }

  /** Returns how many messages there are. */
  async save(file: string): Promise<number> {
    const { messages } = this.#session;
    await writeConversation(file, messages);
    return messages.length;
  }

  /** A file that is refused leaves the conversation as it is. */
  async load(file: string): Promise<number> {
    const messages = await readConversation(file);
    try {
      this.#session = this.#open(messages);
    } catch (error) {
      if (!CriaError.is(error)) throw error;
      throw new CriaError(
        error.code,
        `${file} is no conversation for this model: ${error.message}`,
        {
          cause: error,
        },
      );
    }
    return messages.length;
  }

  #open(messages: readonly ChatMessageInput[]): ChatSession {
    const { tools } = this;
    const { model } = this.#context;
    renderChat([...messages, { role: "user", content: "Hello" }], {
      model,
      tools: tools.map((tool) => tool.definition),
    });
    return new ChatSession(this.#context, { ...this.#options, tools, messages });
  }
}
