import type { ReasoningBudget } from "../generation/generation.js";
import type { StopReason } from "../internal/native.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { Grammar } from "../sampling/grammar.js";
import { type AnswerRules, answerGrammar } from "../tools/answer-grammar.js";
import { CallOrAnswer } from "../tools/call-or-answer.js";
import { ToolCallParser } from "../tools/parser/tool-call-parser.js";
import type { AnswerPart } from "./answer-part.js";
import type { ReasoningOptions } from "./formats/reasoning-effort.js";
import type { ReasoningRange } from "./formats/template-answer.js";
import { TemplateCallOrAnswer } from "./formats/template-call-or-answer.js";
import type { TemplateFormat } from "./formats/template-format.js";
import { callGrammar, schemaGrammar } from "./formats/template-grammar.js";
import type { ChatRenderer } from "./render-chat.js";

/** How an answer is generated and read. */
export interface AnswerReader {
  readonly grammar: Grammar | undefined;
  /** Which control tokens the generation shows as text. */
  readonly special: boolean | readonly string[];
  readonly stop: readonly string[];
  push(text: string): readonly AnswerPart[] | Promise<readonly AnswerPart[]>;
  finish(reason: StopReason): Promise<readonly AnswerPart[]>;
  /** Where in the answer the thoughts lie that came so far. */
  readonly reasoningRanges: readonly ReasoningRange[];
  /** Whether something came that is not wanted any more, behind the only call that an answer may have. */
  readonly over: boolean;
  /** Whether it may be over before the answer itself ends. Default false. */
  readonly endsEarly?: boolean;
  /** What thoughts begin and end with; undefined where the format has none. */
  readonly reasoningMarks?: ReasoningMarks;
}

/** The marks around thoughts, and whether the prompt has the first one already. */
export type ReasoningMarks = Required<Omit<ReasoningBudget, "tokens">>;

/** What is known of an answer before it comes. */
export interface ExpectedAnswer {
  readonly renderer: ChatRenderer;
  /** The messages of the prompt. */
  readonly messages: readonly RenderableMessage[];
  /** The number in the id of the first call: behind those of all calls before it. */
  readonly firstCall: number;
  readonly rules: Omit<AnswerRules, "tools">;
  readonly signal?: AbortSignal;
}

const CUT_OFF: readonly StopReason[] = ["max-tokens", "context-full", "cancelled"];
/** Models write these around thoughts whether or not their template knows them. */
const THINK = ["<think>", "</think>"] as const;

/** @throws {CriaError} ERR_TEMPLATE, ERR_SCHEMA_UNSUPPORTED, ERR_DISPOSED; the signal's reason */
export async function readerOf(answer: ExpectedAnswer): Promise<AnswerReader> {
  const { renderer, rules } = answer;
  const read = renderer.format === "template" ? templateReader : llama3Reader;
  const reader = await read(answer);
  return rules.parallelToolCalls ? reader : oneCallReader(reader);
}

async function llama3Reader(answer: ExpectedAnswer): Promise<AnswerReader> {
  const { renderer, firstCall, rules } = answer;
  const { tools, builtinTools } = renderer;
  const grammar = await answerGrammar({ tools, ...rules });
  if (tools.length + builtinTools.length === 0) return textReader(grammar);
  const calls = new ToolCallParser({
    tools,
    builtinTools,
    onlyGiven: rules.responseSchema !== undefined,
    createId: (index) => `call_${firstCall + index}`,
  });
  const callable = rules.choice === "none" ? NO_TOOLS : tools;
  const parser = followsSchema(rules) ? new CallOrAnswer(callable, calls) : calls;
  return {
    grammar,
    // The marks of Llama 4 around calls say nothing that the calls do not.
    special: renderer.format !== "llama-4",
    stop: [],
    push: (text) => parser.push(text),
    finish: async (reason) => parser.finish({ cutOff: CUT_OFF.includes(reason) }),
    reasoningRanges: [],
    over: false,
  };
}

/** Whether the answer may be one by the schema. */
function followsSchema({ choice, responseSchema }: ExpectedAnswer["rules"]): boolean {
  return responseSchema !== undefined && (choice === "auto" || choice === "none");
}

function textReader(grammar: Grammar | undefined): AnswerReader {
  return {
    grammar,
    special: false,
    stop: [],
    push: (text) => (text === "" ? [] : [{ type: "text", text }]),
    finish: async () => [],
    reasoningRanges: [],
    over: false,
  };
}

async function templateReader(expected: ExpectedAnswer): Promise<AnswerReader> {
  const { renderer, messages, firstCall, rules, signal } = expected;
  // Several calls are read whatever is asked for: else the second one would become text.
  const { choice } = rules;
  const format = await renderer.templateFormat(messages, { choice }, signal);
  const calls = renderer.openAnswer(format, firstCall);
  const answer =
    followsSchema(rules) && renderer.tools.length > 0
      ? new TemplateCallOrAnswer(calls, renderer.openAnswer(await plainFormat(expected), firstCall))
      : calls;
  const grammar = await templateGrammar(expected, format);
  return {
    grammar,
    special: [...format.preservedTokens, ...THINK],
    stop: format.additionalStops,
    push: (text) => answer.push(text),
    finish: (reason) => answer.finish(CUT_OFF.includes(reason)),
    get reasoningRanges() {
      return answer.reasoningRanges;
    },
    reasoningMarks: marksOf(format),
    over: false,
  };
}

/** In which the answers are read that call nothing. */
function plainFormat({ renderer, messages, signal }: ExpectedAnswer): Promise<TemplateFormat> {
  return renderer.templateFormat(messages, { choice: "none" }, signal);
}

/** Reads an answer up to its first whole call: not every call is held to a grammar. */
function oneCallReader(reader: AnswerReader): AnswerReader {
  let called = false;
  let over = false;
  const upToCall = (parts: readonly AnswerPart[]) => {
    const kept: AnswerPart[] = [];
    for (const part of parts) {
      if (called) over ||= part.type !== "text" || part.text.trim() !== "";
      else kept.push(part);
      called ||= part.type === "tool-call";
    }
    return kept;
  };
  return {
    ...reader,
    endsEarly: true,
    push(text) {
      // What ends a message comes behind a call, too: so the call alone is no reason to stop.
      over ||= called && text.trim() !== "";
      const parts = reader.push(text);
      return parts instanceof Promise ? parts.then(upToCall) : upToCall(parts);
    },
    finish: async (reason) => upToCall(await reader.finish(reason)),
    get reasoningRanges() {
      return reader.reasoningRanges;
    },
    get over() {
      return over;
    },
  };
}

/**
 * The limit of the thoughts. Where the template cannot turn them off, they end where they begin. The grammar of
 * calls is told where they are: a call that is only thought of is none.
 */
export function budgetOf(
  { effort, budget }: ReasoningOptions,
  { reasoningMarks, grammar }: AnswerReader,
): ReasoningBudget | undefined {
  const tokens = effort === "none" ? 0 : budget;
  // A template may be found to think without showing how thoughts end.
  if (reasoningMarks === undefined || reasoningMarks.ends.length === 0) return undefined;
  if (tokens === undefined) return grammar && reasoningMarks;
  return { tokens, ...reasoningMarks };
}

function marksOf({ reasons, generationPrompt, ...format }: TemplateFormat): ReasoningMarks {
  let { reasoningStart: start, reasoningEnds: ends } = format;
  if (!reasons) [start, ends] = [THINK[0], [THINK[1]]];
  // Muse's thoughts are a message to itself.
  if (format.preservedTokens.includes("<|eom|>"))
    [start, ends] = [" to=self<|message|>", ["<|eom|>"]];
  const begins = start === "" ? -1 : generationPrompt.lastIndexOf(start);
  const open = begins > Math.max(-1, ...ends.map((end) => generationPrompt.lastIndexOf(end)));
  return { start, ends, open };
}

async function templateGrammar(
  { renderer, messages, rules, signal }: ExpectedAnswer,
  format: TemplateFormat,
): Promise<Grammar | undefined> {
  const { choice, constrainTools, parallelToolCalls, responseSchema } = rules;
  const calls = renderer.tools.length > 0 && choice !== "none";
  const forced = calls && choice !== "auto";
  if (forced || responseSchema === undefined) {
    if (!forced && !(calls && constrainTools)) return undefined;
    if (parallelToolCalls) return callGrammar(format);
    const asked = { choice, parallelToolCalls };
    return callGrammar(await renderer.templateFormat(messages, asked, signal));
  }
  const answer = await answerGrammar({ tools: NO_TOOLS, ...rules });
  const framed = await renderer.templateFormat(messages, { choice: "none", schema: true }, signal);
  const called = calls
    ? await renderer.templateFormat(messages, { choice: "required", parallelToolCalls }, signal)
    : undefined;
  return answer && schemaGrammar(answer, framed, called);
}

const NO_TOOLS: readonly never[] = [];
