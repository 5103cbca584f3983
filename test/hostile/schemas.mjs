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

// What llama.cpp would say on stderr.
for (const pattern of ["[0-9]+", "^\\d$", "^(?=a)a$", `^${"(".repeat(1e5)}a$`]) {
  assert.match(Grammar.jsonSchema(string(pattern)).source, /root ::= string\n/);
}
Grammar.jsonSchema({ $ref: "#/$defs/d0", $defs: chain });
Grammar.jsonSchema({ properties: { ["_".repeat(4000)]: { type: "null" } } });
Grammar.jsonSchema(string(`^${"a".repeat(500_000)}$`));

const unsupported = [
  { $ref: "https://example.com/schema.json" },
  { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } },
  { allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { $ref: "#/$defs/a" } } },
  { $ref: "#/$defs/a", $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { type: "null" }] } } },
  { type: "array", minItems: 5000 },
  { type: "array", minItems: 2, maxItems: 1 },
  { type: "string", minLength: 2 ** 40 },
  { type: "integer", minimum: 2 ** 63 },
  { type: "integer", minimum: 2, maximum: 1 },
  { type: Array(1000).fill("object") },
  { properties: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, {}])) },
  string("^(a$"),
  string("^a**$"),
  string("^a{9999}$"),
  string(`^${"a*".repeat(1e5)}$`),
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
