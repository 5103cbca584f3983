import { ChatSession } from "../chat/chat-session.js";
import type { ChatTurn } from "../chat/chat-turn.js";
import { renderChatAsync } from "../chat/render-chat.js";
import type { ChatTurnOptions } from "../chat/session-options.js";
import type { Context } from "../context/context.js";
import type { GenerateOptions } from "../generation/generation.js";
import type { LlamaGuard } from "../guard/llama-guard.js";
import { CriaError } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { ChatMessageInput } from "../messages/messages.js";
import type { Tool } from "../tools/define-tool.js";
import { readConversation, writeConversation } from "./conversation-file.js";

export interface ConversationOptions {
  readonly generate: GenerateOptions;
  readonly tools: readonly Tool[];
  readonly system: string | undefined;
  readonly chatTemplate?: string | undefined;
  readonly guard?: LlamaGuard | undefined;
}

/** The conversation of `cria chat`. A reset or a load replaces its session. */
export class Conversation {
  readonly tools: readonly Tool[];
  readonly #context: Context;
  readonly #options: ChatTurnOptions;
  readonly #opening: readonly ChatMessageInput[];
  #session: ChatSession;

  private constructor(context: Context, options: ConversationOptions) {
    const { generate, tools, system, chatTemplate, guard } = options;
    this.tools = tools;
    this.#context = context;
    this.#options = { ...generate, ...given({ chatTemplate, guard }) };
    this.#opening = system === undefined ? [] : [{ role: "system", content: system }];
    this.#session = this.#open(this.#opening);
  }

  /** Refuses a model that cannot chat like this at once, before anybody waits for an answer. */
  static async open(context: Context, options: ConversationOptions): Promise<Conversation> {
    const conversation = new Conversation(context, options);
    await conversation.#check(conversation.#opening);
    return conversation;
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
      await this.#check(messages);
      this.#session = this.#open(messages);
    } catch (error) {
      if (!CriaError.is(error)) throw error;
      throw new CriaError(
        error.code,
        `${file} is not a conversation for this model: ${error.message}`,
        {
          cause: error,
        },
      );
    }
    return messages.length;
  }

  #open(messages: readonly ChatMessageInput[]): ChatSession {
    return new ChatSession(this.#context, { ...this.#options, tools: this.tools, messages });
  }

  async #check(messages: readonly ChatMessageInput[]): Promise<void> {
    const { chatTemplate } = this.#options;
    await renderChatAsync([...messages, { role: "user", content: "Hello" }], {
      model: this.#context.model,
      tools: this.tools.map((tool) => tool.definition),
      ...given({ chatTemplate }),
    });
  }
}
