import { grammarOf } from "../sampling/grammar.js";
import type { CompileOptions } from "../schema/compile-schema.js";
import type { Expression } from "../schema/grammar-rules.js";
import { heldSchema } from "../schema/schema-grammar.js";
import { copyOfSchema } from "./define-tool.js";

/** An answer has the properties that its schema names; models put a space behind commas and colons. */
const ANSWERS: CompileOptions = { whiteSpace: "spaces", closed: true };

/**
 * An own copy of a schema, of which an answer follows every word. Nobody checks an answer afterwards, so
 * what its grammar would not hold is refused, with its place.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_SCHEMA_UNSUPPORTED
 */
export function responseSchemaOf(schema: unknown, name: string): object {
  const copy = copyOfSchema(schema, name);
  grammarOf(heldSchema(copy, name, ANSWERS).value, name);
  return copy;
}

/** The answers that satisfy a schema of `responseSchemaOf()`. */
export function answersOf(schema: object): Expression {
  return heldSchema(schema, "responseSchema", ANSWERS).value;
}
