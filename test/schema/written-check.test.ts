import { checkWritten, validateGbnf } from "../../lib/sampling/gbnf/gbnf.js";
import { isSurelyTaken } from "../../lib/sampling/gbnf/written-check.js";
import { writeGrammar } from "../../lib/schema/gbnf-writer.js";
import {
  choice,
  type Expression,
  Rule,
  sequence,
  text,
  use,
} from "../../lib/schema/grammar-rules.js";
import { compiledSchema, writtenGrammar } from "../../lib/schema/schema-grammar.js";

const SCHEMAS = {
  "numbers, with runs of digits": { type: "array", items: { type: ["number", "integer"] } },
  "bounds of integers": { type: "integer", minimum: -12, maximum: 65_535 },
  "names beside others": { properties: { naïve: {}, 'a"b\\': {}, ab: { type: "string" } } },
  "counted texts and items": {
    ...{ type: "array", minItems: 2, maxItems: 300 },
    items: { type: "string", minLength: 3, maxLength: 200 },
  },
  "patterns and formats": {
    ...{ type: "object", required: ["p"], additionalProperties: false },
    properties: { p: { pattern: "^[a-z]{0,30}(?:x|yz)?$" }, d: { format: "date-time" } },
  },
  "what nothing satisfies, beside what something does": {
    anyOf: [{ type: "array", items: { $ref: "#/$defs/never" }, minItems: 1 }, { const: 1 }],
    $defs: {
      never: { type: "object", required: ["a"], properties: { a: { $ref: "#/$defs/never" } } },
    },
  },
};

test.each(Object.entries(SCHEMAS))(
  "grammars of schemas are taken without being read again: %s",
  (_, schema) => {
    for (const whiteSpace of ["none", "lines"] as const) {
      const { value } = compiledSchema(schema, "schema", { whiteSpace, closed: false });
      const written = writtenGrammar(value, "schema");
      expect(isSurelyTaken(written)).toBe(true);
      expect(() => validateGbnf(written.source, "root")).not.toThrow();
    }
  },
);

function ruleOf(define: (self: Expression) => Expression): Expression {
  const rule = new Rule("rule");
  rule.definition = define(use(rule));
  return use(rule);
}

function numbered(count: number): Expression[] {
  return Array.from({ length: count }, (_, i) => text(`${i};`));
}

const many = ruleOf(() => choice(...numbered(200)));
const optional = ruleOf(() => choice(text("a"), sequence()));

const REFUSED: Readonly<Record<string, Expression>> = {
  "a rule that begins with itself": ruleOf((self) => choice(sequence(self, text("a")), text("b"))),
  "one that comes back to itself behind what may be nothing": ruleOf((self) =>
    choice(sequence(optional, self, text("a")), text("b")),
  ),
  "too many ways to begin": ruleOf(() =>
    choice(...numbered(200).map((end) => ruleOf(() => sequence(many, end)))),
  ),
  "too many rules that each begin with the next": numbered(3_000).reduce<Expression>(
    (inner, end) => ruleOf(() => choice(sequence(inner, end), end)),
    text("a"),
  ),
};

test.each(Object.entries(REFUSED))("what llama.cpp does not take is refused: %s", (_, start) => {
  const written = writeGrammar(start)!;
  expect(isSurelyTaken(written)).toBe(false);
  expect(() => checkWritten(written)).toThrow(
    expect.objectContaining({ code: "ERR_GRAMMAR_INVALID" }),
  );
});

test("what is uncertain is read, and taken where it is right", () => {
  // Each rule comes before those that begin with it: followed from the last, they lead far down.
  const chain: Expression[] = [text("a")];
  for (const end of numbered(250)) {
    const inner = chain.at(-1)!;
    chain.push(ruleOf(() => sequence(inner, end)));
  }
  const written = writeGrammar(choice(...chain))!;
  expect(isSurelyTaken(written)).toBe(false);
  expect(() => checkWritten(written)).not.toThrow();
});
