import type { Grammar } from "../grammar.js";
import { ToolCallParser } from "../tools/parser.js";
import type { ToolParserEvent } from "../tools/types.js";
import type { StopReason } from "../native.js";
import type { ChatRenderer } from "./render.js";

/** How an answer is generated and read. */
export interface AnswerReader {
  readonly grammar: Grammar | undefined;
  /** Whether control tokens are to be seen in the text. */
  readonly special: boolean;
  push(text: string): readonly ToolParserEvent[];
  finish(reason: StopReason): readonly ToolParserEvent[];
}

/** What is known of the answer before it comes. */
export interface ExpectedAnswer {
  readonly renderer: ChatRenderer;
  readonly grammar: () => Grammar | undefined;
  /** Calls in the history: ids go on counting. */
  readonly before: number;
  /** Nothing in it is a call. */
  readonly plain: boolean;
}

const CUT_OFF: readonly StopReason[] = ["max-tokens", "context-full", "cancelled"];

export function readerOf(expected: ExpectedAnswer): AnswerReader {
  const { renderer, grammar, before, plain } = expected;
  const { tools, builtinTools } = renderer;
  if (plain || tools.length + builtinTools.length === 0) return textReader(grammar());
  const parser = new ToolCallParser({
    tools,
    builtinTools,
    createId: (index) => `call_${before + index}`,
  });
  return {
    grammar: grammar(),
    special: true,
    push: (text) => parser.push(text),
    finish: (reason) => parser.finish({ cutOff: CUT_OFF.includes(reason) }),
  };
}

function textReader(grammar: Grammar | undefined): AnswerReader {
  return {
    grammar,
    special: false,
    push: (text) => (text === "" ? [] : [{ type: "text", text }]),
    finish: () => [],
  };
}
