import type { ChoiceEnd, ChoiceListener } from "../choice-stream.js";
import type { EventStream } from "../event-stream.js";
import { messageStop, messageUsage, openMessage } from "./message-output.js";

type BlockType = "text" | "thinking" | "tool_use";

/** Tells an answer in events of Anthropic's form, one block after the other. */
export class MessagePieces implements ChoiceListener {
  readonly #events: EventStream;
  readonly #model: string;
  #open: BlockType | undefined;
  #index = 0;
  #begun = false;

  constructor(events: EventStream, model: string) {
    this.#events = events;
    this.#model = model;
  }

  async text(text: string): Promise<void> {
    if (text === "") return;
    await this.#begin("text", { text: "" });
    await this.#delta({ type: "text_delta", text });
  }

  async reasoning(thinking: string): Promise<void> {
    if (thinking === "") return;
    await this.#begin("thinking", { thinking: "", signature: "" });
    await this.#delta({ type: "thinking_delta", thinking });
  }

  async callBegins(_: number, { id, name }: { id: string; name: string }): Promise<void> {
    await this.#close();
    await this.#begin("tool_use", { id, name, input: {} });
  }

  async callArguments(_: number, partial_json: string): Promise<void> {
    if (this.#open === "tool_use") await this.#delta({ type: "input_json_delta", partial_json });
  }

  callEnds(): Promise<void> {
    return this.#close();
  }

  async end({ finish, result }: ChoiceEnd, stops: readonly string[]): Promise<void> {
    await this.#close();
    const delta = messageStop(finish, result, stops);
    await this.#send("message_delta", { delta, usage: messageUsage(result.usage) });
    await this.#send("message_stop", {});
  }

  async #begin(type: BlockType, block: object): Promise<void> {
    if (this.#open === type) return;
    await this.#close();
    this.#open = type;
    await this.#send("content_block_start", {
      ...{ index: this.#index, content_block: { type, ...block } },
    });
  }

  #delta(delta: object): Promise<void> {
    return this.#send("content_block_delta", { index: this.#index, delta });
  }

  async #close(): Promise<void> {
    if (this.#open === undefined) return;
    this.#open = undefined;
    await this.#send("content_block_stop", { index: this.#index++ });
  }

  async #send(type: string, event: object): Promise<void> {
    if (!this.#begun) {
      this.#begun = true;
      await this.#send("message_start", { message: openMessage(this.#model) });
    }
    await this.#events.send({ type, ...event }, type);
  }
}
