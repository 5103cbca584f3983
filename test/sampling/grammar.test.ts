import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { type Context, Grammar, Model, Sampler } from "../../lib/index.js";
import { isGrammar, lazyGrammar, triggersOf } from "../../lib/sampling/grammar.js";
import { toNativeStep } from "../../lib/sampling/sampler-step.js";
import { QUIET, runScript } from "../support/child.js";
import { question } from "../support/demo.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";
import { isJsonPrefix } from "../support/json.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { MODEL } from "../support/paths.js";

describe("a schema that is none", () => {
  const circular: Record<string, unknown> = { type: "object" };
  circular.properties = { me: circular };
  const throwing = {
    get type(): never {
      throw new Error("mine");
    },
  };
  test.each<[string, unknown, RegExp]>([
    ["null", null, /plain object for `schema`, got null/],
    ["a list", [], /plain object/],
    ["a text", '{"type":"string"}', /plain object/],
    ["an instance", new Map(), /an instance of Map/],
    ["a circle", circular, /contains itself at schema\.properties\.me/],
    ["a function", { default: () => 1 }, /`schema\.default`, got a function/],
    ["a date", { const: new Date() }, /`schema\.const`, got an instance of Date/],
    ["a bigint", { minimum: 1n }, /got 1n/],
    ["an infinity", { minimum: Number.POSITIVE_INFINITY }, /a finite number/],
    ["a hole", { enum: [1, undefined] }, /`schema\.enum\[1\]`, got undefined/],
    ["half a character", { const: "\ud800" }, /well-formed Unicode/],
    ["a getter that throws", throwing, /readable properties/],
  ])("%s is refused", (_, schema, message) => {
    expect(() => Grammar.jsonSchema(schema as object)).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });
});

test.each<[string, object, string, RegExp]>([
  ["elsewhere", { $ref: "https://example.com/x.json" }, "#/$ref", /leads out of the schema/],
  ["nowhere", { items: { $ref: "#/$defs/x" } }, "#/items/$ref", /leads nowhere/],
  ["types", { type: "strin" }, "#/type", /there is no type "strin"/],
  ["bad patterns", { type: "string", pattern: "^(a$" }, "#/pattern", /Unterminated group/],
  [
    "depth",
    { properties: JSON.parse(`${'{"a":{"b":'.repeat(120)}{}${"}}".repeat(120)}`) },
    `#/properties${"/a/b".repeat(99)}/a`,
    /200 levels/,
  ],
  ["bounds", { type: "integer", minimum: 3, maximum: 2 }, "#", /no value satisfies it/],
  ["counts", { type: "string", maxLength: -1 }, "#/maxLength", /"maxLength" is an integer/],
])("what no grammar is made of says so: %s", (_, schema, path, message) => {
  expect(() => Grammar.jsonSchema(schema)).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      message: expect.stringMatching(message),
      details: { name: "schema", path },
    }),
  );
});

test("what the grammar would not hold is refused with its place", () => {
  const list = { type: "array", items: { type: "string" }, uniqueItems: true };
  expect(() => Grammar.jsonSchema({ type: "object", properties: { list } })).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      message: expect.stringMatching(/^`schema` has "uniqueItems" at #.*: no grammar can compare/),
      details: expect.objectContaining({ path: "#/properties/list/uniqueItems" }),
    }),
  );
});

test("options are checked", () => {
  const make = (options: object) => () => Grammar.jsonSchema({}, options);
  expect(make({ whiteSpace: "any" })).toThrow(/`options.whiteSpace`/);
  expect(make({ additionalProperties: false })).toThrow(/`options.additionalProperties`/);
  expect(make({ additional: "forbid" })).toThrow(/Unknown option "additional"/);
});

test("what only looks like a keyword is none", () => {
  const { source } = Grammar.jsonSchema({
    type: "object",
    properties: { $ref: { type: "null" }, minimum: { const: { $ref: "http://x", minItems: -1 } } },
    required: ["$ref", "minimum"],
    description: undefined,
  });
  const matcher = new GbnfMatcher(source);
  expect(matcher.matches('{"$ref":null,"minimum":{"$ref":"http://x","minItems":-1}}')).toBe(true);
});

test("nothing kills the process, hangs it or is printed", async () => {
  expect(await runScript("hostile/schemas.mjs")).toEqual(QUIET);
});

test("a lazy grammar keeps its triggers", () => {
  const grammar = Grammar.gbnf('root ::= "a"');
  expect(triggersOf(grammar)).toBeUndefined();
  const lazy = lazyGrammar(grammar, { tokens: [1, 2], patterns: ["a"] });
  expect(triggersOf(lazy)).toEqual({ tokens: [1, 2], patterns: ["a"] });
  expect(isGrammar(lazy)).toBe(true);
  expect({ ...lazy }).toEqual({ ...grammar });
  expect(toNativeStep({ type: "grammar", grammar: lazy }, 10)).toEqual({
    type: "grammar",
    source: 'root ::= "a"',
    root: "root",
    lazy: true,
    triggerTokens: Int32Array.of(1, 2),
    triggerPatterns: ["a"],
  });
});

describe("a generation", () => {
  let model: Model;
  let context: Context;
  beforeAll(async () => {
    model = await Model.load(MODEL);
    context = await model.createContext({ contextSize: 512, sequences: 4 });
  });
  afterAll(() => model.dispose());

  const generate = (grammar: Grammar, seed: number, maxTokens: number) =>
    context
      .generate(question("Tell me about llamas."), {
        sampler: new Sampler({ temperature: 1, topK: 0, topP: 1, minP: 0, grammar, seed }),
        maxTokens,
      })
      .result();

  const folder = join(llamaCppDir(), "grammars");
  const files = readdirSync(folder).filter((name) => name.endsWith(".gbnf"));

  test.each(files)("follows llama.cpp's %s", async (name) => {
    const grammar = Grammar.gbnf(readFileSync(join(folder, name), "utf8"));
    for (const seed of [1, 2, 3]) {
      const { text, stopReason } = await generate(grammar, seed, 24);
      expect(["max-tokens", "end-of-turn", "end-of-text", "end-of-message"]).toContain(stopReason);
      if (name.startsWith("json")) expect([text, isJsonPrefix(text)]).toEqual([text, true]);
    }
  });

  test("of any JSON begins one", async () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { text, stopReason } = await generate(Grammar.json(), seed, 40);
      if (stopReason === "max-tokens") expect([text, isJsonPrefix(text)]).toEqual([text, true]);
      else JSON.parse(text);
    }
  });

  test("wakes a lazy grammar by what it says", async () => {
    const prompt = question("Tell me about llamas.");
    const free = await context
      .generate(prompt, { sampler: Sampler.greedy(), maxTokens: 9 })
      .result();
    const begin = model.detokenize(free.tokens.slice(0, 4));
    const pattern = begin.replace(/[^\w ]/g, "\\$&");
    const grammar = Grammar.gbnf(`root ::= ${JSON.stringify(begin)} "!" [0-9]{3}`);
    const sampler = Sampler.greedy().with({
      grammar: lazyGrammar(grammar, { tokens: [], patterns: [pattern] }),
    });
    const { text } = await context.generate(prompt, { sampler, maxTokens: 30 }).result();
    expect(text.slice(0, begin.length)).toBe(begin);
    expect(text.slice(begin.length)).toMatch(/^![0-9]{3}$/);

    const asleep = Sampler.greedy().with({
      grammar: lazyGrammar(grammar, { tokens: [model.vocabularySize - 1], patterns: ["^never$"] }),
    });
    const { tokens } = await context.generate(prompt, { sampler: asleep, maxTokens: 9 }).result();
    expect([...tokens]).toEqual([...free.tokens]);
  });

  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  const object = (properties: object, more: object = {}) => ({
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
    ...more,
  });
  const schemas: Record<string, object> = {
    object: object({
      name: { type: "string", maxLength: 12 },
      age: { type: "integer", minimum: 0 },
    }),
    optional: { ...object({ a: { type: "boolean" }, b: { type: "null" } }), required: ["b"] },
    others: object(
      { a: { const: 1 } },
      {
        additionalProperties: { type: "boolean" },
        propertyNames: { pattern: "^[a-z]{1,4}$" },
        maxProperties: 3,
      },
    ),
    enum: { enum: ["llama", "größer", "日本", 7, null, { a: [1] }] },
    array: { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 5 },
    tuple: {
      type: "array",
      prefixItems: [{ type: "boolean" }, { type: "null" }],
      items: false,
      minItems: 2,
    },
    nested: object({
      inner: object({
        list: { type: "array", items: object({ x: { enum: [1, 2] } }), maxItems: 3 },
      }),
    }),
    anyOf: { anyOf: [{ type: "null" }, object({ kind: { const: "a" } }), { type: "integer" }] },
    types: { type: ["boolean", "null", "integer"] },
    bounds: { type: "integer", minimum: -17, maximum: 1234 },
    exclusive: { type: "integer", exclusiveMinimum: 5, exclusiveMaximum: 9 },
    pattern: { type: "string", pattern: "^[A-Z]{2,3}-([0-9]{4}|x+)$", maxLength: 60 },
    formats: object({
      day: { type: "string", format: "date" },
      id: { type: "string", format: "uuid" },
    }),
    lengths: { type: "string", minLength: 3, maxLength: 6 },
    tree: {
      $ref: "#/$defs/node",
      $defs: {
        node: object({
          leaf: { type: "boolean" },
          next: { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }] },
        }),
      },
    },
    allOf: {
      type: "object",
      allOf: [{ properties: { a: { type: "null" } } }, { $ref: "#/$defs/b" }],
      required: ["a"],
      unevaluatedProperties: false,
      $defs: { b: { properties: { b: { type: "boolean" } }, required: ["b"] } },
    },
    number: { type: "number" },
  };
  test("names other properties in JSON, whatever the model would like", async () => {
    const token = (text: string) => (model.tokenize(text) as unknown as [number])[0];
    const grammar = Grammar.jsonSchema({
      type: "object",
      properties: { ab: { type: "null" } },
      additionalProperties: { const: 1 },
    });
    const names = new Set<string>();
    for (const wanted of ["\n", "\t", "\u0001", "\\", "\x7f", "a"]) {
      for (let seed = 1; seed <= 8; seed++) {
        const logitBias = { [token(wanted)]: 40, [token('"')]: 40, [token("}")]: 45 };
        const sampler = new Sampler({ temperature: 4, topK: 0, topP: 1, minP: 0, seed });
        const options = { sampler: sampler.with({ grammar, logitBias }), maxTokens: 200 };
        const { text, stopReason } = await context.generate("x", options).result();
        if (stopReason === "max-tokens") continue;
        for (const name of Object.keys(JSON.parse(text) as object)) names.add(name);
      }
    }
    expect(names.size).toBeGreaterThan(3);
  });

  test.each(Object.keys(schemas))("of a schema fits it: %s", async (name) => {
    const schema = schemas[name] as object;
    const grammar = Grammar.jsonSchema(schema);
    const valid = ajv.compile(schema);
    const results = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((seed) => generate(grammar, seed, 200)),
    );
    let finished = 0;
    for (const { text, stopReason } of results) {
      if (stopReason === "max-tokens") continue;
      finished++;
      expect([text, valid(JSON.parse(text)), valid.errors]).toEqual([text, true, null]);
    }
    expect(finished).toBeGreaterThan(0);
  });
});
