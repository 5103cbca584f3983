import type { ParseToolCallsOptions, ToolParserEvent } from "../../../lib/messages/tool-types.js";
import { parseToolCalls, ToolCallParser } from "../../../lib/tools/parser/tool-call-parser.js";
import { toolSets } from "../../support/tool-calls.js";

const weather = { tools: toolSets.weather! };
const CALL = '{"name": "get_time", "parameters": {}}';

/** How many characters are held back at most, white space at the end aside. */
function lag(text: string, options: ParseToolCallsOptions = {}): number {
  const parser = new ToolCallParser(options);
  let shown = 0;
  let most = 0;
  for (let at = 0; at < text.length; at++) {
    for (const event of parser.push(text[at]!)) {
      if (event.type === "text") shown += event.text.length;
    }
    most = Math.max(most, text.slice(0, at + 1).trimEnd().length - shown);
  }
  return most;
}

function kinds(events: readonly ToolParserEvent[]): string[] {
  return events.map(({ type }) => type);
}

describe("what is passed on, and when", () => {
  const prose =
    "Llamas are social animals. They live in herds,\nin the Andes: 3,000 m up; or so.\n\n";

  test("prose, without waiting", () => {
    expect(lag(prose.repeat(3))).toBe(0);
    expect(lag(prose.repeat(3), weather)).toBe(0);
  });

  test("a word as long as it may be a tool's name", () => {
    expect(lag("get_rid of it", weather)).toBe("get_".length);
    expect(lag("Do get_time", weather)).toBe(0);
  });

  test("calls of other tools, where only given ones count, however they are cut", () => {
    const options = { ...weather, onlyGiven: true };
    for (const text of [
      '{"name": "Tom", "parameters": {"a": 1}}',
      '  [{"name": "Tom", "parameters": {}}, {"name": "get_time", "parameters": {}}]\n',
      "<function=other>{}</function>",
      "[other(a=1)]",
      '```json\n{"name": "Tom", "arguments": {}}\n```',
      '{"name": "Tom", "parameters": {}}, ',
    ]) {
      expect(parseToolCalls(text, options)).toEqual({ content: text, toolCalls: [] });
      for (let at = 0; at <= text.length; at++) {
        const parser = new ToolCallParser(options);
        const events = [
          ...parser.push(text.slice(0, at)),
          ...parser.push(text.slice(at)),
          ...parser.finish(),
        ];
        const all = events.map((event) => (event.type === "text" ? event.text : "CALL")).join("");
        expect(all).toBe(text);
      }
    }
    expect(parseToolCalls(CALL, options).toolCalls).toHaveLength(1);
    expect(parseToolCalls('{"name": "Tom", "parameters": {}}', weather).toolCalls).toHaveLength(1);
  });

  test("braces, brackets and angles, within a few characters", () => {
    expect(lag("if (a < b) { return {}; } else { x = [1]; } <b>bold</b> {x} #{y}")).toBeLessThan(5);
    expect(lag("A `{code}` and ```js\nlet x = {a: [1, 2]};\n``` too")).toBeLessThan(7);
  });

  test("white space with the next character", () => {
    const parser = new ToolCallParser();
    expect(parser.push("a")).toEqual([{ type: "text", text: "a" }]);
    expect(parser.push(" \n ")).toEqual([]);
    expect(parser.push("c")).toEqual([{ type: "text", text: " \n c" }]);
  });

  test("a call with its last character", () => {
    const parser = new ToolCallParser();
    expect(parser.push(`So: ${CALL.slice(0, -1)}`)).toEqual([{ type: "text", text: "So:" }]);
    expect(kinds(parser.push("}"))).toEqual(["tool-call"]);
    expect(parser.push("\n")).toEqual([]);
    expect(parser.push("ok")).toEqual([{ type: "text", text: "\nok" }]);
    expect(parser.finish()).toEqual([]);
  });

  test("a call in a fence with the fence's end", () => {
    const parser = new ToolCallParser();
    expect(parser.push(`\`\`\`json\n${CALL}\n`)).toEqual([]);
    expect(kinds(parser.push("```\n"))).toEqual(["tool-call"]);
  });

  test("a list that holds no calls, and what is quoted", () => {
    expect(lag('[1, 2, [3, {"name": "a", "parameters": {}}]]')).toBeLessThan(2);
    expect(lag(`["a", ${CALL}, {"b": [${CALL}]}]`)).toBeLessThan(2);
    expect(lag(`[{"a": 1}, ${CALL}, ${CALL}]`)).toBe('[{"a": 1'.length);
    expect(lag(`Write \`${CALL}\``)).toBeLessThan(3);
  });

  test("text and calls in their order", () => {
    const events = new ToolCallParser().push(`a ${CALL} b ${CALL} c`);
    expect(kinds(events)).toEqual(["text", "tool-call", "text", "tool-call", "text"]);
  });

  test("what may be a call is text once it cannot be", () => {
    const parser = new ToolCallParser();
    expect(parser.push('{"name": "x"')).toEqual([]);
    expect(parser.push("; ")).toEqual([{ type: "text", text: '{"name": "x";' }]);
  });
});

describe("ids", () => {
  test("tell the position", () => {
    const { toolCalls } = parseToolCalls(`${CALL}; ${CALL}\n<|python_tag|>1`);
    expect(toolCalls.map(({ id }) => id)).toEqual(["call_0", "call_1", "call_2"]);
  });

  test("come from createId where one is given", () => {
    const { toolCalls } = parseToolCalls(`${CALL}; ${CALL}`, { createId: (index) => `t${index}` });
    expect(toolCalls.map(({ id }) => id)).toEqual(["t0", "t1"]);
  });
});

describe("a parser that has finished", () => {
  test("has nothing more to say", () => {
    const parser = new ToolCallParser();
    parser.push("[f(a=1)");
    expect(kinds(parser.finish())).toEqual(["tool-call"]);
    expect(parser.finish()).toEqual([]);
  });

  test("takes nothing more", () => {
    const parser = new ToolCallParser();
    parser.finish();
    expect(() => parser.push("x")).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});

describe("an output that was cut off", () => {
  function finished(text: string): ToolParserEvent[] {
    const parser = new ToolCallParser();
    return [...parser.push(text), ...parser.finish({ cutOff: true })];
  }

  test("ends in no code", () => {
    expect(finished("<|python_tag|>print(")).toEqual([{ type: "text", text: "print(" }]);
    expect(finished("<|python_tag|>x")).toEqual([{ type: "text", text: "x" }]);
    expect(kinds(finished("<|python_tag|>print(1)<|eom_id|>"))).toEqual(["tool-call"]);
  });

  test("has the calls that are complete", () => {
    expect(kinds(finished(CALL))).toEqual(["tool-call"]);
    expect(kinds(finished(`${CALL}; ${CALL.slice(0, 9)}`))).toEqual(["tool-call", "text"]);
  });
});

describe("bad arguments", () => {
  const circular: { self?: object } = {};
  circular.self = circular;

  test.each([
    ["options", null, /`options`/],
    ["options", { tool: [] }, /did you mean `tools`/],
    ["tools", { tools: {} }, /an array for `tools`/],
    ["a tool", { tools: [null] }, /`tools\[0\]`/],
    ["its function", { tools: [{ type: "function" }] }, /`tools\[0\]\.function`/],
    ["its name", { tools: [{ function: { name: "" } }] }, /`tools\[0\]\.function\.name`/],
    [
      "its parameters",
      { tools: [{ function: { name: "a", parameters: [] } }] },
      /`tools\[0\]\.function\.parameters`/,
    ],
    ["builtinTools", { builtinTools: ["a", 1] }, /`builtinTools\[1\]`/],
    ["coerce", { coerce: "yes" }, /`coerce`/],
    ["createId", { createId: 1 }, /`createId`/],
  ])("%s", (_, options, message) => {
    const parse = () => parseToolCalls("", options as ParseToolCallsOptions);
    expect(parse).toThrow(message);
    expect(parse).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });

  test("finish", () => {
    const finish = () => new ToolCallParser().finish({ cutOff: 1 as unknown as boolean });
    expect(finish).toThrow(/a boolean for `cutOff`/);
  });

  test("text", () => {
    expect(() => parseToolCalls(1 as unknown as string)).toThrow(/a string for `text`/);
  });

  test("a schema that is no JSON tells nothing", () => {
    const tools = [{ type: "function", function: { name: "f", parameters: circular } }] as const;
    const { toolCalls } = parseToolCalls('[f("x"), f(a="1")]', { tools, coerce: true });
    expect(toolCalls[0]).toMatchObject({ problem: expect.stringContaining("by name") });
    expect(toolCalls[1]?.function.arguments).toBe('{"a":"1"}');
  });
});
