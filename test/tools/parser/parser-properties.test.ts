import type { ParsedToolCalls } from "../../../lib/messages/tool-types.js";
import { CallableTools } from "../../../lib/tools/parser/callable-tools.js";
import { OutputSplitter } from "../../../lib/tools/parser/output-splitter.js";
import { ToolCallParser } from "../../../lib/tools/parser/tool-call-parser.js";
import { Random } from "../../support/random.js";
import { gather, optionsOf, type SampleOptions, samples } from "../../support/tool-calls.js";

const CASES = 100_000;
const FRAGMENTS = [
  ..."{}[]()<>|`'\"\\/:;,.=_-+0123456789 \n\t\raefgnrtuxTFN#é🦙\0\ud800",

  "<|python_tag|>",
  "<|eom_id|>",
  "<|eot_id|>",
  "<function=f>",
  "</function>",
  "```",
  "```json\n",
  '{"name": "get_time", "parameters": {}}',
  '"parameters": {',
  '"""',
  "get_time()",
  "brave_search.call(query=",
  "[f(a=",
  "\n\n",
  "; ",
];

/** Random fragments, a damaged sample, or two samples run together. */
function output(random: Random): string {
  const kind = random.below(4);
  if (kind === 0) return fragments(random, 1 + random.below(24));
  const sample = random.pick(samples).input;
  if (kind === 1) return sample + fragments(random, random.below(3)) + random.pick(samples).input;
  let text = sample;
  for (let edits = 1 + random.below(4); edits > 0; edits--) text = edited(text, random);
  return text;
}

function fragments(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.pick(FRAGMENTS)).join("");
}

function edited(text: string, random: Random): string {
  const from = random.below(text.length + 1);
  const to = Math.min(text.length, from + random.below(6));
  switch (random.below(4)) {
    case 0:
      return text.slice(0, from) + text.slice(to);
    case 1:
      return text.slice(0, from) + random.pick(FRAGMENTS) + text.slice(from);
    case 2:
      return text.slice(0, from) + random.pick(FRAGMENTS) + text.slice(to);
    default:
      return text.slice(0, to) + text.slice(from);
  }
}

function streamed(text: string, options: SampleOptions, random: Random): ParsedToolCalls {
  const parser = new ToolCallParser(options);
  const events = [];
  for (let at = 0; at < text.length; ) {
    const size = 1 + random.below(random.below(3) === 0 ? 40 : 4);
    events.push(...parser.push(text.slice(at, at + size)));
    at += size;
  }
  return gather([...events, ...parser.finish()]);
}

/** What may stand in neither content nor calls. */
const SYNTAX =
  /^(?:\s+|[;,]|`{3,}[\w+.-]*|<\/function>|<\|(?:python_tag|eom_id|eot_id|end_of_text)\|>)$/;

/** The content, once it is certain that content, calls and syntax are the text and nothing else. */
function covered(text: string, options: SampleOptions): string {
  const splitter = new OutputSplitter(
    new CallableTools({
      tools: options.tools ?? [],
      builtinTools: [],
      coerce: options.coerce ?? false,
    }),
  );
  const pieces = [...splitter.push(text), ...splitter.finish()];
  if (pieces.map(({ source }) => source).join("") !== text) throw new Error("Text was lost");
  for (const piece of pieces) {
    if (piece.kind === "syntax" && !SYNTAX.test(piece.source)) {
      throw new Error(`${JSON.stringify(piece.source)} is no syntax`);
    }
    if (piece.kind === "calls" && piece.calls.length === 0) throw new Error("No calls");
  }
  return pieces.map(({ kind, source }) => (kind === "text" ? source : "")).join("");
}

function check(text: string, options: SampleOptions, random: Random): number {
  const parser = new ToolCallParser(options);
  const whole = gather([...parser.push(text), ...parser.finish()]);
  if (JSON.stringify(streamed(text, options, random)) !== JSON.stringify(whole)) {
    throw new Error("In pieces the result is another");
  }
  if (covered(text, options) !== whole.content) throw new Error("The content is another");
  for (const call of whole.toolCalls) {
    const value: unknown = JSON.parse(call.function.arguments);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Error("Arguments are no object");
    }
    if (call.problem !== undefined && !text.includes(call.source ?? "\0\0")) {
      throw new Error("A broken call without its text");
    }
  }
  return whole.toolCalls.length;
}

test(`${CASES} random and damaged outputs`, () => {
  const random = new Random(20240723);
  let calls = 0;
  let prose = 0;
  for (let i = 0; i < CASES; i++) {
    const text = output(random);
    const options = optionsOf(random.pick(samples));
    try {
      const found = check(text, options, random);
      if (found > 0) calls++;
      else prose++;
    } catch (error) {
      throw new Error(`Case ${i}, ${JSON.stringify(text)}, ${JSON.stringify(options)}: ${error}`);
    }
  }
  // Else the generator would test nothing.
  expect(calls).toBeGreaterThan(CASES / 10);
  expect(prose).toBeGreaterThan(CASES / 10);
});
