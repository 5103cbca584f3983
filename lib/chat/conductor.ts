import type { Context } from "../context.js";
import { invalid } from "../errors.js";
import type { GenerationResult, GenerationUsage } from "../generation.js";
import type { Grammar } from "../grammar.js";
import { recommendedSampler, type Sampler } from "../sampler.js";
import type { ParsedToolCall, ToolParserEvent } from "../tools/types.js";
import { type AnswerReader, readerOf } from "./answer.js";
import { fit } from "./fit.js";
import { type SessionHistory, shown } from "./history.js";
import {
  type ChatMessageInput,
  type RenderableMessage,
  type Reply,
  readMessages,
} from "./messages.js";
import { type ChatRenderer, chatRenderer } from "./render.js";
import type { CheckedTurnOptions } from "./session-options.js";
import { carryOut } from "./tool-calls.js";
import type { ChatTurnResult, RunningTurn } from "./turn.js";

/** Of the context, left for the answer where `maxTokens` does not say how much. */
const ANSWER_SHARE = 0.25;

interface Answer {
  readonly message: Extract<RenderableMessage, { readonly role: "assistant" }>;
  readonly calls: readonly ParsedToolCall[];
  readonly result: GenerationResult;
}

/** One turn: generates, carries out what is called, and generates again. */
export class Conductor {
  readonly #context: Context;
  readonly #history: SessionHistory;
  readonly #input: readonly ChatMessageInput[];
  readonly #options: CheckedTurnOptions;
  readonly #usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

  constructor(
    context: Context,
    history: SessionHistory,
    input: readonly ChatMessageInput[],
    options: CheckedTurnOptions,
  ) {
    this.#context = context;
    this.#history = history;
    this.#input = input;
    this.#options = options;
  }

  /** A failure leaves the history as it was. */
  async run(turn: RunningTurn): Promise<ChatTurnResult> {
    const { messages, dropped } = this.#history;
    try {
      return await this.#converse(turn, messages.length);
    } catch (error) {
      if (!turn.stop.aborted) Object.assign(this.#history, { messages, dropped });
      throw error;
    }
  }

  async #converse(turn: RunningTurn, start: number): Promise<ChatTurnResult> {
    turn.throwIfAborted();
    // Read as a whole, so that results of tools find their calls.
    const before = this.#history.messages;
    const all = readMessages([...before.map(shown), ...this.#input], "input");
    this.#history.messages = all.map((message, index) => before[index] ?? message);
    const { tools, maxToolRounds } = this.#options;
    for (let round = 0; ; round += 1) {
      const answer = await this.#answer(turn);
      const { calls, message, result } = answer;
      const empty = message.content === "" && calls.length === 0;
      if (!(empty && turn.stop.aborted)) this.#add(message);
      turn.throwIfAborted();
      const open = calls.length > 0 && !turn.stop.aborted;
      const answerable = calls.every(
        ({ function: { name } }) =>
          tools.find((tool) => tool.definition.function.name === name)?.execute !== undefined ||
          !tools.some((tool) => tool.definition.function.name === name),
      );
      if (!open || !answerable || round === maxToolRounds) {
        return this.#finish(answer, start, open ? "tool-calls" : result.stopReason);
      }
      for (const told of await carryOut(calls, tools, turn)) this.#add(told);
      turn.throwIfAborted();
      if (turn.stop.aborted) return this.#finish({ ...answer, calls: [] }, start, "cancelled");
    }
  }

  #add(message: RenderableMessage): void {
    this.#history.messages = [...this.#history.messages, message];
  }

  #finish(
    { message, calls }: Answer,
    start: number,
    stopReason: ChatTurnResult["stopReason"],
  ): ChatTurnResult {
    return {
      message: shown(message),
      messages: this.#history.messages.slice(start).map(shown),
      toolCalls: stopReason === "tool-calls" ? calls : [],
      stopReason,
      usage: { ...this.#usage } satisfies GenerationUsage,
    };
  }

  async #answer(turn: RunningTurn): Promise<Answer> {
    const { generate } = this.#options;
    const { tools, toolChoice, render } = this.#options;
    const renderer = chatRenderer({
      ...render,
      model: this.#context.model,
      tools: toolChoice === "none" ? [] : tools.map((tool) => tool.definition),
    });
    const reader = this.#reader(renderer);
    const { signal: _, sampler, stop = [], ...rest } = generate;
    const generation = this.#context.generate(this.#prompt(renderer), {
      ...rest,
      ...this.#sampler(sampler, reader.grammar),
      stop: [...stop, ...reader.stop],
      special: reader.special,
    });
    const cancel = () => generation.cancel();
    turn.stop.addEventListener("abort", cancel, { once: true });
    if (turn.stop.aborted) cancel();
    const calls: ParsedToolCall[] = [];
    const content: string[] = [];
    const tell = (events: readonly ToolParserEvent[]) => {
      for (const event of events) {
        if (event.type === "text") content.push(event.text);
        else calls.push(event.call);
        turn.tell(event);
      }
    };
    try {
      for await (const { text } of generation) tell(reader.push(text));
      const result = await generation.result();
      tell(reader.finish(result.stopReason));
      this.#count(result.usage);
      const known = renderer.format !== "template";
      return { message: messageOf(content.join(""), calls, result, known), calls, result };
    } finally {
      turn.stop.removeEventListener("abort", cancel);
    }
  }

  #prompt(renderer: ChatRenderer) {
    const { contextSize, model } = this.#context;
    const { maxTokens = Number.POSITIVE_INFINITY } = this.#options.generate;
    const room = contextSize - Math.min(maxTokens, Math.floor(contextSize * ANSWER_SHARE));
    const fitted = fit(this.#history.messages, renderer.render, {
      dropped: this.#history.dropped,
      room,
      model,
    });
    this.#history.dropped = fitted.dropped;
    return fitted.prompt;
  }

  #reader(renderer: ChatRenderer): AnswerReader {
    const { toolChoice: choice, constrainTools, responseSchema } = this.#options;
    return readerOf({
      renderer,
      messages: this.#history.messages,
      rules: { choice, constrainTools, responseSchema },
    });
  }

  #sampler(given: Sampler | undefined, grammar: Grammar | undefined): { sampler?: Sampler } {
    if (grammar === undefined) return given === undefined ? {} : { sampler: given };
    const sampler = given ?? recommendedSampler(this.#context.model.metadata);
    if (sampler.steps.some(({ type }) => type === "grammar")) {
      throw invalid(
        "The sampler has a grammar of its own, and the tools or the `responseSchema` of this turn " +
          "need theirs: leave one out, or set `constrainTools` to false",
      );
    }
    return { sampler: sampler.with({ grammar }) };
  }

  #count({ promptTokens, cachedTokens, completionTokens }: GenerationUsage): void {
    this.#usage.promptTokens += promptTokens;
    this.#usage.cachedTokens += cachedTokens;
    this.#usage.completionTokens += completionTokens;
  }
}

function messageOf(
  content: string,
  calls: readonly ParsedToolCall[],
  { tokens, stopReason }: GenerationResult,
  knownFormat: boolean,
): Answer["message"] {
  // Tokens that spell a stop string are among them, and not part of the text.
  const reply: Reply | undefined =
    stopReason === "stop-string" || !knownFormat
      ? undefined
      : { tokens, end: stopReason === "end-of-message" ? "<|eom_id|>" : "<|eot_id|>" };
  const tool_calls = calls.map(({ id, type, function: called }) => ({
    id,
    type,
    function: called,
  }));
  return { role: "assistant", content, tool_calls, ...(reply && { reply }) };
}
