import { Grammar } from "../../lib/index.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";

// Each is refused at once, or has a right grammar: nothing hangs, fills the memory or lets an invalid value in.

const many = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));
const named = <T>(count: number, make: (index: number) => [string, T]) =>
  Object.fromEntries(many(count, make));
function nested(depth: number, around: (inner: object) => object, inner: object): object {
  let schema = inner;
  for (let i = 0; i < depth; i++) schema = around(schema);
  return schema;
}
const text = (pattern: string) => ({ type: "string", pattern });
const defs = ($defs: object) => ({ $ref: "#/$defs/a", $defs });
const self = { $ref: "#/$defs/a" };
/** Each level asks twice for the next one. */
const doubled = (twice: (next: object) => object) => ({
  $ref: "#/$defs/d0",
  $defs: {
    ...named(60, (i) => [`d${i}`, twice({ $ref: `#/$defs/d${i + 1}` })]),
    d60: { type: "null" },
  },
});
// biome-ignore lint/suspicious/noThenProperty: a keyword
const THEN = { then: { type: "string" }, else: { type: "number" } };
const han = (index: number) => String.fromCodePoint(0x4e00 + index);
const parsed = (json: string) => JSON.parse(json) as object;

test.each<[string, object, string]>([
  [
    "2,000 values in 300 ways",
    {
      enum: many(2000, (i) => `v${i}`),
      anyOf: many(300, (i) => ({ not: { const: `x${i}` } })),
    },
    "#",
  ],
  ["a bound near infinity", { type: "number", minimum: 1.5e308 }, "#/minimum"],
  ["the other one", { type: "number", exclusiveMaximum: -1.5e308 }, "#/exclusiveMaximum"],
  [
    "the lower one of two",
    { type: "number", maximum: 1.6e308, minimum: 5, exclusiveMinimum: 1.5e308 },
    "#/exclusiveMinimum",
  ],
  [
    "a number near infinity left out",
    { type: "number", maximum: 5, not: { const: 1.5e308 } },
    "#/not/const",
  ],
  ["above all numbers", { exclusiveMinimum: Number.MAX_VALUE }, "#/exclusiveMinimum"],
  [
    "the largest number left out",
    { type: "number", not: { const: Number.MAX_VALUE } },
    "#/not/const",
  ],
  ["integers beyond 1e21", { type: "integer", minimum: 1e21, multipleOf: 1 }, "#/minimum"],
  ["integers below -1e21", { type: "integer", maximum: -1e21 }, "#/maximum"],
  ["its opposite", { type: "number", not: { enum: [-Number.MAX_VALUE] } }, "#/not/enum"],
  ...[
    ["halves", "number", 2 ** 52, 2 ** 52, 0.5],
    ["even ones", "integer", 1e20, 1e20, 2],
    ["even ones from there on", "integer", 1e15, undefined, 2],
    ["eighths of the largest", "integer", 2 ** 64, 2 ** 64, 8],
  ].map(([what, type, minimum, maximum, multipleOf]): [string, object, string] => [
    `multiples beyond the exact integers: ${what}`,
    { type, minimum, ...(maximum === undefined ? {} : { maximum }), multipleOf },
    "#/multipleOf",
  ]),
  ["repetitions in repetitions of repetitions", text("^((a{1,30}){1,30}){1,30}$"), "#/pattern"],
  ["a repetition without end", text("^a{0,4294967295}$"), "#/pattern"],
  [
    "lookaheads one in the other",
    text(`^${"(?:".repeat(200)}(?=ab)${")".repeat(200)}`),
    "#/pattern",
  ],
  [
    "2,500 characters that another may not follow",
    text(`^(?:${many(2500, (i) => `${han(i)}(?!${han(i + 1)})`).join("|")})*$`),
    "#/pattern",
  ],
  ["groups within groups", text(`${"(".repeat(9000)}a${")".repeat(9000)}`), "#/pattern"],
  ["12 lookaheads", text(many(12, (i) => `(?=.*${"abcdefghijkl"[i]})`).join("")), "#/pattern"],
  ["300 of them", text(many(300, (i) => `(?!.*word${i})`).join("")), "#/pattern"],
  [
    "20 patterns at once",
    { allOf: many(20, (i) => text(`${"abcdefghijklmnopqrst"[i]}.{3}`)) },
    "#/allOf/0/pattern",
  ],
  [
    "50 patterns of very many states",
    { properties: named(50, (i) => [`p${i}`, text(`^((a{0,30}){0,30}){0,${i + 10}}$`)]) },
    "#/properties/p2/pattern",
  ],
  [
    "5,000 pairs of as many characters",
    text(`(?:${many(5000, (i) => han(i) + han((i * 7) % 5000)).join("|")})`),
    "#/pattern",
  ],
  [
    "1,000 bounds of 16 digits each",
    {
      properties: named(1000, (i) => [
        `p${i}`,
        {
          type: "number",
          minimum: -1234567.890123456 / (i + 1),
          maximum: 12345.67890123456 * (i + 1),
        },
      ]),
    },
    "#/properties/p326",
  ],
  [
    "many numbers that are no integers left out",
    { type: "number", not: { enum: many(3000, (i) => i + 0.5) } },
    "#/not/enum",
  ],
  [
    "these and multiples",
    { type: "integer", multipleOf: 7, not: { enum: many(60, (i) => 2 ** 60 * (i + 1)) } },
    "#/not/enum",
  ],
  [
    "5,000 schemas of a property each",
    { allOf: many(5000, (i) => ({ properties: { [`p${i}`]: {} } })) },
    "#/allOf/0/properties",
  ],
  [
    "a name of half a million characters",
    { properties: { ["x".repeat(500_000)]: {} } },
    "#/properties",
  ],
  [
    "10,000 branches of one",
    { oneOf: many(10_000, (i) => ({ properties: { k: { const: i } }, required: ["k"] })) },
    "#/oneOf/0/properties",
  ],
  [
    "branches that overlap",
    { oneOf: many(450, (i) => ({ required: [`k${i}`] })) },
    "#/oneOf/169/required",
  ],
  [
    "10,000 branches",
    { anyOf: many(10_000, (i) => ({ properties: { [`k${i}`]: {} } })) },
    "#/anyOf",
  ],
  ["conditions in conditions", nested(60, (x) => ({ if: x, ...THEN }), { type: "string" }), "#"],
  ["a reference to what it is not", defs({ a: { not: self } }), "#/$ref"],
  ["a condition on itself", defs({ a: { if: self, else: { type: "null" } } }), "#/$ref"],
  ["one of itself and another", defs({ a: { oneOf: [self, { type: "null" }] } }), "#/$ref"],
  [
    "a circle through others",
    defs({ a: { allOf: [{ $ref: "#/$defs/b" }] }, b: { anyOf: [self] } }),
    "#/$ref",
  ],
  ["what never ends", defs({ a: { type: "array", minItems: 1, items: self } }), "#"],
  [
    "a chain of 1,000",
    {
      $ref: "#/$defs/d0",
      $defs: { ...named(1000, (i) => [`d${i}`, { $ref: `#/$defs/d${i + 1}` }]), d1000: {} },
    },
    "#/$defs/d500/$ref",
  ],
  ["one of two equal ones, 60 times", doubled((next) => ({ oneOf: [next, next] })), "#"],
  [
    "two schemas of one $id",
    { $ref: "x", $defs: { a: { $id: "x", type: "string" }, b: { $id: "x", type: "null" } } },
    "#/$ref",
  ],
  [
    "two of one $anchor",
    { $ref: "#x", $defs: { a: { $anchor: "x", type: "string" }, b: { $anchor: "x" } } },
    "#/$ref",
  ],
  [
    "the $id of the root within it",
    {
      $id: "https://a.b/c",
      $ref: "https://a.b/c#/$defs/a",
      $defs: { a: { $id: "https://a.b/c" } },
    },
    "#/$ref",
  ],
  ["what objects inherit", { $ref: "#/$defs/toString", $defs: {} }, "#/$ref"],
  ["their prototype", { $ref: "#/__proto__" }, "#/$ref"],
  ["an index with a 0 in front", { anyOf: [{}], $ref: "#/anyOf/00" }, "#/$ref"],
  ["the length of a list", { allOf: [{}], $ref: "#/allOf/length" }, "#/$ref"],
  ["10,000 optional properties", { properties: named(10_000, (i) => [`p${i}`, {}]) }, "#"],
])("refused: %s", (_, schema, path) => {
  expect(() => Grammar.jsonSchema(schema)).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      details: expect.objectContaining({ path }),
    }),
  );
});

test.each<[string, object, readonly string[], readonly string[]]>([
  ["an even number of nots", nested(190, (x) => ({ not: x }), { const: 1 }), ["1"], ["2", "null"]],
  ["an odd number of nots", nested(189, (x) => ({ not: x }), { type: "null" }), ["1"], ["null"]],
  [
    "not itself within",
    { properties: { a: { not: { $ref: "#" } } }, required: ["a"] },
    ['{"a":{}}'],
    ["{}", '{"a":1}', '{"a":{"a":{}}}'],
  ],
  ["all twice", doubled((next) => ({ allOf: [next, next] })), ["null"], ["1"]],
  ["any twice", doubled((next) => ({ anyOf: [next, next] })), ["null"], ["1"]],
  [
    "pairs of pairs",
    doubled((next) => ({
      anyOf: [{ type: "null" }, { type: "array", items: next, minItems: 2, maxItems: 2 }],
    })),
    ["null", "[null,[null,null]]"],
    ["[null]", "[1,null]"],
  ],
  ["90,000 integers", { enum: many(90_000, (i) => i * 2) }, ["0", "179998"], ["1", "180000", "-0"]],
  [
    "integers left out",
    { type: "integer", not: { enum: many(3000, (i) => i * 7) } },
    ["1", "-7", "20999"],
    ["0", "-0", "7", "20993"],
  ],
  [
    "texts left out",
    { type: "string", not: { enum: many(3000, (i) => `v${i}`) } },
    ['"v3000"', '"v"'],
    ['"v0"', '"v2999"', '"\\u0076\\u0030"'],
  ],
  ...[2 ** 31 - 1, 2 ** 52, Number.MAX_SAFE_INTEGER, 1e308].flatMap(
    (most): [string, object, string[], string[]][] => [
      [
        `a pattern of up to ${most} characters`,
        { type: "string", pattern: "^[a-z]+$", minLength: 1, maxLength: most },
        ['"a"', '"abcd"'],
        ['""', '"A"'],
      ],
      [
        `names of up to ${most} characters`,
        { type: "object", propertyNames: { pattern: "^[a-z]{3}$", minLength: 4, maxLength: most } },
        ["{}"],
        ['{"abc":1}', '{"abcd":1}'],
      ],
      [
        `up to ${most} properties and items`,
        { type: ["object", "array"], maxProperties: most, maxItems: most },
        ["{}", '{"a":1,"b":2}', "[]", "[1,2]"],
        ["1"],
      ],
    ],
  ),
  [
    "a short pattern of up to a billion characters",
    { type: "string", pattern: "^[a-z]{0,10}!?$", minLength: 5, maxLength: 1e9 },
    ['"abcd!"', '"abcdefghij!"'],
    ['"abc!"', '"abcdefghijk!"'],
  ],
  ["a text of a megabyte's eighth", { const: "x".repeat(125_000) }, [], ['"x"']],
  ["billions of characters", { type: "string", minLength: 1e9 }, [], ['""', '"a"']],
  ["1e308 characters", { type: "string", minLength: 1e308 }, [], ['"a"']],
  [
    "billions of items",
    { type: "array", maxItems: 1e9, items: { const: 1 } },
    ["[]", "[1,1]"],
    ["[2]"],
  ],
  [
    "a double's edge",
    { type: "number", exclusiveMinimum: -5e-324, exclusiveMaximum: 5e-324 },
    ["0"],
    ["5e-324", "1", "-1"],
  ],
  ["0 below 0", { const: -0 }, ["0"], ["1"]],
  ["repetitions without an end in each other", text("^((((a*)*)*)*)*$"), ['""', '"aaa"'], ['"b"']],
  ["repetitions that never come", text("^(?:(?:(?:a{0,100}){0,100}){0,0})$"), ['""'], ['"a"']],
  [
    "prototypes' names",
    parsed(
      '{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"const":1}},"required":["__proto__"],"additionalProperties":false}',
    ),
    ['{"__proto__":"x"}', '{"__proto__":"","constructor":1}'],
    ["{}", '{"__proto__":1}', '{"constructor":1}', '{"__proto__":"","toString":1}'],
  ],
  [
    "a definition of that name",
    parsed('{"$ref":"#/$defs/__proto__","$defs":{"__proto__":{"type":"null"}}}'),
    ["null"],
    ["1", "{}"],
  ],
  ["a value of that name", parsed('{"enum":[{"__proto__":1}]}'), ['{"__proto__":1}'], ["{}"]],
  [
    "that name required",
    { type: "object", required: ["__proto__", "toString"] },
    ['{"__proto__":1,"toString":2}'],
    ["{}", '{"toString":2}'],
  ],
  [
    "keywords that objects inherit",
    { constructor: 1, toString: 5, type: "null" } as object,
    ["null"],
    ["1"],
  ],
  [
    "a pointer of percents",
    { $ref: "#/$defs/a%25b%22c~1d", $defs: { 'a%b"c/d': { type: "null" } } },
    ["null"],
    ["1"],
  ],
  [
    "a percent that is none",
    { $ref: "#/$defs/a%zz", $defs: { "a%zz": { type: "null" } } },
    ["null"],
    ["1"],
  ],
  ["an empty name", { $ref: "#/$defs/", $defs: { "": { type: "null" } } }, ["null"], ["1"]],
  [
    "one $id twice for the same",
    { $ref: "x", $defs: { a: { $id: "x", type: "null" }, b: { $id: "x", type: "null" } } },
    ["null"],
    ["1"],
  ],
  [
    "a dynamic anchor",
    {
      $dynamicRef: "#n",
      $defs: { a: { $dynamicAnchor: "n", type: "array", items: { $dynamicRef: "#n" } } },
    },
    ["[[],[[]]]"],
    ["[1]", "1"],
  ],
  [
    "10,000 required properties",
    {
      properties: named(10_000, (i) => [`p${i}`, { const: i }]),
      required: many(10_000, (i) => `p${i}`),
      type: "object",
    },
    [JSON.stringify(named(10_000, (i) => [`p${i}`, i]))],
    ["{}", '{"p0":0}'],
  ],
  [
    "10,000 items in their places",
    { type: "array", prefixItems: many(10_000, (i) => ({ const: i })) },
    ["[0,1,2]"],
    ["[0,2]"],
  ],
  [
    "bounds near infinity",
    { type: "number", exclusiveMinimum: -1.5e308, maximum: 1.5e308 },
    ["1.5e308", "-1.4e308", "7", "1e-9"],
    ["1.6e308", "-1.5e308", "1e309"],
  ],
  ["a keyword that there is not", { type: "string", maxLenght: 1 } as object, ['"abc"'], ["1"]],
])("%s", (_, schema, valid, invalid) => {
  const { source } = Grammar.jsonSchema(schema);
  const matcher = new GbnfMatcher(source);
  for (const one of valid) expect([one, matcher.reach(one)]).toEqual([one, "whole"]);
  for (const one of invalid) expect([one, matcher.matches(one)]).toEqual([one, false]);
});

test("names of every odd character stand in the grammar as themselves", () => {
  const names = [
    ...' "\\\n\0\u007f\u2028é😀/~[]#<>{}|()*`.+?^$:=-0\ufeff\uffff\u{10ffff}',
    "",
    "::=",
    "root",
    "e\u0301",
    "$ref",
  ];
  const schema = {
    type: "object",
    properties: Object.fromEntries(names.map((name, index) => [name, { const: index }])),
    additionalProperties: false,
  };
  const matcher = new GbnfMatcher(Grammar.jsonSchema(schema).source);
  for (const [index, name] of names.entries()) {
    const object = (value: number) => JSON.stringify({ [name]: value });
    expect([name, matcher.matches(object(index))]).toEqual([name, true]);
    expect([name, matcher.matches(object(index + 1))]).toEqual([name, false]);
  }
});

const endless: ProxyHandler<object> = {
  ownKeys: () => ["items"],
  getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  get: (_, key) => (key === "items" ? new Proxy({}, endless) : undefined),
};
const wide: ProxyHandler<object> = {
  ownKeys: () => many(200_000, String),
  getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  get: () => true,
};
const sparse: unknown[] = [];
sparse[2 ** 32 - 2] = 1;

test.each<[string, unknown, string]>([
  ["a bigint", { const: 10n }, "ERR_INVALID_ARGUMENT"],
  ["no number", { const: Number.NaN }, "ERR_INVALID_ARGUMENT"],
  ["infinity", { minimum: Number.POSITIVE_INFINITY }, "ERR_INVALID_ARGUMENT"],
  ["a symbol", { const: Symbol("x") }, "ERR_INVALID_ARGUMENT"],
  ["a function", { const: () => 1 }, "ERR_INVALID_ARGUMENT"],
  ["a date", { const: new Date(0) }, "ERR_INVALID_ARGUMENT"],
  ["a map", { properties: new Map() }, "ERR_INVALID_ARGUMENT"],
  ["a boxed text", { const: new String("a") }, "ERR_INVALID_ARGUMENT"],
  ["a RegExp", { pattern: /a/ }, "ERR_INVALID_ARGUMENT"],
  ["holes", { enum: sparse }, "ERR_INVALID_ARGUMENT"],
  ["half a character", { properties: { "\ud800": {} } }, "ERR_INVALID_ARGUMENT"],
  ["an object of a class", new (class Schema {})(), "ERR_INVALID_ARGUMENT"],
  ["a proxy without an end below", new Proxy({}, endless), "ERR_SCHEMA_UNSUPPORTED"],
  ["a proxy of too many keys", new Proxy({}, wide), "ERR_SCHEMA_UNSUPPORTED"],
])("no schema: %s", (_, schema, code) => {
  expect(() => Grammar.jsonSchema(schema as object)).toThrow(expect.objectContaining({ code }));
});

test("a property is read once, and what throws is told", () => {
  let read = 0;
  const changing = {
    get type() {
      return read++ === 0 ? "null" : "string";
    },
  };
  const matcher = new GbnfMatcher(Grammar.jsonSchema(changing).source);
  expect([matcher.matches("null"), matcher.matches('"a"')]).toEqual([true, false]);
  const throwing = {
    get type() {
      throw new Error("no");
    },
  };
  expect(() => Grammar.jsonSchema(throwing)).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
  );
});

test("what is kept of other schemas does not decide which schema is too much", () => {
  // Few states each, so that all are kept, but a long way to them.
  const one = (index: number) => text(`^\\p{Lu}{${index + 1}}$`);
  const all = { type: "object", properties: named(400, (i) => [`p${i}`, one(i)]) };
  const reason = () => {
    try {
      Grammar.jsonSchema(structuredClone(all));
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };
  const first = reason();
  expect(first).toMatch(/take too many states, at #\/properties\/p\d+\/pattern$/);
  for (let i = 0; i < 100; i++) Grammar.jsonSchema(one(i));
  expect(reason()).toBe(first);
});
