import {
  ANY_TYPE,
  type Formula,
  type Formulas,
  type Json,
  type JsonObject,
  NUMBER,
  TYPE,
} from "./formula.js";
import { TooMuchWork } from "./language/budget.js";
import { formatLanguage } from "./language/formats.js";
import { lookaroundsApart } from "./language/lookarounds.js";
import { RegexProblem } from "./language/regex-syntax.js";
import { escapePointer, isObject, type Location, type SchemaDocument } from "./schema-document.js";
import { SchemaProblem } from "./schema-problem.js";

const TYPES: Readonly<Record<string, number>> = {
  null: TYPE.null,
  boolean: TYPE.boolean,
  integer: TYPE.integer,
  number: NUMBER,
  string: TYPE.string,
  array: TYPE.array,
  object: TYPE.object,
};

const MAX_TOGETHER = 3;
/** No text of JavaScript's has more characters, and so no more items or properties: it is what programs write for no limit. */
const NO_LIMIT = 2 ** 31 - 1;

type Reader = (reader: SchemaReader, value: Json, schema: JsonObject, at: Location) => Formula;

/** Reads a schema, keyword by keyword, as a formula. */
export class SchemaReader {
  readonly #document: SchemaDocument;
  readonly #formulas: Formulas;
  readonly #checkPattern: (source: string) => void;
  readonly #read = new Map<object, Formula>();
  readonly #expressible = new Map<string, string | undefined>();

  /** `checkPattern` throws a RegexProblem for a pattern that cannot be followed. */
  constructor(
    document: SchemaDocument,
    formulas: Formulas,
    checkPattern: (source: string) => void,
  ) {
    this.#document = document;
    this.#formulas = formulas;
    this.#checkPattern = checkPattern;
  }

  root(): Formula {
    return this.formula(this.#document.root);
  }

  /** @throws {SchemaProblem} */
  formula(at: Location): Formula {
    const { schema, path } = at;
    if (schema === true) return this.#formulas.TRUE;
    if (schema === false) return this.#formulas.FALSE;
    if (!isObject(schema)) throw new SchemaProblem(path, "a schema is an object or a boolean");
    let formula = this.#read.get(schema);
    if (formula === undefined) {
      const parts: Formula[] = [];
      const given = withoutNulls(schema);
      const keywords = Object.keys(given);
      const read = (keyword: string) => {
        const reader = SchemaReader.#keywords[keyword];
        if (reader !== undefined) parts.push(reader(this, given[keyword]!, given, at));
      };
      // A schema's own properties come before those of the schemas in its place.
      for (const keyword of keywords) if (isOfProperties(keyword)) read(keyword);
      for (const keyword of keywords) if (!isOfProperties(keyword)) read(keyword);
      formula = this.#formulas.all(parts, path);
      this.#read.set(schema, formula);
    }
    return formula;
  }

  static readonly #keywords: Readonly<Record<string, Reader>> = Object.assign(Object.create(null), {
    $ref: (r, value, _, at) => r.#ref(value, at, "$ref"),
    $dynamicRef: (r, value, _, at) => r.#ref(value, at, "$dynamicRef"),
    $recursiveRef: (r, value, _, at) => r.#ref(value, at, "$recursiveRef"),
    type: (r, value, _, at) => r.#type(value, at),
    enum: (r, value, _, at) => r.#values(list(value, at, "enum"), at, "enum"),
    const: (r, value, _, at) => r.#values([value], at, "const"),
    allOf: (r, value, _, at) => r.#formulas.all(r.#schemas(value, at, "allOf"), under(at, "allOf")),
    anyOf: (r, value, _, at) => r.#anyOf(value, at),
    oneOf: (r, value, _, at) => r.#oneOf(value, at),
    not: (r, value, _, at) => r.#formulas.not(r.#schema(value, at, "not")),
    if: (r, value, schema, at) => r.#condition(value, schema, at),
    minimum: (r, value, schema, at) =>
      r.#bound(schema.exclusiveMinimum === true ? ">" : ">=", value, at, "minimum"),
    maximum: (r, value, schema, at) =>
      r.#bound(schema.exclusiveMaximum === true ? "<" : "<=", value, at, "maximum"),
    exclusiveMinimum: (r, value, _, at) => r.#exclusive(">", value, at, "exclusiveMinimum"),
    exclusiveMaximum: (r, value, _, at) => r.#exclusive("<", value, at, "exclusiveMaximum"),
    multipleOf: (r, value, _, at) => r.#multipleOf(value, at, "multipleOf"),
    divisibleBy: (r, value, _, at) => r.#multipleOf(value, at, "divisibleBy"),
    minLength: (r, value, _, at) => r.#range("length", { min: value }, at, "minLength"),
    maxLength: (r, value, _, at) => r.#range("length", { max: value }, at, "maxLength"),
    minItems: (r, value, _, at) => r.#range("count", { min: value }, at, "minItems"),
    maxItems: (r, value, _, at) => r.#range("count", { max: value }, at, "maxItems"),
    minProperties: (r, value, _, at) => r.#range("size", { min: value }, at, "minProperties"),
    maxProperties: (r, value, _, at) => r.#range("size", { max: value }, at, "maxProperties"),
    pattern: (r, value, _, at) => r.#pattern(value, at),
    format: (r, value, _, at) => r.#format(value, at),
    items: (r, value, schema, at) => r.#items(value, schema, at),
    prefixItems: (r, value, schema, at) => r.#prefixItems(value, schema, at),
    contains: (r, value, schema, at) => r.#contains(value, schema, at),
    uniqueItems: (r, value, _, at) => r.#unique(value, at),
    properties: (r, _, schema, at) => r.#properties(schema, at, "properties"),
    patternProperties: (r, _, schema, at) => r.#properties(schema, at, "patternProperties"),
    additionalProperties: (r, _, schema, at) => r.#properties(schema, at, "additionalProperties"),
    required: (r, value, _, at) => r.#required(value, at),
    propertyNames: (r, value, _, at) =>
      r.#formulas.make(
        { kind: "names", part: r.#schema(value, at, "propertyNames") },
        under(at, "propertyNames"),
      ),
    dependencies: (r, value, _, at) => r.#dependencies(value, at, "dependencies"),
    dependentRequired: (r, value, _, at) => r.#dependencies(value, at, "dependentRequired"),
    dependentSchemas: (r, value, _, at) => r.#dependencies(value, at, "dependentSchemas"),
    unevaluatedProperties: (r, value, _, at) => r.#unevaluated(value, at, "properties"),
    unevaluatedItems: (r, value, _, at) => r.#unevaluated(value, at, "items"),
  } satisfies Record<string, Reader>);

  #schema(value: Json, at: Location, ...keys: readonly string[]): Formula {
    return this.formula(this.#document.inside(at, value, ...keys));
  }

  #schemas(value: Json, at: Location, keyword: string): Formula[] {
    return list(value, at, keyword).map((part, index) =>
      this.#schema(part, at, keyword, String(index)),
    );
  }

  /** The target is read when it is needed: it may lead back here. */
  #ref(value: Json, at: Location, keyword: string): Formula {
    if (typeof value !== "string") throw wrong(at, keyword, "is a text");
    const target = this.#document.resolve(value, at, keyword);
    if (typeof target.schema === "boolean") return this.formula(target);
    if (!isObject(target.schema)) throw wrong(at, keyword, "leads to a schema");
    const resolve = () => this.formula(target);
    return this.#formulas.make({ kind: "ref", target: target.schema, resolve }, under(at, keyword));
  }

  #type(value: Json, at: Location): Formula {
    let types = 0;
    for (const name of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
      if (typeof name !== "string" || !Object.hasOwn(TYPES, name)) {
        throw new SchemaProblem(under(at, "type"), `there is no type ${JSON.stringify(name)}`);
      }
      types |= TYPES[name]!;
    }
    return this.#formulas.types(types, under(at, "type"));
  }

  #values(values: readonly Json[], at: Location, keyword: string): Formula {
    return this.#formulas.make({ kind: "values", values, negated: false }, under(at, keyword));
  }

  #anyOf(value: Json, at: Location): Formula {
    const parts = this.#schemas(value, at, "anyOf");
    const path = under(at, "anyOf");
    if (!this.#document.tracksEvaluation) return this.#formulas.any(parts, path);
    // All branches that hold speak of properties and items, also those that say nothing against any.
    const together = parts.length > MAX_TOGETHER ? [] : subsetsOf(parts);
    const all = together.map((subset) => this.#formulas.make({ kind: "all", parts: subset }, path));
    return this.#formulas.make({ kind: "any", parts: [...parts, ...all] }, path);
  }

  #oneOf(value: Json, at: Location): Formula {
    const parts = this.#schemas(value, at, "oneOf");
    if (parts.length === 1) return parts[0]!;
    return this.#formulas.make({ kind: "one", parts }, under(at, "oneOf"));
  }

  #condition(value: Json, schema: JsonObject, at: Location): Formula {
    const { then: yes = true, else: no = true } = schema;
    const condition = this.#schema(value, at, "if");
    const f = this.#formulas;
    const says = schema.then !== undefined || schema.else !== undefined;
    if (!says && !this.#document.tracksEvaluation) return f.TRUE;
    const path = under(at, "if");
    return f.any(
      [
        f.all([condition, this.#schema(yes, at, "then")], path),
        f.all([f.not(condition), this.#schema(no, at, "else")], path),
      ],
      path,
    );
  }

  #bound(relation: ">=" | ">" | "<=" | "<", value: Json, at: Location, keyword: string): Formula {
    if (typeof value !== "number") throw wrong(at, keyword, "is a number");
    return this.#formulas.make({ kind: "bound", relation, value }, under(at, keyword));
  }

  /** In draft 4 it is a boolean, which belongs to `minimum` or `maximum`. */
  #exclusive(relation: ">" | "<", value: Json, at: Location, keyword: string): Formula {
    if (typeof value === "boolean") return this.#formulas.TRUE;
    return this.#bound(relation, value, at, keyword);
  }

  #multipleOf(value: Json, at: Location, keyword: string): Formula {
    if (typeof value !== "number" || value <= 0) throw wrong(at, keyword, "is a number above 0");
    if (value === 1) return this.#formulas.types(ANY_TYPE & ~TYPE.fraction, under(at, keyword));
    return this.#formulas.make({ kind: "multiple", of: value, negated: false }, under(at, keyword));
  }

  #range(
    kind: "length" | "count" | "size",
    { min = 0, max }: { min?: Json; max?: Json },
    at: Location,
    keyword: string,
  ): Formula {
    const least = count(min, at, keyword);
    const given = max === undefined ? NO_LIMIT : count(max, at, keyword);
    const most = given < NO_LIMIT ? given : undefined;
    if (least === 0 && most === undefined) return this.#formulas.TRUE;
    return this.#formulas.make({ kind, min: least, max: most }, under(at, keyword));
  }

  #pattern(value: Json, at: Location): Formula {
    if (typeof value !== "string") throw wrong(at, "pattern", "is a text");
    const path = under(at, "pattern");
    const f = this.#formulas;
    const reason = this.#unfollowable(value, path);
    if (reason === undefined) {
      return f.make({ kind: "pattern", source: value, negated: false }, path);
    }
    const parts = lookaroundsApart(value);
    if (parts?.every(({ source }) => this.#unfollowable(source, path) === undefined)) {
      return f.all(
        parts.map((part) => f.make({ kind: "pattern", ...part }, path)),
        path,
      );
    }
    return f.unchecked("pattern", TYPE.string, reason, path);
  }

  #unfollowable(source: string, path: string): string | undefined {
    if (!this.#expressible.has(source)) {
      let reason: string | undefined;
      try {
        this.#checkPattern(source);
      } catch (error) {
        if (error instanceof TooMuchWork) throw new SchemaProblem(path, error.message);
        if (!(error instanceof RegexProblem)) throw error;
        if (error.kind === "invalid") throw new SchemaProblem(path, error.message);
        reason = error.message;
      }
      this.#expressible.set(source, reason);
    }
    return this.#expressible.get(source);
  }

  #format(value: Json, at: Location): Formula {
    if (typeof value !== "string") throw wrong(at, "format", "is a text");
    const f = this.#formulas;
    const path = under(at, "format");
    if (value === "int32" || value === "int64") {
      const most = value === "int32" ? 2 ** 31 - 1 : 2 ** 63;
      return f.all(
        [
          f.types(ANY_TYPE & ~TYPE.fraction, path),
          f.make(
            { kind: "bound", relation: ">=", value: value === "int32" ? -(2 ** 31) : -most },
            path,
          ),
          f.make({ kind: "bound", relation: value === "int32" ? "<=" : "<", value: most }, path),
        ],
        path,
      );
    }
    const language = formatLanguage(value);
    if (language === undefined) return f.TRUE;
    if (language !== "unsupported") return f.make({ kind: "format", name: value }, path);
    return f.unchecked(
      "format",
      TYPE.string,
      `no grammar is known of ${JSON.stringify(value)}`,
      path,
    );
  }

  #items(value: Json, schema: JsonObject, at: Location): Formula {
    const { additionalItems, prefixItems } = schema;
    // Read with it, in the drafts that have it.
    if (prefixItems !== undefined && this.#document.draft >= 2020) return this.#formulas.TRUE;
    const path = under(at, "items");
    if (!Array.isArray(value)) {
      const rest = this.#schema(value, at, "items");
      return this.#formulas.make({ kind: "items", prefix: [], rest }, path);
    }
    const rest =
      additionalItems === undefined
        ? undefined
        : this.#schema(additionalItems, at, "additionalItems");
    return this.#formulas.make(
      { kind: "items", prefix: this.#schemas(value, at, "items"), rest },
      path,
    );
  }

  #prefixItems(value: Json, { items }: JsonObject, at: Location): Formula {
    if (this.#document.draft < 2020) return this.#formulas.TRUE; // it says nothing there
    const prefix = this.#schemas(value, at, "prefixItems");
    const rest = items === undefined ? undefined : this.#schema(items, at, "items");
    return this.#formulas.make({ kind: "items", prefix, rest }, under(at, "prefixItems"));
  }

  #contains(value: Json, { minContains, maxContains }: JsonObject, at: Location): Formula {
    const part = this.#schema(value, at, "contains");
    const counts = this.#document.draft >= 2019; // others say nothing of how many
    const min = counts ? count(minContains ?? 1, at, "minContains") : 1;
    const max =
      counts && maxContains !== undefined ? count(maxContains, at, "maxContains") : undefined;
    return this.#formulas.make({ kind: "contains", part, min, max }, under(at, "contains"));
  }

  #unique(value: Json, at: Location): Formula {
    if (typeof value !== "boolean") throw wrong(at, "uniqueItems", "is a boolean");
    return value
      ? this.#formulas.make({ kind: "unique" }, under(at, "uniqueItems"))
      : this.#formulas.TRUE;
  }

  /** The three keywords belong together; the first in the schema reads all. */
  #properties(schema: JsonObject, at: Location, keyword: string): Formula {
    const keywords = ["properties", "patternProperties", "additionalProperties"];
    if (Object.keys(schema).find((key) => keywords.includes(key)) !== keyword) {
      return this.#formulas.TRUE;
    }
    const named = new Map<string, Formula>();
    for (const [name, part] of entries(schema.properties, at, "properties")) {
      named.set(name, this.#schema(part, at, "properties", name));
    }
    const patterns: [string, Formula][] = [];
    for (const [source, part] of entries(schema.patternProperties, at, "patternProperties")) {
      const path = `${under(at, "patternProperties")}/${escapePointer(source)}`;
      const reason = this.#unfollowable(source, path);
      if (reason !== undefined) {
        return this.#formulas.unchecked("patternProperties", TYPE.object, reason, path);
      }
      patterns.push([source, this.#schema(part, at, "patternProperties", source)]);
    }
    const { additionalProperties: others } = schema;
    const additional =
      others === undefined ? undefined : this.#schema(others, at, "additionalProperties");
    return this.#formulas.make(
      { kind: "properties", named, patterns, additional },
      under(at, keyword),
    );
  }

  #required(value: Json, at: Location): Formula {
    const names = texts(value, at, "required");
    if (names.length === 0) return this.#formulas.TRUE;
    return this.#formulas.make({ kind: "required", names }, under(at, "required"));
  }

  /** Each: the property is not there, or it is, and the rest holds. */
  #dependencies(value: Json, at: Location, keyword: string): Formula {
    const f = this.#formulas;
    const parts = entries(value, at, keyword).map(([name, part]) => {
      const path = under(at, keyword);
      const there = (names: readonly string[]) => f.make({ kind: "required", names }, path);
      const named = new Map([[name, f.FALSE]]);
      const absent = f.make(
        { kind: "properties", named, patterns: [], additional: undefined },
        path,
      );
      const held = Array.isArray(part)
        ? there([name, ...texts(part, at, keyword).filter((other) => other !== name)])
        : f.all([there([name]), this.#schema(part, at, keyword, name)], path);
      // A value of another type has no properties.
      const other = f.types(ANY_TYPE & ~TYPE.object, path);
      const object = f.types(TYPE.object, path);
      return f.any([other, f.all([object, absent], path), f.all([object, held], path)], path);
    });
    return f.all(parts, under(at, keyword));
  }

  #unevaluated(value: Json, at: Location, of: "items" | "properties"): Formula {
    const keyword = of === "items" ? "unevaluatedItems" : "unevaluatedProperties";
    const part = this.#schema(value, at, keyword);
    return this.#formulas.make({ kind: "unevaluated", of, part }, under(at, keyword));
  }
}

/** Some programs write null for what is not given. */
function withoutNulls(schema: JsonObject): JsonObject {
  const keys = Object.keys(schema);
  const isGiven = (key: string) => schema[key] !== null || key === "const";
  if (keys.every(isGiven)) return schema;
  return Object.fromEntries(keys.filter(isGiven).map((key) => [key, schema[key]!]));
}

function isOfProperties(keyword: string): boolean {
  return keyword.endsWith("roperties");
}

/** All choices of two or more. */
function subsetsOf<T>(values: readonly T[]): T[][] {
  const subsets: T[][] = [[]];
  for (const value of values) subsets.push(...subsets.map((subset) => [...subset, value]));
  return subsets.filter(({ length }) => length > 1);
}

function under({ path }: Location, keyword: string): string {
  return `${path}/${keyword}`;
}

function wrong(at: Location, keyword: string, what: string): SchemaProblem {
  return new SchemaProblem(under(at, keyword), `"${keyword}" ${what}`);
}

function list(value: Json, at: Location, keyword: string): readonly Json[] {
  if (!Array.isArray(value)) throw wrong(at, keyword, "is a list");
  return value;
}

function texts(value: Json, at: Location, keyword: string): string[] {
  const names = list(value, at, keyword);
  const strange = names.find((name) => typeof name !== "string");
  if (strange !== undefined) throw wrong(at, keyword, "is a list of names");
  return [...new Set(names as readonly string[])];
}

function entries(value: Json | undefined, at: Location, keyword: string): [string, Json][] {
  if (value === undefined) return [];
  if (!isObject(value)) throw wrong(at, keyword, "is an object");
  return Object.entries(value);
}

function count(value: Json, at: Location, keyword: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw wrong(at, keyword, "is an integer from 0 on");
}
