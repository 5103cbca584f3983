import { CriaError, invalid, show } from "../internal/errors.js";
import { SchemaChecker, type ValueProblem } from "../schema/check-value.js";
import type { Json } from "../schema/formula.js";
import { readSchema } from "../schema/read-schema.js";
import { SchemaProblem } from "../schema/schema-problem.js";
import type { StandardResult, StandardSchema } from "./infer-arguments.js";

/** What is wrong with a value by a JSON Schema, for people and models; undefined if it fits. */
function schemaProblem(value: unknown, schema: object): string | undefined {
  const problem = problemOf(value as Json, schemaChecker(schema, "parameters"));
  if (problem === undefined) return undefined;
  const { path, expected, got } = problem;
  const found = got === undefined ? "nothing" : show(got);
  return `${path === "" ? "" : `${path}: `}expected ${expected}, got ${found}`;
}

function problemOf(value: Json, checker: SchemaChecker): ValueProblem | undefined {
  try {
    return checker.problem(value);
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error;
    throw new CriaError("ERR_TOOL", `The arguments cannot be checked: ${error.message}`);
  }
}

/**
 * The arguments of a call as `execute` is to get them.
 *
 * @throws {CriaError} ERR_TOOL
 */
export function checkArguments(
  args: unknown,
  schema: object,
  standard: StandardSchema["~standard"] | undefined,
): unknown {
  if (standard === undefined) {
    const problem = schemaProblem(args, schema);
    if (problem !== undefined) throw unfit(problem);
    return args;
  }
  const result = standard.validate(args);
  return "then" in result ? Promise.resolve(result).then(outputOf) : outputOf(result);
}

function outputOf(result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  const [first] = result.issues;
  const path = (first?.path ?? []).map((part) =>
    String(typeof part === "object" ? part.key : part),
  );
  throw unfit(`${path.length > 0 ? `${path.join(".")}: ` : ""}${first?.message ?? "not valid"}`);
}

function unfit(problem: string): CriaError {
  return new CriaError("ERR_TOOL", `The arguments do not fit the tool's schema: ${problem}`);
}

const checkers = new WeakMap<object, SchemaChecker>();

/**
 * The checker for a schema that does not change. A schema that cannot be checked against is refused:
 * otherwise only the model would learn of it, with every call that it makes.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, with the place
 */
export function schemaChecker(schema: object, name: string): SchemaChecker {
  let checker = checkers.get(schema);
  if (checker === undefined) {
    try {
      checker = new SchemaChecker(readSchema(schema, name));
    } catch (error) {
      if (!(error instanceof SchemaProblem)) throw error;
      const { path, message } = error;
      throw invalid(
        `\`${name}\` cannot be checked against: ${message}, at ${path}`,
        { name, path },
        error,
      );
    }
    checkers.set(schema, checker);
  }
  return checker;
}
