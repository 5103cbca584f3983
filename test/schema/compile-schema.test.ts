import { Grammar } from "../../lib/index.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";

const text = (more: object) => ({ type: "string", ...more });
const named = (properties: object, more: object = {}) => ({ type: "object", properties, ...more });

/** What a schema lets through, and what it does not, as JSON texts. */
type Case = [name: string, schema: object, valid: readonly string[], invalid: readonly string[]];

const STRINGS: Case[] = [
  [
    "any",
    text({}),
    ['""', '"a\\n\\u00e9é😀"', '"\\ud83d\\ude00"'],
    ['"\n"', '"\\ud83d"', '"\\x"', '"a'],
  ],
  [
    "lengths in characters",
    text({ minLength: 1, maxLength: 2 }),
    ['"😀😀"', '"\\ud83d\\ude00a"', '"\\n"'],
    ['""', '"abc"', '"😀😀😀"'],
  ],
  ["one emoji is one", text({ maxLength: 1 }), ['"😀"', '"\\uD83D\\uDE00"'], ['"\\ud83d\\u0041"']],
  [
    "a long limit",
    text({ minLength: 3, maxLength: 5000 }),
    ['"abc"', `"${"a".repeat(5000)}"`, `"${"é".repeat(4097)}"`],
    ['"ab"', `"${"a".repeat(5001)}"`],
  ],
  [
    "a slash that is escaped",
    text({ pattern: "^https:\\/\\/[a-z]+$" }),
    ['"https://abc"'],
    ['"https:abc"', '"x"'],
  ],
  [
    "an escape that the flag u refuses",
    text({ pattern: "^https\\:\\/\\/\\-$" }),
    ['"https://-"'],
    ['"https"'],
  ],
  [
    "anchors in each way",
    text({ pattern: "^yes$|^no$" }),
    ['"yes"', '"no"'],
    ['"yes no"', '"yesno"', '""'],
  ],
  ["anchors in one way", text({ pattern: "^a|b$" }), ['"ax"', '"xb"', '"a"'], ['"xa"', '"bx"']],
  ["an underscore that is escaped", text({ pattern: "^\\_+$" }), ['"__"'], ['"a"', '""']],
  ["a code point", text({ pattern: "^\\u{1F600}$" }), ['"😀"'], ['"u"']],
  [
    "a class that only looks like POSIX's",
    text({ pattern: "^[[:digit:]]$" }),
    ['":]"', '"d]"'],
    ['"1"', '"1]"'],
  ],
  ["a stray bracket", text({ pattern: "^a]$" }), ['"a]"'], ['"a"']],
  [
    "any character",
    text({ pattern: "^.$" }),
    ['"\\""', '"\\\\"', '"\\t"', '"😀"'],
    ['"\\n"', '"""', '"\\"', '"ab"', '"\t"'],
  ],
  [
    "no such character",
    text({ pattern: "^[^x]$" }),
    ['"\\n"', '"\\u0001"', '"a"'],
    ['"x"', '"\n"', '"\\"'],
  ],
  ["quotes", text({ pattern: '^"[a-z]{3}"$' }), ['"\\"abc\\""'], ['"abc"']],
  ["a line end", text({ pattern: "^a\\nb$" }), ['"a\\nb"'], ['"a\nb"', '"anb"']],
  ["somewhere", text({ pattern: "a[0-9]" }), ['"xa1x"', '"aa1"'], ['"a"', '"1a"']],
  ["a word's edge", text({ pattern: "\\bfoo\\b" }), ['"a foo."', '"foo"'], ['"afoo"', '"foo1"']],
  [
    "what must be ahead",
    text({ pattern: "^(?=.*[A-Z])(?!.*\\d).{3,5}$" }),
    ['"abC"', '"ABCDE"'],
    ['"abc"', '"A1b"', '"AB"', '"ABCDEF"'],
  ],
  [
    "a pattern and lengths",
    text({ pattern: "^[a-z]+(-[a-z]+)*$", minLength: 3, maxLength: 4 }),
    ['"abc"', '"a-b"', '"ab-c"'],
    ['"ab"', '"abcde"', '"a--b"', '"ab-"'],
  ],
  [
    "a pattern with a loop, and a long limit",
    text({ pattern: "^data:[a-z]*$", maxLength: 3000 }),
    ['"data:"', `"data:${"a".repeat(2995)}"`],
    [`"data:${"a".repeat(2996)}"`, '"data"'],
  ],
  [
    "two patterns",
    { allOf: [text({ pattern: "^a" }), { pattern: "b$" }] },
    ['"ab"', '"axb"'],
    ['"a"', '"b"'],
  ],
  ["no pattern", text({ not: { pattern: "^a" } }), ['"b"', '""'], ['"a"', '"ab"']],
  [
    "no such value",
    text({ not: { enum: ["a", "b"] }, maxLength: 1 }),
    ['"c"', '""'],
    ['"a"', '"b"', '"cc"'],
  ],
  [
    "dates",
    text({ format: "date" }),
    ['"2024-02-29"', '"2000-02-29"', '"2023-12-31"'],
    ['"2023-02-29"', '"1900-02-29"', '"2023-04-31"', '"2023-13-01"', '"2023-1-1"'],
  ],
  [
    "times",
    text({ format: "date-time" }),
    ['"2023-01-01T23:59:59Z"', '"2023-01-01t00:00:00.5+05:30"', '"2016-12-31T23:59:60Z"'],
    ['"2023-01-01"', '"2023-01-01T24:00:00Z"', '"2023-01-01T00:00:00"', '"2023-01-01T10:59:60Z"'],
  ],
  [
    "mail",
    text({ format: "email" }),
    ['"a.b+c@d-e.org"'],
    ['"a"', '"a@b"', '"a@-b.c"', '".a@b.c"'],
  ],
  [
    "addresses",
    { anyOf: [text({ format: "ipv4" }), text({ format: "ipv6" })] },
    ['"1.2.3.255"', '"::1"', '"1:2::8"', '"::ffff:1.2.3.4"'],
    ['"256.1.1.1"', '"01.1.1.1"', '"1:2:3:4:5:6:7:8:9"', '":::"'],
  ],
  [
    "URIs",
    text({ format: "uri" }),
    ['"https://a.b/c?d=e#f"', '"urn:isbn:1"', '"mailto:a@b.c"'],
    ['"/a"', '"a b"', '"http://a b"', '"http://[::1"'],
  ],
  ["a format that nobody knows", text({ format: "colour" }), ['"red"'], ["1"]],
];

const NUMBERS: Case[] = [
  [
    "integers",
    { type: "integer" },
    ["0", "-7", "123456789012345678901"],
    ["-0", "01", "1.0", "1e3", "+1", "-"],
  ],
  [
    "numbers",
    { type: "number" },
    ["0", "-0.5", "1e10", "1.7976931348623157e+308", "5e-324", "-1.5E-7"],
    ["1e999", ".5", "1.", "01", "Infinity", `1${"0".repeat(400)}`, "2e308"],
  ],
  [
    "a lower bound",
    { type: "integer", minimum: 1024 },
    ["1024", "2000", "99999"],
    ["1023", "162", "0", "-1024", "-2000"],
  ],
  ["an upper bound", { type: "integer", maximum: -1 }, ["-1", "-20"], ["0", "-0", "-02", "1"]],
  [
    "between",
    { type: "integer", minimum: -17, maximum: 1234 },
    ["-17", "0", "999", "1234"],
    ["-18", "1235", "10000"],
  ],
  [
    "excluded bounds",
    { type: "integer", exclusiveMinimum: 5, exclusiveMaximum: 9 },
    ["6", "8"],
    ["5", "9", "60"],
  ],
  [
    "draft 4's",
    { type: "integer", minimum: 5, exclusiveMinimum: true, maximum: 7 },
    ["6", "7"],
    ["5", "8"],
  ],
  [
    "fractions between",
    { type: "number", minimum: -0.5, maximum: 10.25 },
    ["-0.5", "10.25", "10.2499999", "0", "3", "1e-9", "10.250"],
    ["-0.51", "10.26", "10.2500000001", "11", "1e1", "-1"],
  ],
  [
    "a fraction excluded",
    { type: "number", exclusiveMaximum: 10 },
    ["9.999999", "-5"],
    ["10", "10.0", "9.99999999999999999999"],
  ],
  [
    "above zero",
    { type: "number", exclusiveMinimum: 0 },
    ["0.1", "1e-30", "1e+21"],
    ["0", "-0", "0.0", "-1"],
  ],
  [
    "beyond 2^53",
    { type: "integer", minimum: 2 ** 53 + 2 },
    ["9007199254740994", "10000000000000000"],
    ["9007199254740992", "9007199254740993"],
  ],
  ["multiples", { type: "integer", multipleOf: 7 }, ["0", "7", "-14", "700"], ["8", "1", "-13"]],
  ["halves", { type: "number", multipleOf: 0.5 }, ["1.5", "-2", "0.5", "3.0"], ["0.25", "1.55"]],
  [
    "few multiples",
    { type: "number", multipleOf: 0.01, minimum: 0, maximum: 0.05 },
    ["0", "0.01", "0.05"],
    ["0.015", "0.06"],
  ],
  [
    "no integers",
    { type: "number", not: { type: "integer" } },
    ["0.5", "-12.25"],
    ["1", "1.0", "0.99999999999999999999"],
  ],
  ["all but one", { type: "integer", not: { const: 5 } }, ["4", "6", "55", "-5"], ["5"]],
];

const OBJECTS: Case[] = [
  [
    "optional ones in any combination",
    named({ a: { const: 1 }, b: { const: 2 }, c: { const: 3 } }),
    ["{}", '{"a":1}', '{"c":3}', '{"a":1,"c":3}', '{"a":1,"b":2,"c":3,"x":0}'],
    ['{"c":3,"a":1}', '{"a":1,}', '{,"a":1}', '{"a":2}'],
  ],
  [
    "required ones",
    named({ a: {}, b: {} }, { required: ["b"], additionalProperties: false }),
    ['{"b":1}', '{"a":0,"b":1}'],
    ["{}", '{"a":1}', '{"b":1,"x":0}'],
  ],
  [
    "required without a schema",
    named({ a: {} }, { required: ["x", "y"] }),
    ['{"x":1,"y":2}', '{"a":0,"y":1,"z":0,"x":2}'],
    ['{"a":1}', '{"x":1}', '{"x":1,"x":2}'],
  ],
  [
    "names that differ from those known",
    named({ ab: { const: 1 } }, { additionalProperties: { const: 2 } }),
    ['{"ab":1,"abc":2}', '{"a":2}', '{"":2,"\\n":2}'],
    ['{"ab":2}', '{"\\u0061b":2}', '{"abc":1}'],
  ],
  [
    "by patterns",
    {
      type: "object",
      patternProperties: { "^n": { type: "number" }, x$: { minimum: 5 } },
      additionalProperties: false,
    },
    ['{"n":1}', '{"ax":7}', '{"nx":6}', "{}"],
    ['{"n":"a"}', '{"nx":1}', '{"nx":"a"}', '{"b":1}'],
  ],
  [
    "names in general",
    { type: "object", propertyNames: { pattern: "^[a-z]+$", maxLength: 3 } },
    ['{"abc":1}', "{}"],
    ['{"A":1}', '{"abcd":1}'],
  ],
  [
    "so many",
    named(
      { a: {}, b: {}, c: {} },
      { minProperties: 1, maxProperties: 2, additionalProperties: false },
    ),
    ['{"a":1}', '{"b":1,"c":2}'],
    ["{}", '{"a":1,"b":2,"c":3}'],
  ],
  ["not empty", { type: "object", minProperties: 1 }, ['{"a":1}'], ["{}"]],
  [
    "depending names",
    named({ a: {}, b: {} }, { dependentRequired: { a: ["b"] } }),
    ["{}", '{"b":1}', '{"a":1,"b":2}'],
    ['{"a":1}'],
  ],
  [
    "depending schemas",
    named(
      { a: {}, b: {} },
      { dependentSchemas: { a: { properties: { b: { const: 1 } }, required: ["b"] } } },
    ),
    ['{"b":2}', '{"a":0,"b":1}'],
    ['{"a":0}', '{"a":0,"b":2}'],
  ],
  [
    "if, then, else",
    named(
      { kind: { enum: ["a", "b"] }, n: {} },
      {
        required: ["kind"],
        if: { properties: { kind: { const: "a" } } },
        // biome-ignore lint/suspicious/noThenProperty: a keyword
        then: { required: ["n"] },
        else: { properties: { n: false } },
      },
    ),
    ['{"kind":"a","n":1}', '{"kind":"b"}'],
    ['{"kind":"a"}', '{"kind":"b","n":1}'],
  ],
  [
    "not required",
    named({ a: {}, b: {} }, { not: { required: ["a", "b"] } }),
    ['{"a":1}', '{"b":1}', "{}"],
    ['{"a":1,"b":1}'],
  ],
  [
    "one of, told apart",
    {
      oneOf: [
        named({ t: { const: 1 }, a: {} }, { required: ["t"] }),
        named({ t: { const: 2 } }, { required: ["t"] }),
      ],
    },
    ['{"t":1,"a":0}', '{"t":2}'],
    ['{"t":3}', "{}"],
  ],
  [
    "one of, by what is required",
    { type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] },
    ['{"a":1}', '{"b":1,"c":2}'],
    ["{}", '{"a":1,"b":2}'],
  ],
  [
    "allOf and what stands beside it",
    {
      allOf: [{ $ref: "#/$defs/a" }, { description: "x" }],
      properties: { b: { const: 2 } },
      required: ["b"],
      $defs: { a: named({ a: { type: "null" } }, { required: ["a"] }) },
    },
    ['{"b":2,"a":null}'],
    ['{"a":null}', '{"b":2}', "3"],
  ],
  [
    "the same property twice",
    {
      allOf: [named({ a: { minimum: 3 } }), { properties: { a: { type: "integer", maximum: 4 } } }],
    },
    ['{"a":3}', '{"a":4}'],
    ['{"a":2}', '{"a":5}', '{"a":"x"}'],
  ],
  [
    "nothing that is not evaluated",
    {
      type: "object",
      allOf: [{ properties: { a: {} } }],
      anyOf: [{ properties: { b: { const: 1 } }, required: ["b"] }, { properties: { c: {} } }],
      unevaluatedProperties: false,
    },
    ['{"a":0,"b":1}', '{"c":0}', '{"b":1,"c":0}'],
    ['{"x":0}', '{"b":2,"a":1}'],
  ],
  [
    "odd names",
    named(
      { 'say "hi"\n': { const: 1 }, constructor: { const: 2 }, __proto__x: {} },
      { required: ['say "hi"\n'] },
    ),
    ['{"say \\"hi\\"\\n":1,"constructor":2}'],
    ['{"say":1}'],
  ],
];

const ARRAYS: Case[] = [
  [
    "items",
    { type: "array", items: { type: "boolean" } },
    ["[]", "[true]", "[true,false]"],
    ["[1]", "[true,]", "[,]", "true"],
  ],
  [
    "so many",
    { type: "array", items: { const: 1 }, minItems: 2, maxItems: 3 },
    ["[1,1]", "[1,1,1]"],
    ["[]", "[1]", "[1,1,1,1]"],
  ],
  [
    "very many",
    { type: "array", items: { const: 1 }, maxItems: 3000 },
    ["[]", `[${Array(3000).fill(1)}]`],
    [`[${Array(3001).fill(1)}]`],
  ],
  [
    "tuples",
    { type: "array", prefixItems: [{ const: 1 }, { const: 2 }], items: { const: 3 } },
    ["[]", "[1]", "[1,2]", "[1,2,3,3]"],
    ["[2]", "[1,3]", "[1,2,4]"],
  ],
  [
    "draft 7's tuples",
    { type: "array", items: [{ const: 1 }], additionalItems: false, minItems: 1 },
    ["[1]"],
    ["[]", "[1,1]", "[2]"],
  ],
  [
    "containing",
    { type: "array", items: { type: "integer" }, contains: { minimum: 5 }, maxItems: 4 },
    ["[5]", "[1,2,9]", "[6,7]"],
    ["[]", "[1,2]", '["x",6]', "[1,2,3,4,5]"],
  ],
  [
    "containing so many",
    {
      type: "array",
      items: { enum: [1, 2] },
      contains: { const: 1 },
      minContains: 2,
      maxContains: 3,
    },
    ["[1,2,1]", "[1,1,1,2]"],
    ["[1,2]", "[1,1,1,1]"],
  ],
  [
    "different ones",
    { type: "array", items: { enum: ["a", "b", "c"] }, uniqueItems: true },
    ["[]", '["c","a"]', '["a","b","c"]'],
    ['["a","a"]', '["a","b","a"]'],
  ],
  [
    "some that is not so",
    { type: "array", items: { type: "integer" }, not: { items: { const: 1 } } },
    ["[2]", "[1,2]"],
    ["[]", "[1,1]"],
  ],
];

const OTHERS: Case[] = [
  [
    "anything",
    {},
    ["null", '{"a":[1,{"b":"c"}]}', "true", "-1.5e3", '""'],
    ["nul", "{", "[1,]", "{a:1}", ""],
  ],
  ["no white space", {}, ['{"a":1}'], ['{"a": 1}', " 1", "[1, 2]"]],
  ["types", { type: ["integer", "null"] }, ["1", "null"], ["1.5", '"a"']],
  ["values of a type", { type: "string", enum: ["a", 1, null] }, ['"a"'], ["1", "null"]],
  ["values within bounds", { enum: [1, 5, 9], minimum: 4 }, ["5", "9"], ["1"]],
  [
    "values that begin alike",
    { enum: ["ab", "abc", "b", { a: [1] }, 7, 71] },
    ['"ab"', '"abc"', '"b"', '{"a":[1]}', "7", "71"],
    ['"a"', '"abcd"', "1"],
  ],
  ["allOf of one", { allOf: [{ type: "string" }] }, ['"a"'], ["1", "{}"]],
  [
    "allOf in allOf",
    { allOf: [{ allOf: [{ type: ["string", "null"] }] }, { not: { type: "null" } }] },
    ['"a"'],
    ["null", "1"],
  ],
  [
    "anyOf beside a type",
    { type: "integer", anyOf: [{ minimum: 10 }, { maximum: -10 }] },
    ["10", "-10"],
    ["0", '"a"'],
  ],
  [
    "one of, overlapping",
    {
      oneOf: [
        { type: "integer", minimum: 0 },
        { type: "integer", maximum: 10 },
      ],
    },
    ["-1", "11"],
    ["0", "5", "10"],
  ],
  [
    "one of, the same type",
    {
      oneOf: [
        { type: "string", maxLength: 2 },
        { type: "string", pattern: "^a" },
      ],
    },
    ['"b"', '"abc"'],
    ['"ab"', '"bcd"', '"a"'],
  ],
  [
    "a percent-encoded reference",
    {
      $ref: "#/definitions/Record%3Cstring%3E",
      definitions: { "Record<string>": { type: "string" } },
    },
    ['"a"'],
    ["1"],
  ],
  [
    "a pointer's escapes",
    { $ref: "#/$defs/a~1b~0c", $defs: { "a/b~c": { const: 1 } } },
    ["1"],
    ["2"],
  ],
  ["an anchor", { $ref: "#here", $defs: { a: { $anchor: "here", const: 1 } } }, ["1"], ["2"]],
  [
    "an identifier",
    {
      $id: "https://example.com/a.json",
      $ref: "b.json",
      $defs: { b: { $id: "b.json", allOf: [{ $ref: "#/$defs/c" }], $defs: { c: { const: 1 } } } },
    },
    ["1"],
    ["2"],
  ],
  [
    "draft 4's identifier",
    {
      $schema: "http://json-schema.org/draft-04/schema#",
      allOf: [{ $ref: "#x" }],
      definitions: { a: { id: "#x", enum: [1] } },
    },
    ["1"],
    ["2"],
  ],
  [
    "the root itself",
    named(
      { next: { $ref: "#" }, v: { const: 1 } },
      { required: ["v"], additionalProperties: false },
    ),
    ['{"v":1}', '{"next":{"next":{"v":1},"v":1},"v":1}'],
    ['{"next":{}}', "{}"],
  ],
  [
    "recursion through two",
    {
      $ref: "#/$defs/a",
      $defs: {
        a: { type: "array", items: { $ref: "#/$defs/b" } },
        b: { anyOf: [{ $ref: "#/$defs/a" }, { const: 0 }] },
      },
    },
    ["[]", "[0,[0,[]]]"],
    ["0", "[1]"],
  ],
  [
    "a reference and what stands beside it",
    { $ref: "#/$defs/a", minimum: 3, $defs: { a: { type: "integer" } } },
    ["3"],
    ["2", '"a"'],
  ],
  [
    "references that meet through allOf",
    {
      $ref: "#/$defs/a",
      $defs: {
        a: {
          allOf: [
            named({ x: { $ref: "#/$defs/a" } }),
            { properties: { x: { $ref: "#/$defs/b" } } },
          ],
        },
        b: {
          allOf: [
            named({ x: { $ref: "#/$defs/b" }, y: { const: 1 } }),
            { properties: { x: { $ref: "#/$defs/a" } } },
          ],
        },
      },
    },
    ["{}", '{"x":{"x":{"y":1},"y":1}}'],
    ['{"x":{"y":2}}', '{"x":1}'],
  ],
];

describe.each([
  ["texts", STRINGS],
  ["numbers", NUMBERS],
  ["objects", OBJECTS],
  ["arrays", ARRAYS],
  ["others", OTHERS],
])("%s", (_, cases) => {
  test.each(cases)("%s", (_name, schema, valid, invalid) => {
    const matcher = new GbnfMatcher(Grammar.jsonSchema(schema).source);
    for (const one of valid) expect([one, matcher.reach(one)]).toEqual([one, "whole"]);
    for (const one of invalid) expect([one, matcher.reach(one)]).not.toEqual([one, "whole"]);
  });
});

test.each<[string, object, string]>([
  ["a lookahead in what is repeated", text({ pattern: "^(?:a(?=bc))*b" }), "#/pattern"],
  [
    "lookaheads in too many groups",
    text({ pattern: `^${"(?:(?=ab)|b)".repeat(30)}` }),
    "#/pattern",
  ],
  ["a lookbehind", text({ pattern: "a.(?<=ab)b" }), "#/pattern"],
  ["a backreference", text({ pattern: "^(a|b)\\1$" }), "#/pattern"],
  ["a pattern of too many states", text({ pattern: "a.{30}" }), "#/pattern"],
  ["a format that only some know", text({ format: "idn-email" }), "#/format"],
  ["different items of any kind", { type: "array", uniqueItems: true }, "#/uniqueItems"],
  ["hundredths without end", { type: "number", multipleOf: 0.01 }, "#/multipleOf"],
  ["many names that nobody knows", { type: "object", minProperties: 2 }, "#/minProperties"],
  ["no such format", text({ not: { format: "date" } }), "#/not/format"],
  [
    "within",
    named({ a: { type: "array", items: text({ pattern: "(?<!ab)b" }) } }),
    "#/properties/a/items/pattern",
  ],
  [
    "through a reference",
    { $ref: "#/$defs/a", $defs: { a: { type: "array", uniqueItems: true } } },
    "#/$defs/a/uniqueItems",
  ],
  ["nothing at all", { allOf: [{ type: "string" }, { type: "null" }] }, "#"],
  ["one of two equal ones", { oneOf: [{ type: "null" }, { type: "null" }] }, "#"],
  ["a circle", { $ref: "#/$defs/a", $defs: { a: { allOf: [{ $ref: "#/$defs/a" }] } } }, "#/$ref"],
  ["an odd keyword", named({ a: { minLength: "3" } }), "#/properties/a/minLength"],
  ["draft 3's required", named({ a: { required: true } }), "#/properties/a/required"],
])("refused: %s", (_, schema, path) => {
  expect(() => Grammar.jsonSchema(schema)).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      details: expect.objectContaining({ path }),
    }),
  );
});

describe("white space", () => {
  const schema = named({ a: { type: "array", items: { const: 1 } } });
  const made = (whiteSpace: "none" | "spaces" | "lines") =>
    new GbnfMatcher(Grammar.jsonSchema(schema, { whiteSpace }).source);
  const indented = JSON.stringify({ a: [1, 1] }, null, 2);

  test.each<["none" | "spaces" | "lines", string[], string[]]>([
    ["none", ['{"a":[1,1]}'], ['{"a": [1]}', '{"a":[1, 1]}']],
    ["spaces", ['{"a":[1,1]}', '{"a": [1, 1]}'], ['{ "a":[1]}', '{"a":  [1]}', indented]],
    [
      "lines",
      ['{"a":[1,1]}', '{ "a" : [ 1 , 1 ] }', indented, "{ }"],
      ['{"a":   [1]}', "{\n\n\n}"],
    ],
  ])("%s", (whiteSpace, valid, invalid) => {
    const matcher = made(whiteSpace);
    for (const one of valid) expect([one, matcher.matches(one)]).toEqual([one, true]);
    for (const one of invalid) expect([one, matcher.matches(one)]).toEqual([one, false]);
  });
});

test("objects are closed where that is asked for, and the schema says nothing else", () => {
  const properties = { a: { const: 1 } };
  const closed = (schema: object) =>
    new GbnfMatcher(Grammar.jsonSchema(schema, { additionalProperties: "forbid" }).source);
  expect(closed(named(properties)).matches('{"a":1,"b":2}')).toBe(false);
  expect(closed(named(properties, { additionalProperties: true })).matches('{"b":2}')).toBe(true);
  expect(closed({ type: "object" }).matches('{"b":2}')).toBe(true);
  expect(closed({ type: "object", properties: {} }).matches('{"b":2}')).toBe(false);
  const id = named({ id: { type: "integer" } }, { required: ["id"] });
  const either = { oneOf: [id, named({ name: { const: 1 } }, { required: ["name"] })] };
  expect(closed(either).matches('{"name":1}')).toBe(true);
  expect(closed(either).matches('{"name":1,"id":"x"}')).toBe(false);
  expect(new GbnfMatcher(Grammar.jsonSchema(either).source).matches('{"name":1,"id":"x"}')).toBe(
    true,
  );
  expect(closed(named(properties, { required: ["b"] })).matches('{"b":2}')).toBe(true);
});

test("a schema that was changed is compiled anew", () => {
  const schema = { const: 1 };
  const before = Grammar.jsonSchema(schema);
  expect(Grammar.jsonSchema(schema)).toBe(before);
  schema.const = 2;
  expect(new GbnfMatcher(Grammar.jsonSchema(schema).source).matches("2")).toBe(true);
});

test("grammars grow with their schemas, not with their combinations", () => {
  const optional = (count: number) =>
    named(Object.fromEntries(Array.from({ length: count }, (_, i) => [`name${i}`, { const: i }])));
  const size = (count: number) => Grammar.jsonSchema(optional(count)).source.length;
  expect(size(200) / size(100)).toBeLessThan(2.5);
});
