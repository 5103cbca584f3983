import { ToolCallParser } from "../../../lib/tools/parser/tool-call-parser.js";
import { processorTime } from "../../support/processor-time.js";
import { toolSets } from "../../support/tool-calls.js";

const SIZE = 8_000;
const GROWTH = 8;
/** A quadratic parser would take GROWTH * GROWTH = 64 times as long. */
const LIMIT = 4 * GROWTH;
const ATTEMPTS = 5;

const UNITS = [
  "{",
  "[",
  '"',
  "'",
  "\\",
  "`",
  "<",
  "(",
  " ",
  "\n",
  "a",
  '{"',
  "{'a'b",
  '{"a":',
  '[{"a":',
  '{"a":"\\\\',
  '"""',
  "[f(",
  "[f(a=1),",
  "[f(x=y z),",
  "get_",
  "get_time(",
  "get_time()\n",
  "<function=",
  "<function=f>",
  "<function=f>x\n",
  "<|python_tag|>",
  "<|python_tag|>x<",
  '<|python_tag|>{"a":1} ',
  "<|eot_id|>",
  "\r\n<|eom_id|>",
  "```",
  "```json\n",
  "; ",
  '{"name":"get_time","parameters":{}};',
  '[{"name":"get_time","parameters":{}},',
  '{"name":"get_time","parameters":{ x',
  '{"name":"get_time","parameters":"\\"',
  '```\n{"name":"get_time","parameters":{}}\n',
];
const BEGINNINGS = ["", '{"name":"get_time","parameters":{"a":', "<|python_tag|>", "```json\n"];

function milliseconds(text: string, piece: number): number {
  const parser = new ToolCallParser({ tools: toolSets.weather!, coerce: true });
  return processorTime(() => {
    for (let at = 0; at < text.length; at += piece) parser.push(text.slice(at, at + piece));
    parser.finish();
  });
}

/** The least of the times, since nothing but other work of this process makes one longer. */
function growth(unit: string, beginning: string, piece: number): number {
  const make = (size: number) => beginning + unit.repeat(Math.ceil(size / unit.length));
  const [small, large] = [make(SIZE), make(SIZE * GROWTH)];
  let fast = Number.POSITIVE_INFINITY;
  let slow = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    fast = Math.min(fast, milliseconds(small, piece));
    slow = Math.min(slow, milliseconds(large, piece));
    if (slow < LIMIT * Math.max(fast, 0.5)) break;
  }
  return slow / Math.max(fast, 0.5);
}

describe.each(BEGINNINGS)("behind %j", (beginning) => {
  test.each(UNITS)("%j over and over takes linear time", (unit) => {
    expect(growth(unit, beginning, Number.POSITIVE_INFINITY)).toBeLessThan(LIMIT);
    expect(growth(unit, beginning, 1)).toBeLessThan(LIMIT);
  });
});

test("a megabyte of anything is no call and no loss", () => {
  for (const unit of ["{", "[", '"', "\\", '{"a":[', "\ud800", "\0"]) {
    const text = unit.repeat(Math.ceil(2 ** 20 / unit.length));
    const parser = new ToolCallParser();
    const events = [...parser.push(text), ...parser.finish()];
    expect(events.every((event) => event.type === "text")).toBe(true);
    expect(events.map((event) => (event.type === "text" ? event.text : "")).join("")).toBe(text);
  }
});
