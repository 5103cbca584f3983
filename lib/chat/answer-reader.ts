import type { ReasoningBudget } from "../generation/generation.js";
import type { StopReason } from "../internal/native.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { Grammar } from "../sampling/grammar.js";
import { type AnswerRules, answerGrammar } from "../tools/answer-grammar.js";
import { ToolCallParser } from "../tools/parser/tool-call-parser.js";
import type { AnswerPart } from "./answer-part.js";
import type { ReasoningOptions } from "./formats/reasoning-effort.js";
import type { ReasoningRange } from "./formats/template-answer.js";
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
  /** How many calls the conversation has already: ids count on from there. */
  readonly callsBefore: number;
  readonly rules: Omit<AnswerRules, "tools">;
  readonly signal?: AbortSignal;
}

const CUT_OFF: readonly StopReason[] = ["max-tokens", "context-full", "cancelled"];
/** Models write these around thoughts whether or not their template knows them. */
const THINK = ["<think>", "</think>"] as const;

/** @throws {CriaError} ERR_TEMPLATE, ERR_SCHEMA_UNSUPPORTED, ERR_DISPOSED; the signal's reason */
export async function readerOf(answer: ExpectedAnswer): Promise<AnswerReader> {
  const { renderer, callsBefore, rules } = answer;
  const { tools, builtinTools } = renderer;
  if (renderer.format === "template") return templateReader(answer);
  const grammar = await answerGrammar({ tools, ...rules });
  if (tools.length + builtinTools.length === 0) return textReader(grammar);
  const parser = new ToolCallParser({
    tools,
    builtinTools,
    onlyGiven: rules.responseSchema !== undefined,
    createId: (index) => `call_${callsBefore + index}`,
  });
  return {
    grammar,
    // The marks of Llama 4 around calls say nothing that the calls do not.
    special: renderer.format !== "llama-4",
    stop: [],
    push: (text) => parser.push(text),
    finish: async (reason) => parser.finish({ cutOff: CUT_OFF.includes(reason) }),
    reasoningRanges: [],
  };
}

function textReader(grammar: Grammar | undefined): AnswerReader {
  return {
    grammar,
    special: false,
    stop: [],
    push: (text) => (text === "" ? [] : [{ type: "text", text }]),
    finish: async () => [],
    reasoningRanges: [],
  };
}

async function templateReader(expected: ExpectedAnswer): Promise<AnswerReader> {
  const { renderer, messages, callsBefore, rules, signal } = expected;
  const format = await renderer.templateFormat(messages, rules, signal);
  const answer = renderer.openAnswer(format, callsBefore);
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
  };
}

/** The limit of the thoughts. Where the template cannot turn them off, they end where they begin. */
export function budgetOf(
  { effort, budget }: ReasoningOptions,
  { reasoningMarks }: AnswerReader,
): ReasoningBudget | undefined {
  const tokens = effort === "none" ? 0 : budget;
  if (tokens === undefined || reasoningMarks === undefined) return undefined;
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
  const { choice, constrainTools, responseSchema } = rules;
  const calls = renderer.tools.length > 0 && choice !== "none";
  if (calls && choice !== "auto") return callGrammar(format);
  if (responseSchema === undefined) {
    return calls && constrainTools ? callGrammar(format) : undefined;
  }
  const answer = await answerGrammar({ tools: NO_TOOLS, ...rules });
  const framed = await renderer.templateFormat(messages, { choice: "none", schema: true }, signal);
  const called = calls
    ? await renderer.templateFormat(messages, { choice: "required" }, signal)
    : undefined;
  return answer && schemaGrammar(answer, framed, called);
}

const NO_TOOLS: readonly never[] = [];
