import { isPlainObject, isWellFormed, unreadable } from "../internal/checks.js";
import { CriaError, expected, invalid } from "../internal/errors.js";
import type { Json, JsonObject } from "./formula.js";
import { escapePointer } from "./schema-document.js";
import { SchemaProblem } from "./schema-problem.js";

const MAX_DEPTH = 200;
const MAX_VALUES = 100_000;
const MAX_CHARACTERS = 1 << 20;

/**
 * A copy of a schema, each property read once, keys in their order.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT for what is no JSON
 * @throws {SchemaProblem} for what is too large
 */
export function readSchema(schema: unknown, name: string): JsonObject {
  if (!isPlainObject(schema)) throw expected("a JSON Schema as a plain object", name, schema);
  try {
    return new Reader(name).object(schema, name, "#");
  } catch (error) {
    if (CriaError.is(error) || error instanceof SchemaProblem) throw error;
    throw unreadable(error, name, schema);
  }
}

class Reader {
  readonly #name: string;
  readonly #above = new Set<object>();
  #values = 0;
  #characters = 0;

  constructor(name: string) {
    this.#name = name;
  }

  #copy(value: unknown, name: string, path: string): Json {
    if (++this.#values > MAX_VALUES) throw new SchemaProblem(path, "it has too many parts");
    switch (typeof value) {
      case "boolean":
        return value;
      case "string":
        return this.#text(value, name, path);
      case "number":
        if (!Number.isFinite(value)) throw expected("a finite number", name, value);
        return value;
      case "object":
        if (value === null) return null;
        return this.#nested(value, name, path);
      default:
        throw expected("JSON", name, value);
    }
  }

  #text(value: string, name: string, path: string): string {
    if (!isWellFormed(value)) throw expected("well-formed Unicode", name, value);
    this.#characters += value.length;
    if (this.#characters > MAX_CHARACTERS) throw new SchemaProblem(path, "it is too long");
    return value;
  }

  #nested(value: object, name: string, path: string): Json {
    if (this.#above.has(value)) {
      throw invalid(
        `Expected JSON for \`${this.#name}\`, got an object that contains itself at ${name}`,
      );
    }
    if (this.#above.size >= MAX_DEPTH) {
      throw new SchemaProblem(path, `it is more than ${MAX_DEPTH} levels deep`);
    }
    this.#above.add(value);
    const copy = Array.isArray(value)
      ? this.#array(value, name, path)
      : this.object(value, name, path);
    this.#above.delete(value);
    return copy;
  }

  #array(value: readonly unknown[], name: string, path: string): Json {
    const copy: Json[] = [];
    const { length } = value;
    for (let i = 0; i < length; i++)
      copy.push(this.#copy(value[i], `${name}[${i}]`, `${path}/${i}`));
    return copy;
  }

  object(value: object, name: string, path: string): JsonObject {
    if (!isPlainObject(value)) throw expected("JSON", name, value);
    this.#above.add(value);
    const copy: { [key: string]: Json } = Object.create(null);
    for (const key of Object.keys(value)) {
      const inner = value[key];
      if (inner === undefined) continue;
      this.#text(key, `a key of ${name}`, path);
      copy[key] = this.#copy(inner, `${name}.${shorten(key)}`, `${path}/${escapePointer(key)}`);
    }
    return copy;
  }
}

function shorten(key: string): string {
  return key.length > 40 ? `${key.slice(0, 40)}…` : key;
}
