import { CriaError, show } from "../internal/errors.js";
import { atOnce, type Steps } from "../internal/steps.js";
import { type CompiledSchema, type CompileOptions, compileSteps } from "./compile-schema.js";
import { type WrittenGrammar, writeGrammar } from "./gbnf-writer.js";
import type { Expression } from "./grammar-rules.js";
import { readSchema } from "./read-schema.js";
import { SchemaProblem } from "./schema-problem.js";

interface Kept {
  /** The schema as it was: its owner may have changed it since. */
  readonly text: string;
  readonly compiled: Map<string, CompiledSchema | SchemaProblem>;
}

const kept = new WeakMap<object, Kept>();

/**
 * A compiled schema, kept as long as the object that it was given by.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT for what is no JSON, ERR_SCHEMA_UNSUPPORTED with the path
 */
export function compiledSchema(
  schema: unknown,
  name: string,
  options: CompileOptions,
): CompiledSchema {
  return atOnce(compiledSteps(schema, name, options));
}

/** The same in steps. */
export function* compiledSteps(
  schema: unknown,
  name: string,
  options: CompileOptions,
): Steps<CompiledSchema> {
  try {
    const copy = readSchema(schema, name);
    const text = JSON.stringify(copy);
    let known = kept.get(schema as object);
    if (known === undefined || known.text !== text) {
      known = { text, compiled: new Map() };
      kept.set(schema as object, known);
    }
    const key = `${options.whiteSpace},${options.closed}`;
    let result = known.compiled.get(key);
    if (result === undefined) {
      result = yield* compileOr(compileSteps(copy, options));
      known.compiled.set(key, result);
    }
    if (result instanceof SchemaProblem) throw result;
    return result;
  } catch (error) {
    throw error instanceof SchemaProblem ? unsupported(name, error) : error;
  }
}

function* compileOr(compile: Steps<CompiledSchema>): Steps<CompiledSchema | SchemaProblem> {
  try {
    return yield* compile;
  } catch (error) {
    if (error instanceof SchemaProblem) return error;
    throw error;
  }
}

/**
 * The same, of a schema that nobody checks the output by afterwards: the grammar holds all of it.
 *
 * @throws {CriaError} likewise
 */
export function heldSchema(schema: unknown, name: string, options: CompileOptions): CompiledSchema {
  const compiled = compiledSchema(schema, name, options);
  const [first] = compiled.unchecked;
  if (first === undefined) return compiled;
  const { keyword, path, reason } = first;
  throw new CriaError(
    "ERR_SCHEMA_UNSUPPORTED",
    `\`${name}\` has ${show(keyword)} at ${path}, which its grammar would not hold: ${reason}. Leave ` +
      "it out, and check the output yourself",
    { details: { name, path } },
  );
}

/** A grammar that is made of compiled schemas. */
export function writtenGrammar(start: Expression, name: string): WrittenGrammar {
  try {
    const written = writeGrammar(start);
    if (written !== undefined) return written;
    throw new SchemaProblem("#", "no value satisfies it");
  } catch (error) {
    throw error instanceof SchemaProblem ? unsupported(name, error) : error;
  }
}

function unsupported(name: string, problem: SchemaProblem): CriaError {
  const { path, message } = problem;
  return new CriaError(
    "ERR_SCHEMA_UNSUPPORTED",
    `\`${name}\`: no grammar is made of this JSON Schema: ${message}, at ${path}`,
    { details: { name, path }, cause: problem },
  );
}
