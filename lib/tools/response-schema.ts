import { CriaError, show } from "../errors.js";
import { Grammar } from "../grammar.js";
import { isObject } from "../messages/json.js";
import { copyOfSchema } from "./define.js";

type Schema = { readonly [keyword: string]: unknown };
type Kind = "object" | "array" | "string" | "integer" | "number" | "boolean" | "null" | "any";

/** Keywords that a grammar follows in a schema of a kind. */
const FOLLOWED: Readonly<Record<Kind, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
  string: ["pattern", "minLength", "maxLength"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  number: [],
  boolean: [],
  null: [],
  any: [],
};
/** All that JSON Schema has for values of a kind, and what it has for any. */
const MEANT: Readonly<Record<Exclude<Kind, "any">, readonly string[]>> = {
  object: [
    ...FOLLOWED.object,
    ...["patternProperties", "propertyNames", "minProperties", "maxProperties", "dependencies"],
    ...["dependentRequired", "dependentSchemas", "unevaluatedProperties"],
  ],
  array: [
    ...FOLLOWED.array,
    ...["additionalItems", "uniqueItems", "contains", "minContains", "maxContains"],
    "unevaluatedItems",
  ],
  string: FOLLOWED.string,
  integer: [...FOLLOWED.integer, "multipleOf"],
  number: [...FOLLOWED.integer, "multipleOf"],
  boolean: [],
  null: [],
};
const ALWAYS = [
  ...["$ref", "$dynamicRef", "const", "enum", "anyOf", "oneOf", "allOf"],
  ...["not", "if", "then", "else"],
];
/** llama.cpp takes higher limits for none. */
const MAX_REPETITIONS = 2000;
/** What its patterns cannot have. */
const UNKNOWN_IN_PATTERNS = /\\[dDwWsSbBpPk]|\(\?(?!:)/;

/**
 * An own copy of a schema, of which an answer follows every word. Nobody checks an answer afterwards, so
 * what llama.cpp's converter passes over is refused, with its place.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_SCHEMA_UNSUPPORTED
 */
export function responseSchemaOf(schema: unknown, name: string): object {
  const copy = copyOfSchema(schema, name);
  new Walk(copy as Schema, name).visit(copy, "#");
  try {
    Grammar.jsonSchema(copy);
  } catch (error) {
    if (!CriaError.is(error) || error.code !== "ERR_SCHEMA_UNSUPPORTED") throw error;
    throw new CriaError(error.code, `\`${name}\`: ${error.message}`, {
      cause: error,
      details: { name },
    });
  }
  return copy;
}

class Walk {
  readonly #root: Schema;
  readonly #name: string;
  readonly #seen = new Set<unknown>();

  constructor(root: Schema, name: string) {
    this.#root = root;
    this.#name = name;
  }

  visit(value: unknown, path: string): void {
    if (!isObject(value) || this.#seen.has(value)) return; // the converter refuses what is none
    this.#seen.add(value);
    if ("$ref" in value) {
      this.#only(value, path, ["$ref"]);
      this.#follow(value.$ref);
      return;
    }
    for (const key of ["oneOf", "anyOf", "allOf"]) {
      if (!(key in value)) continue;
      this.#only(value, path, key === "allOf" ? [key, "type"] : [key]);
      this.#visitAll(value[key], `${path}/${key}`);
      return;
    }
    if ("const" in value || "enum" in value) {
      this.#only(value, path, ["const" in value ? "const" : "enum"]);
      return;
    }
    for (const kind of kindsOf(value)) this.#visitKind(value, kind, path);
  }

  #visitKind(schema: Schema, kind: Kind, path: string): void {
    const meant = kind === "any" ? Object.values(MEANT).flat() : MEANT[kind];
    for (const key of [...ALWAYS, ...meant]) {
      if (key in schema && !FOLLOWED[kind].includes(key)) this.#refuse(path, key);
    }
    if (kind === "object") this.#visitObject(schema, path);
    if (kind === "array") this.#visitArray(schema, path);
    if (kind === "string") this.#checkString(schema, path);
    if (kind !== "integer") return;
    if ("minimum" in schema && "exclusiveMinimum" in schema) this.#refuse(path, "exclusiveMinimum");
    if ("maximum" in schema && "exclusiveMaximum" in schema) this.#refuse(path, "exclusiveMaximum");
  }

  #visitObject({ properties, required, additionalProperties }: Schema, path: string): void {
    const named = isObject(properties) ? properties : {};
    for (const [key, value] of Object.entries(named))
      this.visit(value, `${path}/properties/${key}`);
    for (const key of Array.isArray(required) ? required : []) {
      if (!Object.hasOwn(named, String(key))) this.#refuse(path, "required");
    }
    this.visit(additionalProperties, `${path}/additionalProperties`);
  }

  #visitArray({ items, prefixItems, minItems, maxItems }: Schema, path: string): void {
    if (items !== undefined && prefixItems !== undefined) this.#refuse(path, "prefixItems");
    const tuple = items ?? prefixItems;
    if (!Array.isArray(tuple)) {
      this.visit(items, `${path}/items`);
      this.#checkLimit(maxItems, path, "maxItems");
      return;
    }
    this.#visitAll(tuple, `${path}/${items === undefined ? "prefixItems" : "items"}`);
    if (Number(minItems ?? 0) > tuple.length) this.#refuse(path, "minItems");
    if (Number(maxItems ?? tuple.length) < tuple.length) this.#refuse(path, "maxItems");
  }

  #checkString({ pattern, format, minLength, maxLength }: Schema, path: string): void {
    this.#checkLimit(maxLength, path, "maxLength");
    const text = typeof pattern === "string" ? pattern : undefined;
    if (text !== undefined && (!/^\^.*\$$/s.test(text) || UNKNOWN_IN_PATTERNS.test(text))) {
      this.#refuse(path, "pattern");
    }
    const shaped =
      text !== undefined || /^(?:date|time|date-time|uuid[1-5]?)$/.test(String(format));
    if (shaped && minLength !== undefined) this.#refuse(path, "minLength");
    if (shaped && maxLength !== undefined) this.#refuse(path, "maxLength");
  }

  #checkLimit(limit: unknown, path: string, key: string): void {
    if (typeof limit === "number" && limit > MAX_REPETITIONS) this.#refuse(path, key);
  }

  #visitAll(values: unknown, path: string): void {
    if (!Array.isArray(values)) return;
    for (const [index, value] of values.entries()) this.visit(value, `${path}/${index}`);
  }

  /** As the converter does it; what leads nowhere it refuses itself. */
  #follow(ref: unknown): void {
    if (typeof ref !== "string" || !ref.startsWith("#")) return;
    let target: unknown = this.#root;
    for (const key of ref.split("/").slice(1)) {
      if (typeof target !== "object" || target === null || !Object.hasOwn(target, key)) return;
      target = (target as Record<string, unknown>)[key];
    }
    this.visit(target, ref);
  }

  /** Beside some keywords the converter looks at no other. */
  #only(schema: Schema, path: string, keys: readonly string[]): void {
    const others = [...ALWAYS, ...Object.values(MEANT).flat()];
    const other = others.find((key) => key in schema && !keys.includes(key));
    if (other !== undefined) this.#refuse(path, other);
  }

  #refuse(path: string, keyword: string): never {
    throw new CriaError(
      "ERR_SCHEMA_UNSUPPORTED",
      `\`${this.#name}\` has ${show(keyword)} at ${path}, which no grammar can follow as it stands ` +
        "there: leave it out, and check the answer yourself",
      { details: { name: this.#name, path: `${path}/${keyword}` } },
    );
  }
}

/** By its type, or by the keywords that tell one, in the converter's order. */
function kindsOf(schema: Schema): readonly Kind[] {
  const { type } = schema;
  if (Array.isArray(type)) return type.filter(isKind);
  if (type !== undefined) return isKind(type) ? [type] : [];
  if ("properties" in schema || isObject(schema.additionalProperties)) return ["object"];
  if (schema.additionalProperties === false) return ["object"];
  if ("items" in schema || "prefixItems" in schema) return ["array"];
  return FOLLOWED.string.some((key) => key in schema) ? ["string"] : ["any"];
}

function isKind(type: unknown): type is Exclude<Kind, "any"> {
  return typeof type === "string" && Object.hasOwn(MEANT, type);
}
