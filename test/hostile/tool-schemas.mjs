// Schemas of tools that a client could send: of each a grammar is made, whatever llama.cpp's converter would make of
// it, and one that Grammar.gbnf() takes. Nothing is printed.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Grammar } from "../../dist/index.js";
import { requestOf, vocabularyModel } from "../support/vocabulary-model.mjs";

const [, , vocabulary, templates] = process.argv;
const model = await vocabularyModel(vocabulary);
/** Of each kind: JSON calls, marked arguments, marks inside of arguments, and handlers of llama.cpp's own. */
const NAMES = [
  "Qwen-Qwen2.5-7B-Instruct",
  "Qwen3-Coder",
  "MiniMax-M3",
  "inclusionai-ling-3.0-flash",
  "openai-gpt-oss-120b",
  "google-gemma-4-31B-it",
  "GLM-4.6",
];
const SOURCES = NAMES.map((name) => readFileSync(join(templates, `${name}.jinja`), "utf8"));

let id = 0;
async function grammarOf(template, schemas) {
  const tools = schemas.map((parameters, index) => ({
    type: "function",
    function: { name: `odd_${index}`, parameters },
  }));
  const format = await model.startFormat(++id, requestOf(template, undefined, tools));
  return format.grammar;
}

const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const named = (count, make) => Object.fromEntries(many(count, make));
const object = (properties, more) => ({ type: "object", properties, ...more });
const nested = (depth, around, inner = { type: "string" }) =>
  depth === 0 ? inner : around(nested(depth - 1, around, inner));
const ref = (name) => ({ $ref: `#/$defs/${name}` });
/** Each of 40 asks twice for the next one. */
const doubled = (twice) =>
  object(
    { x: ref("d0") },
    { $defs: { ...named(40, (i) => [`d${i}`, twice(ref(`d${i + 1}`))]), d40: {} } },
  );

const SCHEMAS = {
  "is in itself, behind allOf": object(
    { root: ref("n") },
    { $defs: { n: object({ child: { description: "next", allOf: [ref("n")] } }) } },
  ),
  "refers to itself": object({ x: { allOf: [ref("a")] } }, { $defs: { a: ref("a") } }),
  "refers to itself, plainly": object({ x: ref("a") }, { $defs: { a: ref("a") } }),
  "is one of itself": object(
    { x: ref("a") },
    { $defs: { a: { anyOf: [ref("a"), { type: "null" }] } } },
  ),
  "doubles in parts": doubled((next) => object({ p: { allOf: [next] }, q: { allOf: [next] } })),
  "doubles in properties": doubled((next) => object({ p: next, q: next })),
  "doubles in branches": doubled((next) => ({ anyOf: [next, next] })),
  "doubles in parts of parts": doubled((next) => ({ allOf: [next, next] })),
  "doubles by its types": object({
    a: nested(40, (a) => ({ type: ["object", "object"], properties: { a } })),
  }),
  "has all types on every level": object({
    a: nested(40, (a) => ({ type: ["object", "array", "null"], properties: { a }, items: {} })),
  }),
  "has a type ten thousand times, and ten thousand values": object({
    a: { type: many(10_000, () => "string"), enum: many(10_000, (i) => `v${i}`) },
  }),
  "has a long name": object({ ["_".repeat(400_000)]: { type: "string" } }),
  "has a name that another one cannot be": object(
    { ["x".repeat(250)]: {} },
    { additionalProperties: true },
  ),
  "has names of odd characters": object(
    { "a]b": {}, "\\": {}, "^": {}, '"': {}, "[": {}, "\n": {}, é: {} },
    { additionalProperties: { type: "string" } },
  ),
  "has 5,000 properties": object(named(5000, (i) => [`p${i}`, {}])),
  "has 9,000 properties in parts": object({
    x: { allOf: many(300, (i) => object(named(30, (k) => [`p${i}-${k}`, {}]))) },
  }),
  "has long names on many levels": object({
    x: nested(60, (x) => object({ ["n".repeat(120)]: x, y: {}, z: {} })),
  }),
  "is deep": nested(60, (a) => object({ a }), object({})),
  "refers to itself by #": object({ child: { $ref: "#" } }),
  "has a property of any value": object({ x: true, y: { type: "array", items: true } }),
  "has a property that none can have": object({ x: false }),
  "has an encoded reference": object(
    { x: { $ref: "#/definitions/Record%3Cstring%3E" }, y: { $ref: "#/definitions/a~1b" } },
    { definitions: { "Record<string>": { type: "object" }, "a/b": { type: "integer" } } },
  ),
  "has references to anchors": object(
    { x: { $ref: "#name" } },
    { $defs: { a: { $anchor: "name" } } },
  ),
  "has references that lead nowhere": object({
    x: { $ref: "#/$defs/a" },
    y: { $ref: "http://a/b" },
  }),
  "has a reference into a list": object({
    x: { anyOf: [{ type: "null" }] },
    y: { $ref: "#/properties/x/anyOf/0" },
  }),
  "has nulls for what is not given": object({
    x: {
      type: "string",
      minLength: null,
      format: null,
      pattern: null,
      description: null,
      enum: null,
    },
    y: { type: "array", items: null, minItems: null },
    z: { type: "object", additionalProperties: null, properties: null },
  }),
  "has bounds too high": object({
    a: { type: "integer", maximum: 1e30 },
    b: { type: "integer", minimum: -1e30, maximum: 9223372036854776000 },
    c: { type: "integer", minimum: 2e15 },
    d: { type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 },
    e: { type: "integer", exclusiveMaximum: -(2 ** 63) },
  }),
  "has bounds that nothing fits": object({
    a: { type: "integer", minimum: 5, maximum: 1 },
    b: { type: "array", minItems: 5, maxItems: 2 },
    c: { type: "string", minLength: 9, maxLength: 3 },
    d: { type: "integer", exclusiveMinimum: 1, exclusiveMaximum: 2 },
  }),
  "has draft 4's bounds": object({ a: { type: "integer", minimum: 5, exclusiveMinimum: true } }),
  "counts far": object({
    a: { type: "string", minLength: 5000, maxLength: 2 ** 40 },
    b: { type: "array", items: {}, minItems: 3000, maxItems: 65_535 },
    c: { type: "array", items: {}, maxItems: 0 },
    d: { type: "string", maxLength: -1 },
    e: { type: "string", maxLength: 1.5 },
  }),
  "counts far in many places": object(
    named(100, (i) => [`p${i}`, { type: "string", maxLength: 2000 }]),
  ),
  "has types that there are not": object({ a: { type: "any" }, b: { type: [] }, c: { type: 5 } }),
  "has lists that are none": object({
    a: { anyOf: "x" },
    b: { enum: {} },
    c: { allOf: [] },
    d: { enum: [] },
  }),
  "has a pattern": object({
    a: { type: "string", pattern: "^(?=a)b" },
    pattern: { type: "string" },
  }),
  "has a pattern in what is data": object({
    a: { default: { type: "string", pattern: "^(?=a)b" } },
    b: { $ref: "#/properties/a/default" },
  }),
  "has many values": object({ a: { enum: many(20_000, (i) => `value ${i}`) } }),
  "has a value of many": object({ a: { const: many(20_000, (i) => ({ i })) } }),
  "is no object": { type: "string" },
  "is a reference": { ...ref("a"), $defs: { a: object({ x: {} }) } },
};

for (const [name, schema] of Object.entries(SCHEMAS)) {
  for (const [index, source] of SOURCES.entries()) {
    try {
      const grammar = await grammarOf(source, [schema]);
      assert.match(grammar, /odd/);
      Grammar.gbnf(grammar);
    } catch (error) {
      throw new Error(
        `A tool whose schema ${name}, ${NAMES[index]}: ${error.message}`.slice(0, 2000),
      );
    }
  }
}

// What one tool calls a Node is not what another one does.
const [json, marked] = SOURCES;
const node = (type) =>
  object({ x: ref("Node") }, { $defs: { Node: object({ [`own_${type}`]: { type } }) } });
for (const source of [json, marked]) {
  const grammar = await grammarOf(source, [node("integer"), node("boolean")]);
  assert.match(grammar, /own_integer/);
  assert.match(grammar, /own_boolean/);
}
// What a grammar can be made of is not given up.
const kept = await grammarOf(json, [
  object(
    { unit: { enum: ["C", "F"] }, tree: ref("t") },
    { $defs: { t: object({ more: { type: "array", items: ref("t") } }) } },
  ),
]);
assert.match(kept, /\\"C\\"/);
assert.match(kept, /\\"more\\"/);

// Together they may be more than there is room for: then those behind stand for anything.
const large = object(named(100, (i) => [`property_${i}`, { type: "string", maxLength: 100 }]));
Grammar.gbnf(
  await grammarOf(
    json,
    many(100, () => large),
  ),
);
Grammar.gbnf(
  await grammarOf(
    json,
    many(100, () => SCHEMAS["doubles in parts"]),
  ),
);

// Their choice takes the square of their number.
const code = "ERR_INVALID_ARGUMENT";
await assert.rejects(
  grammarOf(
    json,
    many(20_000, () => object({})),
  ),
  { code },
);

// And whatever else: xorshift32.
let state = 20261129;
const below = (limit) => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
};
const pick = (all) => all[below(all.length)];
const NUMBERS = [0, 1, 2, -1, 5, 1.5, 100, 1999, 2001, 1e6, 2 ** 40, 1e15, 1e18, 1e30, null, "x"];
const TYPES = ["object", "array", "string", "integer", "number", "boolean", "null", "any"];
const KEYWORDS = {
  type: () => (below(4) === 0 ? many(below(4), () => pick(TYPES)) : pick(TYPES)),
  properties: (depth) =>
    named(below(5), () => [pick(["a", "b", "a_b", "é]", "pattern"]), random(depth)]),
  required: () => pick([["a"], ["a", "b"], [], null, "a"]),
  additionalProperties: (depth) => pick([true, false, null, random(depth)]),
  items: (depth) => pick([random(depth), true, [random(depth)]]),
  prefixItems: (depth) => many(below(3), () => random(depth)),
  anyOf: (depth) => many(below(3), () => random(depth)),
  oneOf: (depth) => many(1 + below(2), () => random(depth)),
  allOf: (depth) => many(1 + below(3), () => random(depth)),
  $ref: () => pick(["#/$defs/a", "#/$defs/b", "#", "#/properties/a", "#/$defs/c", null]),
  enum: () => pick([["x", 1, null], [], [["\\", '"']], [{ a: "]" }]]),
  const: () => pick([null, "x\n", { a: [1] }]),
  minLength: () => pick(NUMBERS),
  maxLength: () => pick(NUMBERS),
  minItems: () => pick(NUMBERS),
  maxItems: () => pick(NUMBERS),
  minimum: () => pick(NUMBERS),
  maximum: () => pick(NUMBERS),
  exclusiveMinimum: () => pick(NUMBERS),
  exclusiveMaximum: () => pick(NUMBERS),
  format: () => pick(["date", "time", "date-time", "uuid", "uuid9", null, 1]),
  pattern: () => pick(["^a$", "(?=a)", null]),
};
function random(depth) {
  if (depth === 0) return pick([{}, true, { type: "string" }, { $ref: "#/$defs/a" }]);
  return named(below(4), () => {
    const keyword = pick(Object.keys(KEYWORDS));
    return [keyword, KEYWORDS[keyword](depth - 1)];
  });
}
for (let i = 0; i < 600; i++) {
  const schema = object(
    { a: random(4), b: random(4) },
    { $defs: { a: random(3), b: random(3) }, required: pick([["a"], []]) },
  );
  const index = below(SOURCES.length);
  try {
    Grammar.gbnf(await grammarOf(SOURCES[index], [schema]));
  } catch (error) {
    throw new Error(`${NAMES[index]}, ${JSON.stringify(schema)}: ${error.message}`.slice(0, 3000));
  }
}

await model.closeWork();
await model.close();
