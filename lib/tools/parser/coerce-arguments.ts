import { isPlainObject } from "../../internal/checks.js";
import type { Literal, Members } from "./literal.js";
import { readLiteral } from "./literal-reader.js";

/** A JSON Schema, of which only a few keywords are read. */
export type Schema = Readonly<Record<string, unknown>>;

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

function coerce(value: Literal, schema: Schema): Literal {
  if (value instanceof Map) return coerceMembers(value, schema);
  if (Array.isArray(value)) {
    const { items } = schema;
    return isPlainObject(items) ? value.map((item) => coerce(item, items)) : value;
  }
  if (typeof value !== "string") return value;
  const wanted = wantedTypes(schema);
  if (wanted.size === 0 || wanted.has("string")) return value;
  const spelled = readLiteral(value);
  if (spelled === undefined || !typesOf(spelled).some((type) => wanted.has(type))) return value;
  return coerce(spelled, schema);
}

function typesOf(literal: Literal): string[] {
  if (typeof literal === "string") return [];
  if (literal instanceof Map) return ["object"];
  if (Array.isArray(literal)) return ["array"];
  const { json } = literal;
  if (json === "null") return ["null"];
  if (json === "true" || json === "false") return ["boolean"];
  // JSON Schema counts 10.0 among the integers.
  return /^-?\d+(?:\.0+)?$/.test(json) ? ["integer", "number"] : ["number"];
}

/** The types that a schema allows, with those of `anyOf` and `oneOf`, which optional fields use. */
function wantedTypes(schema: Schema): Set<string> {
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
