import { parseGbnf } from "../../lib/sampling/gbnf/gbnf-parser.js";
import { writtenRules } from "../../lib/sampling/gbnf/written-rules.js";
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
  "the rules that are checked are those of the text: %s",
  (_, schema) => {
    for (const whiteSpace of ["none", "lines"] as const) {
      const { value } = compiledSchema(schema, "schema", { whiteSpace, closed: false });
      const written = writtenGrammar(value, "schema");
      const checked = writtenRules(written);
      const read = parseGbnf(written.source);
      expect(checked.items).toEqual(read.items);
      expect(checked.starts).toEqual(read.starts);
      expect(checked.sizes).toEqual(read.sizes);
    }
  },
);
