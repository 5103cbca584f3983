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
    return new Reader(name).object(schema);
  } catch (error) {
    if (CriaError.is(error) || error instanceof SchemaProblem) throw error;
    throw unreadable(error, name, schema);
  }
}

class Reader {
  readonly #root: string;
  readonly #above = new Set<object>();
  /** The way to where it reads. */
  readonly #keys: (string | number)[] = [];
  #values = 0;
  #characters = 0;

  constructor(root: string) {
    this.#root = root;
  }

  #copy(value: unknown): Json {
    if (++this.#values > MAX_VALUES) throw this.#problem("it has too many parts");
    switch (typeof value) {
      case "boolean":
        return value;
      case "string":
        this.#count(value);
        return value;
      case "number":
        if (!Number.isFinite(value)) throw expected("a finite number", this.#name, value);
        return value;
      case "object":
        return value === null ? null : this.#nested(value);
      default:
        throw expected("JSON", this.#name, value);
    }
  }

  #count(text: string, key = false): void {
    if (!isWellFormed(text)) {
      throw expected("well-formed Unicode", key ? `a key of ${this.#name}` : this.#name, text);
    }
    this.#characters += text.length;
    if (this.#characters > MAX_CHARACTERS) throw this.#problem("it is too long");
  }

  #nested(value: object): Json {
    if (this.#above.has(value)) {
      throw invalid(
        `Expected JSON for \`${this.#root}\`, got an object that contains itself at ${this.#name}`,
      );
    }
    if (this.#above.size >= MAX_DEPTH) {
      throw this.#problem(`it is more than ${MAX_DEPTH} levels deep`);
    }
    this.#above.add(value);
    const copy = Array.isArray(value) ? this.#array(value) : this.object(value);
    this.#above.delete(value);
    return copy;
  }

  #array(value: readonly unknown[]): Json {
    const copy: Json[] = [];
    const { length } = value;
    for (let i = 0; i < length; i++) {
      this.#keys.push(i);
      copy.push(this.#copy(value[i]));
      this.#keys.pop();
    }
    return copy;
  }

  object(value: object): JsonObject {
    if (!isPlainObject(value)) throw expected("JSON", this.#name, value);
    this.#above.add(value);
    const copy: { [key: string]: Json } = Object.create(null);
    for (const key of Object.keys(value)) {
      const inner = value[key];
      if (inner === undefined) continue;
      this.#count(key, true);
      this.#keys.push(key);
      copy[key] = this.#copy(inner);
      this.#keys.pop();
    }
    return copy;
  }

  /** As in JavaScript. */
  get #name(): string {
    const parts = this.#keys.map((key) =>
      typeof key === "number" ? `[${key}]` : `.${shorten(key)}`,
    );
    return this.#root + parts.join("");
  }

  #problem(reason: string): SchemaProblem {
    const parts = this.#keys.map((key) => `/${escapePointer(String(key))}`);
    return new SchemaProblem(`#${parts.join("")}`, reason);
  }
}

function shorten(key: string): string {
  return key.length > 40 ? `${key.slice(0, 40)}…` : key;
}
