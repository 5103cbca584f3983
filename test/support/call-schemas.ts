import type { ToolDefinition } from "../../lib/index.js";

const text = (maxLength: number) => ({ type: "string", maxLength });
const object = (properties: object, required = Object.keys(properties)) => ({
  type: "object",
  properties,
  required,
});

/** Arguments of bounded length, whatever a model makes of them. */
const SCHEMAS: Readonly<Record<string, object>> = {
  nothing: object({}),
  one_text: object({ text: text(12) }),
  short_to_long: object({ code: { type: "string", minLength: 3, maxLength: 6 } }),
  one_letter: object({ letter: { type: "string", minLength: 1, maxLength: 1 } }),
  whole: object({ count: { type: "integer", minimum: 0, maximum: 999 } }),
  below_zero: object({ depth: { type: "integer", exclusiveMinimum: -50, exclusiveMaximum: 5 } }),
  any_whole: object({ id: { type: "integer" } }),
  any_number: object({ ratio: { type: "number" } }),
  yes_no: object({ yes: { type: "boolean" }, nothing: { type: "null" } }),
  words: object({ unit: { type: "string", enum: ["celsius", "fahrenheit", 'a "kelvin"\n'] } }),
  mixed_enum: object({ value: { enum: [1, "1", true, null, 2.5, ["x"], { y: -1 }] } }),
  constant: object({ version: { const: "v1" }, data: { const: { a: [1, null] } } }),
  some_texts: object({ tags: { type: "array", items: text(5), maxItems: 3 } }),
  two_or_three: object({
    flags: { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 3 },
  }),
  point: object({
    at: {
      type: "array",
      prefixItems: [{ type: "integer", minimum: -9, maximum: 9 }, { type: "number" }],
      minItems: 2,
      maxItems: 2,
    },
  }),
  nested: object({
    who: object({ name: text(8), home: object({ street: text(8), number: { type: "integer" } }) }),
  }),
  optional: object({ a: text(3), b: { type: "boolean" }, c: { type: "integer" } }, []),
  some_optional: object({ from: text(4), limit: { type: "integer" }, to: text(4) }, ["from", "to"]),
  closed: { ...object({ only: { type: "boolean" } }), additionalProperties: false },
  either: object({ value: { anyOf: [{ type: "integer" }, text(4), { type: "null" }] } }),
  one_of: object({
    by: { oneOf: [object({ id: { type: "integer" } }), object({ name: text(4) })] },
  }),
  several_types: object({ value: { type: ["boolean", "null", "integer"] } }),
  all_of: { allOf: [object({ a: { type: "boolean" } }), object({ b: text(3) })], type: "object" },
  definition: {
    ...object({ first: { $ref: "#/$defs/pair" }, second: { $ref: "#/$defs/pair" } }),
    $defs: { pair: object({ x: { type: "integer", minimum: 0, maximum: 20 }, y: text(2) }) },
  },
  own_name: {
    ...object({ name: text(4), parameters: { $ref: "#/properties/name" } }),
  },
  tree: {
    ...object({ root: { $ref: "#/$defs/node" } }),
    $defs: {
      node: object(
        {
          value: { type: "boolean" },
          children: { type: "array", items: { $ref: "#/$defs/node" }, maxItems: 1 },
        },
        ["value"],
      ),
    },
  },
  time: object({ at: { type: "string", format: "time" } }),
  uuid: object({ id: { type: "string", format: "uuid" } }),
  pattern: object({ plate: { type: "string", pattern: "^[A-Z]{2}-[0-9]{2,4}( x|ü)?$" } }),
  odd_keys: object({ 'say "hi"': { type: "boolean" }, "é\\": text(2), $ref: { type: "null" } }),
};

/** Tools of every kind of schema that grammars know, and the schemas by their names. */
export const callSchemas: ReadonlyMap<string, object> = new Map(Object.entries(SCHEMAS));

export const callDefinitions: readonly ToolDefinition[] = Object.entries(SCHEMAS).map(
  ([name, parameters]) => ({ type: "function", function: { name, parameters } }),
);
