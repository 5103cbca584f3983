import { isPlainObject } from "../../internal/checks.js";
import { jsonNumber } from "./json-number.js";
import { type Literal, type Members, readLiteral } from "./literal-reader.js";

/** A JSON Schema, of which only a few keywords are read. */
export type Schema = Readonly<Record<string, unknown>>;

const WORDS: Readonly<Record<string, { readonly type: string; readonly text: string }>> = {
  true: { type: "boolean", text: "true" },
  True: { type: "boolean", text: "true" },
  false: { type: "boolean", text: "false" },
  False: { type: "boolean", text: "false" },
  null: { type: "null", text: "null" },
  None: { type: "null", text: "null" },
};

/**
 * The members with strings turned into what the schema's `properties` and `items` want, where they
 * spell exactly that and the schema allows no string. What does not fit stays as it is: to refuse it is the
 * validator's task.
 */
export function coerceMembers(members: Members, schema: Schema | undefined): Members {
  const properties = schema?.properties;
  if (!isPlainObject(properties)) return members;
  const coerced: Members = new Map();
  for (const [key, value] of members) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    coerced.set(key, isPlainObject(property) ? coerce(value, property) : value);
  }
  return coerced;
}

function coerce(literal: Literal, schema: Schema): Literal {
  switch (literal.kind) {
    case "object":
      return { kind: "object", members: coerceMembers(literal.members, schema) };
    case "array": {
      const { items } = schema;
      if (!isPlainObject(items)) return literal;
      return { kind: "array", items: literal.items.map((item) => coerce(item, items)) };
    }
    case "string":
      return fromString(literal.value, schema) ?? literal;
    default:
      return literal;
  }
}

function fromString(text: string, schema: Schema): Literal | undefined {
  const types = typesOf(schema);
  if (types.size === 0 || types.has("string")) return undefined;
  const trimmed = text.trim();
  const word = Object.hasOwn(WORDS, trimmed) ? WORDS[trimmed] : undefined;
  if (word !== undefined) return types.has(word.type) ? scalar(word.text) : undefined;
  if (types.has("number") || types.has("integer")) {
    const number = jsonNumber(trimmed);
    if (number !== undefined && (types.has("number") || isInteger(number))) return scalar(number);
  }
  if (types.has("object") || types.has("array")) {
    const value = readLiteral(text);
    if (value !== undefined && types.has(value.kind)) return coerce(value, schema);
  }
  return undefined;
}

/** The types that a schema allows, with those of `anyOf` and `oneOf`, which optional fields use. */
function typesOf(schema: Schema): Set<string> {
  const types = new Set<string>();
  const branches = [schema.anyOf, schema.oneOf].flatMap((list) =>
    Array.isArray(list) ? list : [],
  );
  for (const branch of [schema, ...branches]) {
    const type: unknown = isPlainObject(branch) ? branch.type : undefined;
    for (const name of Array.isArray(type) ? type : [type]) {
      if (typeof name === "string") types.add(name);
    }
  }
  return types;
}

/** JSON Schema counts 10.0 among the integers. */
function isInteger(number: string): boolean {
  return /^-?\d+(?:\.0+)?$/.test(number);
}

function scalar(text: string): Literal {
  return { kind: "scalar", text };
}
