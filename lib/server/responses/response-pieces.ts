import { chatLogprob } from "../../batch/output/answer-bodies.js";
import type { TokenLogprobs } from "../../generation/logprobs.js";
import type { ChoiceEnd, ChoiceListener } from "../choice-stream.js";
import type { EventStream } from "../event-stream.js";
import {
  callItem,
  endedResponse,
  messageItem,
  type OutputItem,
  openResponse,
  type ResponseFrame,
  reasoningItem,
  textPart,
} from "./response-output.js";

type Open =
  | { readonly type: "message"; readonly id: string; text: string; logprobs: TokenLogprobs[] }
  | { readonly type: "reasoning"; readonly id: string; text: string }
  | {
      readonly type: "call";
      readonly id: string;
      readonly call: { id: string; name: string; arguments: string };
    };

/** Tells a response in events of OpenAI's form, one item after the other. */
export class ResponsePieces implements ChoiceListener {
  readonly #events: EventStream;
  readonly #frame: ResponseFrame;
  readonly #output: OutputItem[] = [];
  #open: Open | undefined;
  #sequence = 0;
  #begun = false;

  constructor(events: EventStream, frame: ResponseFrame) {
    this.#events = events;
    this.#frame = frame;
  }

  async text(text: string, logprobs: readonly TokenLogprobs[]): Promise<void> {
    const open = await this.#openMessage();
    open.text += text;
    for (const one of logprobs) open.logprobs.push(one);
    await this.#send("response.output_text.delta", {
      ...{ ...this.#place(), delta: text, logprobs: logprobs.map(chatLogprob) },
    });
  }

  async reasoning(text: string): Promise<void> {
    if (this.#open?.type !== "reasoning") {
      await this.#close();
      const item = await this.#add(reasoningItem(undefined));
      this.#open = { type: "reasoning", id: item.id, text: "" };
      await this.#send("response.content_part.added", {
        ...{ ...this.#place(), part: { type: "reasoning_text", text: "" } },
      });
    }
    this.#open.text += text;
    await this.#send("response.reasoning_text.delta", { ...this.#place(), delta: text });
  }

  async callBegins(_: number, { id, name }: { id: string; name: string }): Promise<void> {
    await this.#close();
    const call = { id, name, arguments: "" };
    const item = await this.#add(callItem(call, "in_progress"));
    this.#open = { type: "call", id: item.id, call };
  }

  async callArguments(_: number, delta: string): Promise<void> {
    if (this.#open?.type !== "call") return;
    this.#open.call.arguments += delta;
    const { item_id, output_index } = this.#place();
    await this.#send("response.function_call_arguments.delta", { item_id, output_index, delta });
  }

  callEnds(): Promise<void> {
    return this.#close("completed", { whole: true });
  }

  async end({ result, finish, reasoningTokens, logprobs }: ChoiceEnd): Promise<void> {
    if (this.#open?.type === "message") this.#open.logprobs.push(...logprobs);
    await this.#close(finish === "length" ? "incomplete" : "completed");
    // An answer without a word is a message, too.
    if (this.#output.length === 0) {
      await this.#openMessage();
      await this.#close();
    }
    const ended = { finish, usage: result.usage, reasoningTokens };
    const name = finish === "length" ? "response.incomplete" : "response.completed";
    await this.#send(name, { response: endedResponse(this.#frame, this.#output, ended) });
  }

  async #openMessage(): Promise<Extract<Open, { readonly type: "message" }>> {
    if (this.#open?.type === "message") return this.#open;
    await this.#close();
    const item = await this.#add(messageItem(undefined, "in_progress"));
    const open = { type: "message" as const, id: item.id, text: "", logprobs: [] };
    this.#open = open;
    await this.#send("response.content_part.added", { ...this.#place(), part: textPart("", []) });
    return open;
  }

  async #add(item: OutputItem): Promise<OutputItem> {
    const output_index = this.#output.length;
    await this.#send("response.output_item.added", { output_index, item });
    return item;
  }

  /** @param ending whether a call has come to its end: one that broke off must not be carried out */
  async #close(
    status: "completed" | "incomplete" = "completed",
    ending = { whole: false },
  ): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    const { item_id, output_index, content_index } = this.#place();
    const at = { item_id, output_index, content_index };
    let item: OutputItem;
    if (open.type === "message") {
      const part = textPart(open.text, open.logprobs);
      const { text, logprobs } = part;
      await this.#send("response.output_text.done", { ...at, text, logprobs });
      await this.#send("response.content_part.done", { ...at, part });
      item = messageItem(part, status, open.id);
    } else if (open.type === "reasoning") {
      const part = { type: "reasoning_text", text: open.text };
      await this.#send("response.reasoning_text.done", { ...at, text: open.text });
      await this.#send("response.content_part.done", { ...at, part });
      item = reasoningItem(open.text, open.id);
    } else {
      const { name, arguments: text } = open.call;
      const done = { item_id, output_index, name, arguments: text };
      await this.#send("response.function_call_arguments.done", done);
      item = callItem(open.call, ending.whole ? status : "incomplete", open.id);
    }
    this.#open = undefined;
    this.#output.push(item);
    await this.#send("response.output_item.done", { output_index, item });
  }

  #place() {
    return {
      item_id: this.#open?.id ?? "",
      output_index: this.#output.length,
      content_index: 0,
    };
  }

  async #send(type: string, event: object): Promise<void> {
    if (!this.#begun) {
      this.#begun = true;
      const response = openResponse(this.#frame);
      await this.#send("response.created", { response });
      await this.#send("response.in_progress", { response });
    }
    const sequence_number = this.#sequence++;
    await this.#events.send({ type, sequence_number, ...event }, type);
  }
}
