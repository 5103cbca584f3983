import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { isGrammar, lazyGrammar, triggersOf } from "../lib/grammar.js";
import { type Context, type CriaError, Grammar, Model, Sampler } from "../lib/index.js";
import { toNativeStep } from "../lib/sampler-step.js";
import { QUIET, runScript } from "./support/child.js";
import { converterCases, trimmed } from "./support/converter-cases.js";
import { question } from "./support/demo.js";
import { isJsonPrefix } from "./support/json.js";
import { llamaCppDir } from "./support/llama-cpp-dir.js";
import { MODEL } from "./support/paths.js";

const cases = converterCases();

test("llama.cpp's own cases were found", () => {
  expect(cases.length).toBeGreaterThanOrEqual(81);
  expect(cases.filter(({ succeeds }) => !succeeds).length).toBeGreaterThan(1);
});

/** llama.cpp lets other properties' names differ from those given by what is no JSON. */
function withSoundKeys(grammar: string): string {
  return grammar.replace(/ ::= \["\] \( .*/g, (rule) =>
    rule.replaceAll('[^"', '[^"\\\\\\x7F\\x00-\\x1F'),
  );
}

test.each(cases.map((one) => [one.name, one] as const))(
  "as in llama.cpp: %s",
  (_, { succeeds, schema, grammar }) => {
    let made: Grammar | CriaError;
    try {
      made = Grammar.jsonSchema(JSON.parse(schema) as object);
    } catch (error) {
      made = error as CriaError;
    }
    if (succeeds) {
      expect(made).toBeInstanceOf(Grammar);
      expect(trimmed((made as Grammar).source)).toBe(trimmed(withSoundKeys(grammar)));
    } else {
      expect(made).toMatchObject({ code: "ERR_SCHEMA_UNSUPPORTED" });
    }
  },
);

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

test.each<[string, object, RegExp]>([
  ["elsewhere", { $ref: "https://example.com/x.json" }, /only references into the same document/],
  ["nowhere", { $ref: "#/$defs/x" }, /cannot resolve \$ref/],
  ["types", { type: "strin" }, /unrecognized type strin/],
  ["bad patterns", { type: "string", pattern: "^(a$" }, /Invalid pattern .*unbalanced/],
  [
    "depth",
    { properties: JSON.parse(`${'{"a":{"b":'.repeat(60)}{}${"}}".repeat(60)}`) },
    /100 levels/,
  ],
  ["bounds", { type: "integer", minimum: 3, maximum: 2 }, /least integer is 3/],
  ["exactness", { type: "integer", maximum: 2 ** 60 }, /2\^53 - 1/],
  ["counts", { type: "string", maxLength: -1 }, /schema\.maxLength is -1/],
  ["repetitions", { type: "string", minLength: 3000 }, /lower bound of at most 2000, got 3000/],
  ["names", { properties: { "a]": {} }, additionalProperties: true }, /the property a\]/],
  ["quotes", { properties: { 'a"b': {} }, additionalProperties: {} }, /the property a"b/],
  ["line ends", { properties: { "a\nb": {} }, additionalProperties: {} }, /the property a\nb/],
  [
    "references alike",
    { anyOf: [{ $ref: "#/$defs/a_b" }, { $ref: "#/$defs/a.b" }], $defs: { a_b: {}, "a.b": {} } },
    /apart/,
  ],
])("what cannot be converted says so: %s", (_, schema, message) => {
  expect(() => Grammar.jsonSchema(schema)).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      message: expect.stringMatching(message),
    }),
  );
});

test("what only looks like a keyword is none", () => {
  const { source } = Grammar.jsonSchema({
    type: "object",
    properties: { $ref: { type: "null" }, minimum: { const: { $ref: "http://x", minItems: -1 } } },
    required: ["$ref"],
    description: undefined,
  });
  expect(source).toContain("http://x");
});

test("nothing kills the process, hangs it or is printed", async () => {
  expect(await runScript("hostile/schemas.mjs")).toEqual(QUIET);
});

test("a lazy grammar keeps its triggers, also for the other copy of the package", () => {
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
    tokens: [],
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

  // A grammar knows a format's shape, not the length of a month.
  const ajv = new Ajv({
    strict: false,
    formats: { date: /^\d{4}-[01]\d-[0-3]\d$/, uuid: /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i },
  });
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
    others: object({ a: { const: 1 } }, { additionalProperties: { type: "boolean" } }),
    enum: { enum: ["llama", "größer", "日本", 7, null, { a: [1] }] },
    array: { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 5 },
    tuple: { type: "array", prefixItems: [{ type: "boolean" }, { type: "null" }], minItems: 2 },
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
    allOf: { allOf: [object({ a: { type: "null" } }), object({ b: { type: "boolean" } })] },
    number: { type: "number" },
  };
  // Each of the parts forbids what the other adds, which the converter does not mind.
  const judged = (name: string, schema: object) =>
    name === "allOf" ? object({ a: { type: "null" }, b: { type: "boolean" } }) : schema;

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
    const valid = ajv.compile(judged(name, schema));
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
