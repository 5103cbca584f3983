import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Grammar } from "../../lib/index.js";
import { STRING_FORMATS } from "../../lib/schema/language/formats.js";
import { regexOf } from "../../lib/schema/language/regex-syntax.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";
import { Random } from "../support/random.js";

const TEXTS = 10_000;
const SEEDS = [1, 2];

const ajv = new Ajv2020({ strict: false, validateFormats: true, ownProperties: true });
addFormats.default(ajv);
// ajv knows no IRIs: each is a URI once what is not ASCII is escaped (RFC 3987, 3.1).
for (const [iri, uri] of [
  ["iri", "uri"],
  ["iri-reference", "uri-reference"],
] as const) {
  const isUri = ajv.compile({ format: uri });
  ajv.addFormat(iri, (text) => isUri(text.replace(/[^\0-\x7f]+/gu, encodeURIComponent)) as boolean);
}

/** A schema at random, of keywords that go together in all ways. */
class SchemaMaker {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  schema(depth: number): object {
    const kinds = ["string", "number", "integer", "enum", "boolean", "null"];
    if (depth > 0)
      kinds.push("object", "object", "object", "array", "array", "any", "all", "not", "if");
    switch (this.#random.pick(kinds)) {
      case "string":
        return this.#string();
      case "number":
        return this.#number("number");
      case "integer":
        return this.#number("integer");
      case "enum":
        return { enum: [1, "a", null, "ab", { a: [1] }, false, 2.5].slice(this.#random.below(4)) };
      case "object":
        return this.#object(depth);
      case "array":
        return this.#array(depth);
      case "any": {
        const parts = [this.schema(depth - 1), this.schema(depth - 1)];
        return { [this.#random.pick(["anyOf", "oneOf"])]: parts };
      }
      case "all":
        return { allOf: [this.schema(depth - 1), this.#object(depth - 1)] };
      case "not":
        return { ...this.schema(depth - 1), not: this.schema(depth - 1) };
      case "if": {
        const branches = { if: this.schema(0), else: this.schema(depth - 1) };
        // biome-ignore lint/suspicious/noThenProperty: a keyword
        return Object.assign(branches, { then: this.schema(depth - 1) });
      }
      case "boolean":
        return { type: "boolean" };
      default:
        return { type: "null" };
    }
  }

  #maybe(more: object): object {
    return this.#random.below(3) === 0 ? more : {};
  }

  #string(): object {
    const patterns = ["^a", "b$", "^[a-c]{2,4}$", "x|y", "^(?!a)", "\\d", "^.*$", '^[^"]+$'];
    return {
      type: "string",
      ...this.#maybe({ minLength: this.#random.below(3) }),
      ...this.#maybe({ maxLength: 2 + this.#random.below(4) }),
      ...this.#maybe({ pattern: this.#random.pick(patterns) }),
      ...(this.#random.below(6) === 0 ? { format: this.#random.pick(STRING_FORMATS) } : {}),
    };
  }

  #number(type: string): object {
    const bound = () => this.#random.pick([-10, -1, 0, 0.5, 1, 7, 99, 1024, 1e-7, 1e21]);
    return {
      type,
      ...this.#maybe({ minimum: bound() }),
      ...this.#maybe({ maximum: bound() }),
      ...this.#maybe({ exclusiveMinimum: bound() }),
      ...this.#maybe({ exclusiveMaximum: bound() }),
      ...this.#maybe({ multipleOf: this.#random.pick([1, 2, 0.5, 7, 10]) }),
    };
  }

  #object(depth: number): object {
    const part = () => this.schema(depth - 1);
    const names = ["a", "b", "ab", 'q"'];
    return {
      type: "object",
      properties: Object.fromEntries(
        names.filter(() => this.#random.below(2) === 0).map((name) => [name, part()]),
      ),
      ...this.#maybe({ required: [this.#random.pick(names)] }),
      ...this.#maybe({ patternProperties: { "^a": part(), b$: part() } }),
      ...this.#maybe({ additionalProperties: this.#random.pick([false, part()]) }),
      ...this.#maybe({ propertyNames: this.#string() }),
      ...this.#maybe({ minProperties: this.#random.below(2) }),
      ...this.#maybe({ maxProperties: 1 + this.#random.below(3) }),
      ...this.#maybe({ dependentRequired: { a: ["b"] } }),
      ...this.#maybe({ dependentSchemas: { b: { properties: { ab: part() } } } }),
    };
  }

  #array(depth: number): object {
    const part = () => this.schema(depth - 1);
    return {
      type: "array",
      ...this.#maybe({ prefixItems: [part(), part()] }),
      ...this.#maybe({ items: part() }),
      ...this.#maybe({ minItems: this.#random.below(3) }),
      ...this.#maybe({ maxItems: 1 + this.#random.below(4) }),
      ...this.#maybe({ contains: part(), ...this.#maybe({ maxContains: 2 }) }),
      ...this.#maybe({ uniqueItems: true }),
    };
  }
}

test.each(SEEDS)(
  "what grammars of random schemas generate is valid (seed %i)",
  (seed) => {
    const random = new Random(seed);
    const maker = new SchemaMaker(random);
    const chance = () => random.below(1 << 30) / (1 << 30);
    let texts = 0;
    let schemas = 0;
    let refused = 0;
    while (texts < TEXTS / SEEDS.length) {
      const schema = maker.schema(3);
      let source: string;
      try {
        ({ source } = Grammar.jsonSchema(schema));
      } catch (error) {
        expect(error).toMatchObject({ code: "ERR_SCHEMA_UNSUPPORTED" });
        refused++;
        continue;
      }
      schemas++;
      const valid = ajv.compile(schema);
      const matcher = new GbnfMatcher(source);
      for (let i = 0; i < 25; i++) {
        const text = matcher.sample(chance);
        if (text === undefined) continue;
        texts++;
        if (!valid(JSON.parse(text))) {
          throw new Error(`${text} for ${JSON.stringify(schema)}: ${ajv.errorsText(valid.errors)}`);
        }
      }
    }
    expect(schemas).toBeGreaterThan(100);
    expect(refused / schemas).toBeLessThan(1.5);
  },
  240_000,
);

test.each(STRING_FORMATS)("texts of the format %s are valid", (format) => {
  const random = new Random(7);
  const matcher = new GbnfMatcher(Grammar.jsonSchema({ type: "string", format }).source);
  const valid = ajv.compile({ type: "string", format });
  for (let i = 0; i < 300; i++) {
    const text = matcher.sample(() => random.below(1 << 30) / (1 << 30));
    if (text !== undefined) expect([text, valid(JSON.parse(text))]).toEqual([text, true]);
  }
});

test("a pattern is read with the flag u where it can be", () => {
  expect(regexOf("^.$").test("😀")).toBe(true);
  expect(regexOf("^\\_$").test("_")).toBe(true);
});
