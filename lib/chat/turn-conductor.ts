import type { Context } from "../context/context.js";
import type { GenerationResult, GenerationUsage } from "../generation/generation.js";
import type { GuardVerdict } from "../guard/guard-types.js";
import type { RenderableMessage, Reply, UnpairedMessage } from "../messages/pairing.js";
import { type ParsedToolCall, type ToolChoice, toolCallOf } from "../messages/tool-types.js";
import type { Grammar } from "../sampling/grammar.js";
import { recommendedSampler, type Sampler } from "../sampling/sampler.js";
import type { AnswerPart } from "./answer-part.js";
import { type AnswerReader, budgetOf, readerOf } from "./answer-reader.js";
import type { ChatTurnResult, RunningTurn } from "./chat-turn.js";
import { fittedPrompt } from "./fitted-prompt.js";
import { AnswerGate } from "./moderated/answer-gate.js";
import { Moderation } from "./moderated/moderation.js";
import { ReasoningTokens } from "./reasoning-tokens.js";
import type { ChatRenderer } from "./render-chat.js";
import { nextCall, placesOfNew, type SessionHistory, shown } from "./session-history.js";
import type { CheckedTurnOptions } from "./session-options.js";
import { carryOut, withdraw } from "./tool-execution.js";

type AssistantMessage = Extract<RenderableMessage, { readonly role: "assistant" }>;

interface Answer {
  readonly message: AssistantMessage;
  readonly calls: readonly ParsedToolCall[];
  readonly stopReason: ChatTurnResult["stopReason"];
  /** The verdict that ended the turn. */
  readonly blocked?: GuardVerdict | undefined;
}

/** What became of an answer's calls. */
interface Calls {
  /** The calls that the caller has to answer. */
  readonly open: readonly ParsedToolCall[];
  /** The verdict that ended the turn. */
  readonly blocked?: GuardVerdict | undefined;
}

const NO_ANSWER: Answer = {
  message: { role: "assistant", content: "", tool_calls: [] },
  calls: [],
  stopReason: "cancelled",
};

const moderated = (answer: Answer, blocked: GuardVerdict): Answer => ({
  ...answer,
  stopReason: "moderated",
  blocked,
});

/** Conducts one turn: generates, carries out the calls, and generates again. */
export class TurnConductor {
  readonly #context: Context;
  readonly #history: SessionHistory;
  readonly #input: readonly UnpairedMessage[];
  readonly #options: CheckedTurnOptions;
  readonly #moderation: Moderation;
  readonly #usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };

  constructor(
    context: Context,
    history: SessionHistory,
    input: readonly UnpairedMessage[],
    options: CheckedTurnOptions,
  ) {
    this.#context = context;
    this.#history = history;
    this.#input = input;
    this.#options = options;
    this.#moderation = new Moderation(options.guard);
  }

  /** A failure leaves the history as it was, and so does a turn that was stopped before it began. */
  async run(turn: RunningTurn): Promise<ChatTurnResult> {
    try {
      await this.#history.ready(turn.stop);
    } catch (error) {
      turn.throwIfAborted();
      if (!turn.stop.aborted) throw error;
      return this.#unread();
    }
    const before = this.#history.snapshot();
    const { messages } = before;
    const undo = () => this.#history.replace(before);
    let result = this.#result(NO_ANSWER, messages);
    try {
      if (!turn.stop.aborted) result = await this.#converse(turn, messages, undo);
    } catch (error) {
      undo();
      throw error;
    }
    turn.throwIfAborted();
    return result;
  }

  async #converse(
    turn: RunningTurn,
    before: readonly RenderableMessage[],
    undo: () => void,
  ): Promise<ChatTurnResult> {
    const conversation = this.#history.continued(this.#input);
    const refused = await this.#moderation.input(conversation, before, turn);
    if (refused !== undefined) return this.#result(moderated(NO_ANSWER, refused), before);
    if (turn.stop.aborted) return this.#result(NO_ANSWER, before);
    this.#history.messages = conversation;
    const { maxToolRounds } = this.#options;
    for (let round = 0; ; round += 1) {
      const answer = await this.#answer(turn, round);
      const { calls, message, blocked } = answer;
      const over = turn.stop.aborted || blocked !== undefined;
      if (over && saysNothing(message)) {
        if (round === 0) undo();
        const nothing = blocked === undefined ? NO_ANSWER : moderated(NO_ANSWER, blocked);
        return this.#result(nothing, before);
      }
      this.#add(message);
      if (calls.length === 0) return this.#result(answer, before);
      const limit = round === maxToolRounds && !over;
      const rest = limit ? { open: calls } : await this.#carryOut(answer, turn);
      if (rest.blocked !== undefined) return this.#result(moderated(answer, rest.blocked), before);
      if (turn.stop.aborted) return this.#result({ ...answer, stopReason: "cancelled" }, before);
      if (rest.open.length > 0) {
        return this.#result({ ...answer, stopReason: "tool-calls" }, before, rest.open);
      }
    }
  }

  /**
   * Adds the results of calls, and returns the calls that the caller has to answer. If the turn is over,
   * stopped or blocked, calls without a result are answered as cancelled, so that none is left open.
   */
  async #carryOut(answer: Answer, turn: RunningTurn): Promise<Calls> {
    const { calls } = answer;
    let { blocked } = answer;
    const over = () => turn.stop.aborted || blocked !== undefined;
    const asked = this.#history.messages;
    const admits = async (result: RenderableMessage) => {
      const verdict = await this.#moderation.toolResult([...asked, result], turn);
      blocked ??= verdict;
      return verdict === undefined;
    };
    const open = calls.filter((call) => this.#isCallers(call));
    const own = over() ? [] : calls.filter((call) => !open.includes(call));
    const { tools, guard } = this.#options;
    const results = await carryOut(own, tools, turn, guard.toolResults && admits);
    const left = calls.filter(({ id }) => !results.some((result) => result.tool_call_id === id));
    if (over()) results.push(...withdraw(left, turn));
    for (const { id } of calls) {
      const result = results.find((message) => message.tool_call_id === id);
      if (result !== undefined) this.#add(result);
    }
    return { open, blocked };
  }

  /** Whether the caller has to answer: the tool has no implementation, or it is the model's own. */
  #isCallers({ function: { name } }: ParsedToolCall): boolean {
    const { tools, renderer } = this.#options;
    const tool = tools.find(({ definition }) => definition.function.name === name);
    if (tool !== undefined) return tool.execute === undefined;
    return (renderer.builtinTools as readonly string[]).includes(name);
  }

  /** Of a turn that was cancelled while the history was read: there is nothing to compare it with. */
  #unread(): ChatTurnResult {
    const { message, stopReason } = NO_ANSWER;
    const usage = { ...this.#usage };
    return { message: shown(message), messages: [], toolCalls: [], stopReason, usage };
  }

  #add(message: RenderableMessage): void {
    this.#history.messages = [...this.#history.messages, message];
  }

  #result(
    { message, stopReason, blocked }: Answer,
    before: readonly RenderableMessage[],
    toolCalls: readonly ParsedToolCall[] = [],
  ): ChatTurnResult {
    const { messages } = this.#history;
    const { reasoning_content: reasoning } = message;
    return {
      message: shown(message),
      ...(reasoning !== undefined && { reasoning }),
      messages: placesOfNew(messages, before).map((at) => shown(messages[at] as RenderableMessage)),
      toolCalls,
      stopReason,
      usage: { ...this.#usage },
      ...(blocked && { blocked }),
    };
  }

  async #answer(turn: RunningTurn, round: number): Promise<Answer> {
    if (turn.stop.aborted) return NO_ANSWER;
    const { generate, renderer } = this.#options;
    const prepared = await this.#prepare(turn, round);
    if (prepared === undefined) return NO_ANSWER;
    const { prompt, reader } = prepared;
    const { signal: _, sampler, stop = [], ...rest } = generate;
    const reasoningBudget = budgetOf(this.#options.reasoning, reader);
    const generation = this.#context.generate(prompt, {
      ...rest,
      ...this.#sampler(sampler, reader.grammar),
      ...(reasoningBudget && { reasoningBudget }),
      stop: [...stop, ...reader.stop],
      special: reader.special,
    });
    const gate = new AnswerGate({
      turn,
      judge: this.#moderation.output(this.#history.messages),
      cancel: () => generation.cancel(),
    });
    const thoughts = new ReasoningTokens(this.#context.model);
    const push = (parts: readonly AnswerPart[]) => gate.push(this.#shownParts(parts));
    try {
      for await (const { text, tokens } of generation) {
        thoughts.add(text, tokens);
        const parts = reader.push(text);
        push(parts instanceof Promise ? await parts : parts);
        if (reader.over) generation.cancel();
      }
      const result = await generation.result();
      push(await reader.finish(result.stopReason));
      await gate.finish();
      this.#count(result.usage);
      this.#usage.reasoningTokens += thoughts.count(reader.reasoningRanges);
      const verbatim = gate.verbatim && !reader.over;
      const ends = verbatim ? endsOf(renderer.format) : undefined;
      const { calls, blocked } = gate;
      const message = messageOf(gate, result, ends);
      return { message, calls, stopReason: gate.stopReason(result.stopReason), blocked };
    } finally {
      gate.close();
    }
  }

  #shownParts(parts: readonly AnswerPart[]): readonly AnswerPart[] {
    const { show = true } = this.#options.reasoning;
    return show ? parts : parts.filter(({ type }) => type !== "reasoning");
  }

  /** Undefined if the turn is stopped meanwhile. */
  async #prepare(turn: RunningTurn, round: number) {
    try {
      const { prompt, messages } = await this.#prompt(turn.stop);
      return { prompt, reader: await this.#reader(messages, round, turn.stop) };
    } catch (error) {
      if (turn.stop.aborted) return undefined;
      throw error;
    }
  }

  #prompt(signal: AbortSignal) {
    const { generate, renderer, summarize } = this.#options;
    const { contextSize } = this.#context;
    const { maxTokens } = generate;
    return fittedPrompt(this.#history, { renderer, contextSize, maxTokens, summarize }, signal);
  }

  /** A forced call comes in the first round only: a model that had to call in each would never answer. */
  #reader(
    kept: readonly RenderableMessage[],
    round: number,
    signal: AbortSignal,
  ): Promise<AnswerReader> {
    const { renderer, toolChoice, constrainTools, parallelToolCalls, responseSchema } =
      this.#options;
    const choice: ToolChoice = round === 0 || toolChoice === "none" ? toolChoice : "auto";
    return readerOf({
      renderer,
      messages: kept,
      firstCall: nextCall(this.#history.messages),
      rules: { choice, constrainTools, parallelToolCalls, responseSchema },
      signal,
    });
  }

  #sampler(given: Sampler | undefined, grammar: Grammar | undefined): { sampler?: Sampler } {
    if (grammar === undefined) return given === undefined ? {} : { sampler: given };
    const sampler = given ?? recommendedSampler(this.#context.model.metadata);
    return { sampler: sampler.with({ grammar }) };
  }

  #count({ promptTokens, cachedTokens, completionTokens }: GenerationUsage): void {
    this.#usage.promptTokens += promptTokens;
    this.#usage.cachedTokens += cachedTokens;
    this.#usage.completionTokens += completionTokens;
  }
}

function saysNothing({ content, reasoning_content, tool_calls }: AssistantMessage): boolean {
  return content === "" && reasoning_content === undefined && tool_calls.length === 0;
}

/** What ends a turn, and a message, in the formats that can say an answer in its own tokens. */
function endsOf(format: ChatRenderer["format"]) {
  if (format === "template") return undefined;
  return format === "llama-4"
    ? (["<|eot|>", "<|eom|>"] as const)
    : (["<|eot_id|>", "<|eom_id|>"] as const);
}

function messageOf(
  { content, reasoning, calls }: AnswerGate,
  { tokens, stopReason }: GenerationResult,
  ends: readonly [turn: Reply["end"], message: Reply["end"]] | undefined,
): AssistantMessage {
  // With a stop string the tokens spell more than the text.
  const reply: Reply | undefined =
    stopReason === "stop-string" || ends === undefined
      ? undefined
      : { tokens, end: ends[stopReason === "end-of-message" ? 1 : 0] };
  const tool_calls = calls.map(toolCallOf);
  return {
    ...{ role: "assistant", content },
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    tool_calls,
    ...(reply && { reply }),
  };
}
