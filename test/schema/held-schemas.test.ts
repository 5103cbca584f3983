import { Grammar } from "../../lib/index.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";

// A grammar lets nothing invalid through: what it cannot hold is refused, wherever in a schema it stands.

const DRAFT_7 = { $schema: "http://json-schema.org/draft-07/schema#" };
const DRAFT_2019 = { $schema: "https://json-schema.org/draft/2019-09/schema" };
/** No automaton knows what it has read. */
const repeated = { pattern: "^(.)\\1?$" };
const integer = (more: object) => ({ type: "integer", ...more });
const tagged = (kind: string) => ({
  type: "object",
  properties: { kind: { const: kind }, value: { type: "integer" } },
  required: ["kind", "value"],
});

test.each<[string, object, readonly string[], readonly string[]]>([
  [
    "objects with an id are told apart",
    {
      properties: { x: { const: { id: 1, a: 1 } }, y: { const: { id: 1, b: 2 } } },
      required: ["x", "y"],
    },
    ['{"x":{"id":1,"a":1},"y":{"id":1,"b":2}}'],
    ['{"x":{"id":1,"a":1},"y":{"id":1,"a":1}}'],
  ],
  [
    "so are branches of such",
    { anyOf: [{ const: { id: 1, v: 1 } }, { const: { id: 1, v: 2 } }] },
    ['{"id":1,"v":1}', '{"id":1,"v":2}'],
    ['{"id":1,"v":3}'],
  ],
  [
    "an object left out that nothing else lets in",
    { type: "object", required: ["a"], not: { const: {} } },
    ['{"a":1}'],
    ["{}"],
  ],
  [
    "a pattern of names of which none is there",
    { enum: [{}, { a: 1 }], propertyNames: { maxLength: 3 } },
    ["{}", '{"a":1}'],
    ['{"aaaa":1}'],
  ],
  [
    "draft 7 does not count what is contained",
    { ...DRAFT_7, type: "array", contains: { type: "null" }, minContains: 0, maxContains: 1 },
    ["[null]", "[null,1,null]"],
    ["[]", "[1]"],
  ],
  [
    "draft 2019 does",
    { ...DRAFT_2019, type: "array", contains: { type: "null" }, minContains: 0 },
    ["[]", "[null]"],
    [],
  ],
  [
    "draft 2019 has no prefixItems",
    {
      ...DRAFT_2019,
      ...{ type: "array", prefixItems: [{ type: "null" }], items: { type: "boolean" } },
    },
    ["[true]", "[true,false]"],
    ["[null]", "[null,true]"],
  ],
  [
    "one $recursiveAnchor",
    {
      ...{ ...DRAFT_2019, $recursiveAnchor: true, type: "object" },
      properties: { next: { $recursiveRef: "#" } },
      additionalProperties: false,
    },
    ["{}", '{"next":{"next":{}}}'],
    ['{"next":1}'],
  ],
  [
    "host names of so many characters",
    { type: "string", format: "hostname", maxLength: 253 },
    [`"www.example.com"`, `"${"a".repeat(63)}.b"`],
    [`"${"a".repeat(64)}"`, `"a..b"`],
  ],
  [
    "of no more than a label may have",
    { type: "string", format: "hostname", maxLength: 63 },
    [`"${"a.".repeat(31)}b"`, `"${"a".repeat(63)}"`],
    [`"${"a.".repeat(32)}b"`, `"-a"`],
  ],
  [
    "of some more",
    { type: "string", format: "hostname", minLength: 4, maxLength: 100 },
    [`"a.bc"`],
    [`"a.b"`, `"${"a".repeat(101)}"`],
  ],
  [
    "URIs of so many",
    { type: "string", format: "uri", pattern: "^https:", maxLength: 100 },
    [`"https://example.com/${"a".repeat(80)}"`],
    [`"https://example.com/${"a".repeat(81)}"`, `"http://a"`, `"https:"`],
  ],
  [
    "URLs of the Web",
    { type: "string", format: "url" },
    [`"https://a-b.example.com:8080/x?y=%20#z"`, `"ftp://8.8.8.8/"`, `"http://a.io"`],
    [
      `"http://localhost/"`,
      `"http://10.0.0.1/"`,
      `"mailto:a@b.c"`,
      `"http://a.com?x"`,
      `"http://a_b.io"`,
    ],
  ],
  [
    "identifiers in any script",
    { type: "string", format: "iri" },
    [`"http://ƒøø.ßår/?∂éœ=πîx#πîüx"`, `"http://[2001:db8::1]/é"`, `"urn:漢:字"`],
    [`"/é"`, `"http://[é]/"`, `"http://é:1:2/"`, `"é:a"`, `"http://a b"`],
  ],
  [
    "parts of them",
    { type: "string", format: "iri-reference" },
    [`"/é?漢"`, `""`, `"#é"`, `"http://é/"`],
    [`"\\\\é"`, `"é é"`],
  ],
  [
    "times that are local, or not",
    { type: "array", prefixItems: [{ format: "iso-date-time" }, { format: "iso-time" }] },
    [`["2024-02-29T12:00:00","12:00:00.5"]`, `["2024-02-29 12:00:00Z","23:59:60Z"]`],
    [`["2023-02-29T12:00:00","12:00:00"]`, `["2024-02-29T12:00:00","24:00:00"]`],
  ],
  [
    "a pointer's in a URI",
    { type: "string", format: "json-pointer-uri-fragment" },
    [`"#"`, `"#/a~0b/%C3%A9"`],
    [`"/a"`, `"#/é"`, `"#/~2"`],
  ],
  [
    "more characters than can be counted",
    { type: "string", format: "uri", maxLength: 2048 },
    [`"https://example.com/${"a".repeat(400)}"`],
    [`"https://example.com/${"a".repeat(2029)}"`],
  ],
  [
    "more of a pattern's",
    { type: "string", pattern: "^[a-z]+(?:-[a-z]+)*$", minLength: 3, maxLength: 16_384 },
    [`"a-b"`, `"${"ab-".repeat(1000)}c"`],
    [`"ab-"`, `"a"`, `"${"a".repeat(16_385)}"`],
  ],
  [
    "names of so many",
    { type: "object", propertyNames: { format: "uri", maxLength: 500 }, minProperties: 1 },
    [`{"https://a.b":1}`],
    [`{"a b":1}`, `{"https://${"a".repeat(500)}":1}`],
  ],
  [
    "one of 250 that a property tells apart",
    { oneOf: Array.from({ length: 250 }, (_, i) => tagged(`k${i}`)) },
    [`{"kind":"k7","value":1}`, `{"kind":"k249","value":2}`],
    [`{"kind":"k250","value":1}`, `{"value":1}`],
  ],
  [
    "more characters than can be counted, at least",
    { type: "string", pattern: "^[a-z]+(?:-[a-z]+)*$", minLength: 100 },
    [`"${"a".repeat(100)}"`],
    [`"${"a".repeat(99)}"`],
  ],
  [
    "numbers between two integers",
    { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
    ["5e-324", "0.9999999999999999", "0.5"],
    ["0", "1", "1.0", "0.0"],
  ],
  [
    "one of a number and others",
    { type: "number", oneOf: [{ const: -1 }, { maximum: 5 }] },
    ["-1e+21", "-5", "4.5", "5"],
    ["-1", "6", "5.5"],
  ],
  [
    "integers of 21 digits",
    { type: "integer", minimum: 1e20, maximum: 1e300 },
    ["1".repeat(21)],
    ["1".repeat(20), "1".repeat(22)],
  ],
  ["large multiples", integer({ minimum: 2e7, multipleOf: 1000 }), ["20000000"], ["20000500"]],
  ["multiples of 15 digits", integer({ multipleOf: 500 }), ["123456789012500"], ["10000001"]],
  ["multiples of a small fraction", { multipleOf: 0.0625 }, ["0.0625", "-3.125"], ["0.06", "-"]],
  [
    "multiples that follow no pattern",
    integer({ multipleOf: 999 }),
    ["0", "-999", "9998991"],
    ["1000", "9998992", "--999"],
  ],
  [
    "long multiples left out",
    { allOf: [integer({ not: { multipleOf: 500 } }), { not: { multipleOf: 7 } }] },
    ["10000001"],
    ["10000000", "123456789012500", "70000007"],
  ],
  ["those of a prime", integer({ not: { multipleOf: 997 } }), ["996"], ["997", "9970000000"]],
  [
    "those of half of one",
    integer({ not: { multipleOf: 499 } }),
    ["499000001"],
    ["499000000", "4990000000"],
  ],
  [
    "the same properties, beside one that closes them",
    {
      allOf: [
        { properties: { a: { type: "null" } } },
        { properties: { a: { type: "null" } }, unevaluatedProperties: false },
      ],
      type: "object",
    },
    ["{}", '{"a":null}'],
    ['{"a":1}', '{"b":null}'],
  ],
  [
    "the same reference, beside one that closes it",
    {
      $defs: { a: { type: "object", properties: { a: { type: "null" } } } },
      allOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a", unevaluatedProperties: false }],
    },
    ["{}", '{"a":null}'],
    ['{"a":1}', '{"b":null}'],
  ],
  [
    "the same items, beside one that closes them",
    {
      allOf: [
        { prefixItems: [{ type: "null" }] },
        { prefixItems: [{ type: "null" }], unevaluatedItems: false },
      ],
      type: "array",
    },
    ["[]", "[null]"],
    ["[1]", "[null,null]"],
  ],
  [
    "a condition without consequences",
    { type: "string", if: { format: "email" } },
    ['""', '"a@b.example"'],
    ["1"],
  ],
])("%s", (_name, schema, valid, invalid) => {
  const matcher = new GbnfMatcher(Grammar.jsonSchema(schema).source);
  const wrong = [
    ...valid.filter((text) => !matcher.matches(text)),
    ...invalid.filter((text) => matcher.matches(text)),
  ];
  expect(wrong).toEqual([]);
});

test.each<[string, object, string]>([
  ["an object left out", { type: "object", not: { const: {} } }, "#/not/const"],
  ["lists left out", { type: "array", not: { enum: [[], [1]] } }, "#/not/enum"],
  [
    "one of an object and another",
    { oneOf: [{ type: "object" }, { enum: [{}] }] },
    "#/oneOf/1/enum",
  ],
  ["a long text left out", { type: "string", not: { const: "x".repeat(9000) } }, "#/not/const"],
  [
    "a pattern inside a given value",
    { enum: [{ a: "x" }], properties: { a: { pattern: "^(x)\\1?" } } },
    "#/properties/a/pattern",
  ],
  [
    "a pattern of values in any order",
    { type: "array", uniqueItems: true, minItems: 1, items: { enum: ["a", "b"], ...repeated } },
    "#/items/pattern",
  ],
  [
    "a pattern of given names",
    { type: "object", minProperties: 1, propertyNames: { enum: ["a", "b"], ...repeated } },
    "#/propertyNames/pattern",
  ],
  [
    "a pattern of known names",
    { properties: { a: { type: "null" } }, required: ["a"], propertyNames: repeated },
    "#/propertyNames/pattern",
  ],
  [
    "several $recursiveAnchors",
    {
      ...{ ...DRAFT_2019, $id: "http://x/ext", $recursiveAnchor: true, $ref: "tree" },
      required: ["data"],
      $defs: {
        tree: {
          ...{ $id: "tree", $recursiveAnchor: true, type: "object" },
          properties: {
            data: true,
            children: { type: "array", items: { $recursiveRef: "#" } },
          },
        },
      },
    },
    "#/$defs/tree/properties/children/items/$recursiveRef",
  ],
  ["itself or a number", { anyOf: [{ type: "number" }, { $ref: "#" }] }, "#/anyOf"],
  ["one of a number and itself", { oneOf: [{ type: "number" }, { $ref: "#" }] }, "#/oneOf"],
  ["not itself", { not: { $ref: "#" } }, "#/not/$ref"],
  [
    "a given value by a circle",
    {
      const: { x: 1 },
      properties: { x: { $ref: "#/$defs/a" } },
      $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { type: "number" }] } },
    },
    "#/properties/x/$ref",
  ],
  [
    "names that no pattern may be found in which cannot be followed",
    { type: "object", propertyNames: { not: { pattern: "(a)\\1" } }, required: ["zz"] },
    "#/propertyNames/not/pattern",
  ],
  [
    "one of two, where it is not known of one",
    { enum: ["aa", "b"], oneOf: [{ pattern: "(a)\\1" }, { const: "b" }] },
    "#/oneOf/0/pattern",
  ],
  [
    "so many characters of a format",
    { type: "string", format: "uri", minLength: 2000 },
    "#/format",
  ],
  [
    "so many of a format, but no fewer",
    { format: "uri", type: "string", not: { maxLength: 990 } },
    "#/format",
  ],
  ["a format of patterns", { type: "string", format: "regex" }, "#/format"],
  ["names of hosts in any script", { format: "idn-hostname" }, "#/format"],
  [
    "a pattern of names with a slash",
    { type: "object", patternProperties: { "(/)\\1a~": {} } },
    "#/patternProperties/(~1)\\1a~0",
  ],
])("refused: %s", (_name, schema, path) => {
  expect(() => Grammar.jsonSchema(schema, { additionalProperties: "forbid" })).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      details: expect.objectContaining({ path }),
    }),
  );
});
