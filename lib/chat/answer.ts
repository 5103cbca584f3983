import { CriaError } from "../errors.js";
import { behind, Grammar, lazyGrammar } from "../grammar.js";
import type { NativeTemplateFormat, StopReason } from "../native.js";
import { type AnswerRules, answerGrammar } from "../tools/constraints.js";
import { ToolCallParser } from "../tools/parser.js";
import type { ToolParserEvent } from "../tools/types.js";
import type { RenderableMessage } from "./messages.js";
import type { ChatRenderer } from "./render.js";
import { templateToolCalls } from "./template.js";

/** How an answer is generated and read. */
export interface AnswerReader {
  readonly grammar: Grammar | undefined;
  /** Whether control tokens are to be seen in the text. */
  readonly special: boolean;
  readonly stop: readonly string[];
  push(text: string): readonly ToolParserEvent[];
  finish(reason: StopReason): readonly ToolParserEvent[];
}

/** What is known of the answer before it comes. */
export interface ExpectedAnswer {
  readonly renderer: ChatRenderer;
  readonly messages: readonly RenderableMessage[];
  readonly rules: Omit<AnswerRules, "tools">;
}

const CUT_OFF: readonly StopReason[] = ["max-tokens", "context-full", "cancelled"];

export function readerOf({ renderer, messages, rules }: ExpectedAnswer): AnswerReader {
  const { tools, builtinTools } = renderer;
  const before = messages.reduce(
    (sum, message) => sum + (message.role === "assistant" ? message.tool_calls.length : 0),
    0,
  );
  if (tools.length + builtinTools.length === 0) {
    return textReader(answerGrammar({ tools, ...rules }));
  }
  if (renderer.format !== "template") {
    const parser = new ToolCallParser({
      tools,
      builtinTools,
      createId: (index) => `call_${before + index}`,
    });
    return {
      grammar: answerGrammar({ tools, ...rules }),
      special: true,
      stop: [],
      push: (text) => parser.push(text),
      finish: (reason) => parser.finish({ cutOff: CUT_OFF.includes(reason) }),
    };
  }
  if (rules.responseSchema !== undefined) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      "With a template of its own a model can be given `tools` or a `responseSchema` in one turn, " +
        "not both",
    );
  }
  return templateReader(renderer, messages, rules, before);
}

function textReader(grammar: Grammar | undefined): AnswerReader {
  return {
    grammar,
    special: false,
    stop: [],
    push: (text) => (text === "" ? [] : [{ type: "text", text }]),
    finish: () => [],
  };
}

/** llama.cpp's parsers of other models' calls want the whole answer: it comes at the end. */
function templateReader(
  renderer: ChatRenderer,
  messages: readonly RenderableMessage[],
  { choice, constrainTools }: Omit<AnswerRules, "tools">,
  before: number,
): AnswerReader {
  const format = renderer.templateFormat(messages, choice);
  let answer = "";
  return {
    grammar: constrainTools || choice !== "auto" ? templateGrammar(format) : undefined,
    special: true,
    stop: format.additionalStops,
    push: (text) => {
      answer += text;
      return [];
    },
    finish: () => {
      const { content, toolCalls } = templateToolCalls(answer, format, renderer.tools);
      const calls = toolCalls.map((call, index) => ({ ...call, id: `call_${before + index}` }));
      return [
        ...(content === "" ? [] : [{ type: "text" as const, text: content }]),
        ...calls.map((call) => ({ type: "tool-call" as const, call })),
      ];
    },
  };
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
