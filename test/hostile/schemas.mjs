// Schemas that could kill the process, hang it or make llama.cpp talk: not a word may come out.
import assert from "node:assert";
import { Grammar } from "../../dist/index.js";

function refused(schema, code) {
  assert.throws(() => Grammar.jsonSchema(schema), { code });
}

const string = (pattern) => ({ type: "string", pattern });
const chain = Object.fromEntries(
  Array.from({ length: 900 }, (_, i) => [
    `d${i}`,
    { type: "object", properties: { x: { $ref: `#/$defs/d${i + 1}` } } },
  ]),
);
chain.d900 = { type: "null" };

Grammar.jsonSchema({ $ref: "#/$defs/d0", $defs: chain });
Grammar.jsonSchema({ properties: { ["_".repeat(4000)]: { type: "null" } } });
Grammar.jsonSchema({ type: "array", minItems: 5000 });
Grammar.jsonSchema({ type: "string", minLength: 2 ** 40 });
Grammar.jsonSchema({ type: "string", maxLength: 2 ** 40 });
Grammar.jsonSchema({ type: "integer", minimum: 2 ** 63 });
const many = Array.from({ length: 2000 }, (_, i) => [`p${i}`, {}]);
Grammar.jsonSchema({ properties: Object.fromEntries(many) });
const values = Array.from({ length: 20_000 }, (_, i) => `value ${i}`);
Grammar.jsonSchema({ enum: values });

// Each pair of references meets in a place that no other does.
const meeting = {};
for (let i = 0; i < 24; i++) {
  const next = (step) => ({ $ref: `#/$defs/s${(i * 5 + step) % 24}` });
  meeting[`s${i}`] = {
    allOf: [{ properties: { x: next(1) } }, { properties: { x: next(7) } }, next(11)],
  };
}
Grammar.jsonSchema(string(`^(${"(a|b)*c".repeat(30)}){30}$`));
const choices = (count, branch) => ({
  allOf: Array.from({ length: count }, (_, i) => ({ anyOf: [branch(i, 0), branch(i, 1)] })),
});

const unsupported = [
  { $ref: "https://example.com/schema.json" },
  { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } },
  { allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { $ref: "#/$defs/a" } } },
  { $ref: "#/$defs/a", $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { type: "null" }] } } },
  { $ref: "#/$defs/s0", $defs: meeting },
  { type: "array", minItems: 2, maxItems: 1 },
  { type: "integer", minimum: 2, maximum: 1 },
  choices(40, (i, k) => ({ required: [`${"ab"[k]}${i}`] })),
  choices(40, (i, k) => ({ properties: { [`p${i}`]: { minimum: k } } })),
  string("^(a$"),
  string("^a**$"),
  string("^a{99999}$"),
  string(`^${"a?".repeat(1e4)}$`),
  string("a.{30}"),
  string(`^${"(".repeat(1e4)}a${")".repeat(1e4)}$`),
];
for (const schema of unsupported) refused(schema, "ERR_SCHEMA_UNSUPPORTED");

// Each level doubles what comes below it.
let shared = {};
let listed = {};
for (let i = 0; i < 40; i++) {
  shared = { anyOf: [shared, shared] };
  listed = { type: ["object", "array"], properties: { a: listed }, items: listed };
}
let deep = {};
for (let i = 0; i < 1e5; i++) deep = { items: deep };
for (const schema of [shared, listed, deep]) refused(schema, "ERR_SCHEMA_UNSUPPORTED");
