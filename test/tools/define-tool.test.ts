import { defineTool } from "../../lib/index.js";

const parameters = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer", minimum: 1 } },
  required: ["city"],
} as const;

/** A Standard Schema as libraries make them. */
function standard(more: object = {}, validate: (value: unknown) => unknown = numbered) {
  return { "~standard": { version: 1, vendor: "test", validate, ...more } } as never;
}
function numbered(value: unknown) {
  const { days } = value as { days?: unknown };
  if (typeof days === "number") return { value: { days: days + 1 } };
  return { issues: [{ message: "no number", path: ["trip", { key: "days" }] }] };
}
const jsonSchema = { input: () => ({ type: "object", properties: { days: { type: "number" } } }) };

const toolError = (message: RegExp) =>
  expect.objectContaining({ code: "ERR_TOOL", message: expect.stringMatching(message) });

test("a tool is frozen, and has an own frozen copy of its schema", () => {
  const schema = structuredClone(parameters) as { properties: { city: { type: string } } };
  const tool = defineTool({ name: "get_weather", description: "Tells it.", parameters: schema });
  schema.properties.city.type = "number";
  expect(tool.definition).toEqual({
    type: "function",
    function: { name: "get_weather", description: "Tells it.", parameters },
  });
  expect(tool).not.toHaveProperty("execute");
  const parts = [tool, tool.definition, tool.definition.function];
  expect(parts.every(Object.isFrozen)).toBe(true);
  const copy = tool.definition.function.parameters as typeof schema;
  expect([copy, copy.properties, copy.properties.city].every(Object.isFrozen)).toBe(true);
});

test("without parameters there are no arguments", () => {
  const { definition } = defineTool({ name: "now", execute: () => 5 });
  expect(definition.function.parameters).toEqual({ type: "object", properties: {} });
});

describe("arguments are checked", () => {
  test("by a JSON Schema, and the message says where", () => {
    const { check } = defineTool({ name: "f", parameters });
    const args = { city: "Lima", days: 2 };
    expect(check(args)).toBe(args);
    expect(() => check({ city: "Lima", days: 0 })).toThrow(toolError(/days/));
    expect(() => check({ city: 5 })).toThrow(toolError(/^The arguments do not fit .*city.*string/));
    expect(() => check({})).toThrow(toolError(/city/));
    expect(() => check(null)).toThrow(toolError(/object/));
  });

  test("with references, formats and all that a grammar passes over", () => {
    const { check } = defineTool({
      name: "f",
      parameters: {
        type: "object",
        properties: { list: { $ref: "#/$defs/list" } },
        not: { required: ["bad"] },
        $defs: { list: { type: "array", items: { multipleOf: 2 }, uniqueItems: true } },
      },
    });
    check({ list: [2, 4] });
    expect(() => check({ list: [2, 3] })).toThrow(
      toolError(/list\[1\]: expected a multiple of 2, got 3$/),
    );
    expect(() => check({ list: [2, 2] })).toThrow(toolError(/list/));
    expect(() => check({ bad: 1 })).toThrow(toolError(/./));
  });

  test.each<[string, object, unknown, string]>([
    [
      "deep",
      { properties: { a: { properties: { b: { items: { type: "integer" } } } } } },
      { a: { b: [1, 2, "x"] } },
      'a.b[2]: expected integer, got "x"',
    ],
    [
      "behind a reference",
      { properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { type: "integer" } } },
      { a: "x" },
      'a: expected integer, got "x"',
    ],
    [
      "behind an encoded one",
      {
        properties: { a: { $ref: "#/definitions/Record%3Cstring%3E" } },
        definitions: { "Record<string>": { additionalProperties: { type: "string" } } },
      },
      { a: { "b c": 1 } },
      'a["b c"]: expected string, got 1',
    ],
    [
      "missing",
      { properties: { a: { required: ["b"] } } },
      { a: {} },
      "a.b: expected a value, got nothing",
    ],
    [
      "too much",
      { properties: { a: {} }, additionalProperties: false },
      { a: 1, c: 2 },
      "c: expected nothing here, got 2",
    ],
    [
      "of several types",
      { properties: { a: { anyOf: [{ type: "integer" }, { type: "null" }] } } },
      { a: "x" },
      'a: expected integer or null, got "x"',
    ],
    [
      "in a branch",
      { properties: { a: { anyOf: [{ properties: { b: { const: 1 } } }, { type: "null" }] } } },
      { a: { b: 2 } },
      "a.b: expected 1, got 2",
    ],
    [
      "MCP's patterns",
      { properties: { a: { pattern: "^https\\:\\/\\/" } } },
      { a: "x" },
      'a: expected a string that matches "^https\\\\:\\\\/\\\\/", got "x"',
    ],
    [
      "a lookbehind",
      { properties: { a: { pattern: "(?<=a)b" } } },
      { a: "cb" },
      'a: expected a string that matches "(?<=a)b", got "cb"',
    ],
    [
      "of given values",
      { properties: { a: { enum: ["x", 1] } } },
      { a: 2 },
      'a: expected one of "x", 1, got 2',
    ],
    [
      "a bound",
      { properties: { a: { minimum: 5 } } },
      { a: 2 },
      "a: expected a number >= 5, got 2",
    ],
    [
      "not evaluated",
      { allOf: [{ properties: { a: {} } }], unevaluatedProperties: false },
      { a: 1, b: 2 },
      "b: expected nothing here, got 2",
    ],
    [
      "items, whatever is said of properties",
      {
        properties: {
          x: { prefixItems: [{}], unevaluatedItems: false, unevaluatedProperties: false },
        },
      },
      { x: [1, 2] },
      "x[1]: expected nothing here, got 2",
    ],
    [
      "properties, whatever is said of items",
      { unevaluatedItems: { const: null }, unevaluatedProperties: false },
      { b: 1 },
      "b: expected nothing here, got 1",
    ],
    [
      "a value with an id",
      {
        properties: { a: { enum: [{ id: 1, n: "A" }] }, b: { enum: [{ id: 1, n: "B" }] } },
      },
      { b: { id: 1, n: "A" } },
      'b: expected {"id":1,"n":"B"}, got an object',
    ],
    [
      "no multiple in decimal",
      { properties: { price: { multipleOf: 0.01 } } },
      { price: 19.995 },
      "price: expected a multiple of 0.01, got 19.995",
    ],
  ])("and the message says what was expected, and what came: %s", (_, schema, args, message) => {
    const { check } = defineTool({ name: "f", parameters: { type: "object", ...schema } });
    expect(() => check(args)).toThrow(
      expect.objectContaining({
        code: "ERR_TOOL",
        message: `The arguments do not fit the tool's schema: ${message}`,
      }),
    );
  });

  test("a price in cents is one, whatever its division says", () => {
    const price = { type: "number", multipleOf: 0.01 } as const;
    const { check } = defineTool({
      name: "f",
      parameters: { type: "object", properties: { price } },
    });
    for (const value of [19.99, 0.07, 0.29, 4.35, -1.1, 0, 1e21]) {
      expect(check({ price: value })).toEqual({ price: value });
    }
  });

  test.each([{ type: "number" }, { minimum: 5 }, { enum: [null] }, { multipleOf: 2 }])(
    "a number that JSON can only spell is none: %j",
    (n) => {
      const { check } = defineTool({
        name: "f",
        parameters: { type: "object", properties: { n } },
      });
      expect(() => check(JSON.parse('{"n":1e999}'))).toThrow(toolError(/n: expected /));
    },
  );

  test("of arguments that are nested too deeply it is told", () => {
    const { check } = defineTool({
      name: "f",
      parameters: {
        type: "object",
        properties: { a: { $ref: "#/$defs/list" } },
        $defs: { list: { type: "array", items: { $ref: "#/$defs/list" } } },
      },
    });
    const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(() => check(JSON.parse(deep))).toThrow(toolError(/nested too deeply/));
  });

  test.each([
    // An automaton tells.
    ["^([a-zA-Z0-9]+\\s?)+$", `${"a".repeat(40)}!`, /s: expected a string that matches .*, got "a/],
    ["(a|a)*$", `${"a".repeat(40)}`, undefined],
    // There is none, and a RegExp is stopped.
    [
      "^(?:(x)\\1)?(a+)+$",
      `${"a".repeat(40)}!`,
      /cannot be checked: the pattern .* takes too long/,
    ],
    ["^(?:(x)\\1)?(a+)+$", "aaa", undefined],
    ["(?<=x)(a+)+$", `x${"a".repeat(40)}!`, /expected a string that matches/],
    ["^(b)\\1$", "bc", /expected a string that matches/],
  ])("by a pattern that goes back and back: %s", (pattern, s, wrong) => {
    const properties = { s: { type: "string", pattern } } as const;
    const { check } = defineTool({ name: "f", parameters: { type: "object", properties } });
    if (wrong === undefined) expect(check({ s })).toEqual({ s });
    else expect(() => check({ s })).toThrow(toolError(wrong));
  });

  test("by a Standard Schema, whose output is what the tool gets", () => {
    const { check, definition } = defineTool({ name: "f", parameters: standard({ jsonSchema }) });
    expect(definition.function.parameters).toEqual(jsonSchema.input());
    expect(check({ days: 1 })).toEqual({ days: 2 });
    expect(() => check({})).toThrow(toolError(/trip\.days: no number/));
  });

  test("by a Standard Schema that takes its time", async () => {
    const later = (value: unknown) => Promise.resolve(numbered(value));
    const thenable = (value: unknown) => ({
      // biome-ignore lint/suspicious/noThenProperty: a promise of another kind
      then: (resolve: (result: unknown) => void) => resolve(numbered(value)),
    });
    for (const validate of [later, thenable]) {
      const { check } = defineTool({ name: "f", parameters: standard({ jsonSchema }, validate) });
      expect(await check({ days: 1 })).toEqual({ days: 2 });
      await expect(check({})).rejects.toEqual(toolError(/no number/));
    }
  });

  test("by a Standard Schema that is a function, and keeps its `this`", () => {
    const schema = Object.assign(() => {}, {
      "~standard": {
        version: 1,
        vendor: "test",
        add: 1,
        validate(this: { add: number }, value: unknown) {
          return { value: (value as number) + this.add };
        },
      },
    });
    const tool = defineTool({
      name: "f",
      parameters: schema as never,
      jsonSchema: { type: "object" },
    });
    expect(tool.check(1)).toBe(2);
  });
});

const throwing = () => {
  throw new Error("hostile");
};
const hostile = new Proxy({}, { get: throwing, ownKeys: throwing, has: throwing });
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();
const circular: { self?: object } = {};
circular.self = circular;

test.each<[string, unknown, RegExp]>([
  ["nothing", undefined, /a string for `tool\.name`/],
  ["null", null, /a plain object for `tool`/],
  ["a hostile object", hostile, /`tool`/],
  ["a revoked proxy", revoked, /`tool`/],
  ["a misspelt option", { name: "f", parameter: {} }, /did you mean `parameters`/],
  ["no name", {}, /`tool\.name`/],
  ["an empty name", { name: "" }, /1 to 64 of .* for `tool\.name`/],
  ["a name with a space", { name: "a b" }, /`tool\.name`/],
  ["a long name", { name: "a".repeat(65) }, /`tool\.name`/],
  ["a description that is none", { name: "f", description: 5 }, /`tool\.description`/],
  ["an implementation that is none", { name: "f", execute: 5 }, /`tool\.execute`/],
  ["null as parameters", { name: "f", parameters: null }, /`tool\.parameters`/],
  ["a list as parameters", { name: "f", parameters: [] }, /`tool\.parameters`/],
  ["a text as parameters", { name: "f", parameters: "x" }, /`tool\.parameters`/],
  ["hostile parameters", { name: "f", parameters: hostile }, /`tool\.parameters`/],
  ["revoked parameters", { name: "f", parameters: revoked }, /`tool\.parameters`/],
  ["a cycle", { name: "f", parameters: circular }, /`tool\.parameters`/],
  ["a BigInt", { name: "f", parameters: { const: 5n } }, /`tool\.parameters`/],
  ["arguments that are no object", { name: "f", parameters: { type: "string" } }, /"object"/],
  ["what says it is JSON", { name: "f", parameters: { toJSON: () => 5 } }, /`tool\.parameters`/],
  ["half a Standard Schema", { name: "f", parameters: { "~standard": {} } }, /with `validate`/],
  ["one that is null", { name: "f", parameters: { "~standard": null } }, /`tool\.parameters/],
  [
    "one without its JSON Schema",
    { name: "f", parameters: standard() },
    /"test".*`tool\.jsonSchema`/,
  ],
  [
    "one whose JSON Schema throws",
    { name: "f", parameters: standard({ jsonSchema: { input: throwing } }) },
    /`tool\.parameters`/,
  ],
  [
    "one of something else",
    { name: "f", parameters: standard({ jsonSchema: { input: () => ({ type: "string" }) } }) },
    /"object"/,
  ],
  ["two JSON Schemas", { name: "f", parameters, jsonSchema: {} }, /`tool\.jsonSchema` goes with/],
])("%s is refused", (_, tool, message) => {
  expect(() => defineTool(tool as never)).toThrow(
    expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    }),
  );
});

test("names may have dots and dashes", () => {
  expect(defineTool({ name: "a.b-c_D9" }).definition.function.name).toBe("a.b-c_D9");
});

describe("a schema by which nothing can be checked is refused where the tool is made", () => {
  const execute = () => 5;
  const made = (parameters: object) => () => defineTool({ name: "f", parameters, execute });
  const refused = (path: string, message: RegExp) =>
    expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(message),
      details: { name: "tool.parameters", path },
    });

  test.each([
    ["an unknown type", { type: "strnig" }, "#/properties/a/type", /no type "strnig"/],
    ["one of several types", { type: ["string", 5] }, "#/properties/a/type", /no type 5/],
    ["a reference to nothing", { $ref: "#/$defs/b" }, "#/properties/a/$ref", /b" leads nowhere/],
    ["one to elsewhere", { $ref: "https://a.example/b" }, "#/properties/a/$ref", /leads out of/],
    ["one to itself", { $ref: "#/properties/a" }, "#/properties/a/$ref", /comes back to itself/],
    ["a pattern", { pattern: "(" }, "#/properties/a/pattern", /Unterminated group/],
    [
      "names",
      { patternProperties: { "[": {} } },
      "#/properties/a/patternProperties/[",
      /Invalid reg/,
    ],
    [
      "names with a slash",
      { patternProperties: { "/~[": {} } },
      "#/properties/a/patternProperties/~1~0[",
      /Invalid reg/,
    ],
    [
      "deeper",
      { items: [{ anyOf: [{ type: "x" }] }] },
      "#/properties/a/items/0/anyOf/0/type",
      /"x"/,
    ],
    ["in `not`", { not: { type: "x" } }, "#/properties/a/not/type", /no type "x"/],
  ])("%s", (_what, a, path, message) => {
    expect(made({ type: "object", properties: { a } })).toThrow(refused(path, message));
  });

  test("what is no URI", () => {
    expect(made({ type: "object", properties: { a: { $ref: "http://[" } } })).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringMatching(
          /`tool\.parameters` cannot be checked against: "http:\/\/\[" is no URI/,
        ),
      }),
    );
  });

  test("and what only looks like one is not", () => {
    const parameters = {
      type: "object",
      properties: {
        type: { type: "string", "x-ui": { type: "slider" }, default: { type: "x" } },
        pattern: { const: { pattern: "(" } },
        empty: { patternProperties: null, properties: null, items: null },
        list: { $ref: "#/$defs/list" },
      },
      $defs: { list: { type: "array", items: { $ref: "#/$defs/list" } } },
    };
    expect(made(parameters)).not.toThrow();
  });

  test("a tool that the caller carries out may have any", () => {
    const parameters = { type: "object", properties: { a: { type: "strnig" } } };
    expect(() => defineTool({ name: "f", parameters })).not.toThrow();
  });

  test("references that lead too far", () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, i) => [`d${i}`, { $ref: `#/$defs/d${i + 1}` }]),
    );
    const parameters = {
      type: "object",
      properties: { a: { $ref: "#/$defs/d0" } },
      $defs: { ...$defs, d30000: {} },
    };
    expect(made(parameters)).toThrow(refused(expect.any(String), /references lead .* too far/));
  });

  test("of any depth", () => {
    let parameters: object = { type: "x" };
    for (let depth = 0; depth < 90; depth++) {
      parameters = { type: "object", properties: { a: parameters } };
    }
    expect(made(parameters)).toThrow(/no type "x"/);
  });
});
