import type { Grammar } from "../../lib/index.js";
import type { ToolDefinition } from "../../lib/messages/tool-types.js";
import { type AnswerRules, answerGrammar } from "../../lib/tools/answer-grammar.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";

const RULES = { choice: "auto", constrainTools: true, parallelToolCalls: true } as const;

function tool(name: string, properties: object, more: object = {}): ToolDefinition {
  return {
    type: "function",
    function: { name, parameters: { type: "object", properties, required: ["n"], ...more } },
  };
}

async function matcherOf(tools: readonly ToolDefinition[], rules: Partial<AnswerRules>) {
  const asked = { ...RULES, responseSchema: undefined, tools, ...rules };
  return new GbnfMatcher(((await answerGrammar(asked)) as Grammar).source);
}

const call = (name: string, parameters: object) => JSON.stringify({ name, parameters });
const n = { type: "integer", maximum: 100 };

/** Some 15,000 characters of a grammar, of which no two tools have many in common. */
const codes = (first: number) => ({
  enum: Array.from({ length: 300 }, (_, i) => String(BigInt(first * 1000 + 1000 + i) ** 8n)),
});

describe.each<[string, Partial<AnswerRules>]>([
  ["calls that may come", {}],
  ["calls that must", { choice: "required" }],
  ["calls or answers", { responseSchema: { const: "x" } }],
])("%s", (_, rules) => {
  test("schemas that are too much together hold as many as there is room for", async () => {
    const tools = Array.from({ length: 100 }, (__, i) => tool(`t${i}`, { n, code: codes(i) }));
    const matcher = await matcherOf([...tools, tool("small", { n })], rules);
    const some = tools.filter((__, i) => i % 9 === 0).map((one) => one.function.name);
    const wrong = some.filter((name) => matcher.matches(call(name, { n: "x" })));
    expect(wrong.length).toBeGreaterThan(0);
    expect(wrong.length).toBeLessThan(some.length);
    for (const name of some) expect(matcher.matches(call(name, { n: 100 }))).toBe(true);
    expect(matcher.matches(call("small", { n: 100 }))).toBe(true);
    expect(matcher.matches(call("small", { n: "x" }))).toBe(false);
    expect(matcher.matches(call("other", { n: 100 }))).toBe(false);
    expect(matcher.matches('"x"')).toBe(rules.responseSchema !== undefined);
  });
});

test("one schema that is too much by itself leaves the others held", async () => {
  const many = Object.fromEntries(Array.from({ length: 2600 }, (_, i) => [`p${i}`, {}]));
  const matcher = await matcherOf([tool("large", { n, ...many }), tool("small", { n })], {});
  expect(matcher.matches(call("large", { n: "x", other: 1 }))).toBe(true);
  expect(matcher.matches(call("small", { n: 1 }))).toBe(true);
  expect(matcher.matches(call("small", { n: "x" }))).toBe(false);
});

test("an answer that is too much by itself is refused, and named", async () => {
  const properties = Object.fromEntries(Array.from({ length: 2600 }, (_, i) => [`p${i}`, {}]));
  const responseSchema = { type: "object", properties };
  await expect(matcherOf([tool("small", { n })], { responseSchema })).rejects.toMatchObject({
    code: "ERR_SCHEMA_UNSUPPORTED",
    details: { name: "responseSchema" },
  });
});

test("a tool whose schema comes back to itself is called freely", async () => {
  const itself = { $ref: "#/$defs/a" };
  const circle = { $defs: { a: { oneOf: [{ type: "number" }, itself] } } };
  const matcher = await matcherOf([tool("f", { a: itself }, circle)], { choice: "required" });
  expect(matcher.matches(call("f", { a: "x" }))).toBe(true);
});
