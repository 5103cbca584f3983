import type { NativeTemplateFormat, StopReason } from "../internal/native.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { ParsedToolCall, ToolParserEvent } from "../messages/tool-types.js";
import { behind, Grammar, lazyGrammar } from "../sampling/grammar.js";
import { type AnswerRules, answerGrammar } from "../tools/answer-grammar.js";
import { ToolCallParser } from "../tools/parser/tool-call-parser.js";
import type { ChatRenderer } from "./render-chat.js";

/** How an answer is generated and read. */
export interface AnswerReader {
  readonly grammar: Grammar | undefined;
  /** Whether the generation shows control tokens as text. */
  readonly special: boolean;
  readonly stop: readonly string[];
  push(text: string): readonly ToolParserEvent[];
  finish(reason: StopReason): Promise<readonly ToolParserEvent[]>;
}

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

/** @throws {CriaError} ERR_TEMPLATE, ERR_SCHEMA_UNSUPPORTED, ERR_DISPOSED; the signal's reason */
export async function readerOf(answer: ExpectedAnswer): Promise<AnswerReader> {
  const { renderer, callsBefore, rules } = answer;
  const { tools, builtinTools } = renderer;
  if (tools.length + builtinTools.length === 0) {
    return textReader(await answerGrammar({ tools, ...rules }));
  }
  if (renderer.format !== "template") {
    const parser = new ToolCallParser({
      tools,
      builtinTools,
      onlyGiven: rules.responseSchema !== undefined,
      createId: (index) => `call_${callsBefore + index}`,
    });
    return {
      grammar: await answerGrammar({ tools, ...rules }),
      special: true,
      stop: [],
      push: (text) => parser.push(text),
      finish: async (reason) => parser.finish({ cutOff: CUT_OFF.includes(reason) }),
    };
  }
  return templateReader(answer);
}

function textReader(grammar: Grammar | undefined): AnswerReader {
  return {
    grammar,
    special: false,
    stop: [],
    push: (text) => (text === "" ? [] : [{ type: "text", text }]),
    finish: async () => [],
  };
}

/** llama.cpp's parsers for other models need the whole answer, so its events come at the end. */
async function templateReader({
  renderer,
  messages,
  callsBefore,
  rules,
  signal,
}: ExpectedAnswer): Promise<AnswerReader> {
  const { choice, constrainTools } = rules;
  const format = await renderer.templateFormat(messages, choice, signal);
  let answer = "";
  return {
    grammar: constrainTools || choice !== "auto" ? templateGrammar(format) : undefined,
    special: true,
    stop: format.additionalStops,
    push: (text) => {
      answer += text;
      return [];
    },
    finish: async (reason) => {
      const { content, toolCalls } = await renderer.readAnswer(answer, format);
      const calls = toolCalls.map((call, index): ParsedToolCall => {
        const last = index === toolCalls.length - 1;
        const problem = last && CUT_OFF.includes(reason) ? INCOMPLETE : call.problem;
        const id = `call_${callsBefore + index}`;
        return problem === undefined ? { ...call, id } : broken({ ...call, id }, problem);
      });
      return [
        ...(content === "" ? [] : [{ type: "text" as const, text: content }]),
        ...calls.map((call) => ({ type: "tool-call" as const, call })),
      ];
    },
  };
}

/** These parsers do not tell whether a call was complete. */
const INCOMPLETE = "The answer was cut off within the call or behind it.";

/** A call that cannot be read. Its arguments become "{}", since templates take only JSON. */
function broken(call: ParsedToolCall, problem: string): ParsedToolCall {
  const { name, arguments: source } = call.function;
  return { ...call, function: { name, arguments: "{}" }, problem, source };
}

function templateGrammar(format: NativeTemplateFormat): Grammar | undefined {
  if (format.grammar === "") return undefined;
  const grammar = Grammar.gbnf(format.grammar);
  if (!format.grammarLazy) {
    return format.generationPrompt === "" ? grammar : behind(format.generationPrompt, grammar);
  }
  const patterns = format.triggers.map(({ type, value }) => {
    if (type === "full-pattern") return `^(?:${value})$`;
    return type === "pattern" ? value : `(${value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")})`;
  });
  return lazyGrammar(grammar, { tokens: [], patterns });
}
