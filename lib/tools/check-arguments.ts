import { CriaError, invalid, show } from "../internal/errors.js";
import { SchemaChecker } from "../schema/check-value.js";
import type { Json } from "../schema/formula.js";
import { readSchema } from "../schema/read-schema.js";
import { SchemaProblem } from "../schema/schema-problem.js";
import type { StandardResult, StandardSchema } from "./infer-arguments.js";

/** Whether a value fits a JSON Schema: nothing, or what is wrong, for people and models. */
function schemaProblem(value: unknown, schema: object): string | undefined {
  const problem = schemaChecker(schema, "parameters").problem(value as Json);
  if (problem === undefined) return undefined;
  const { path, expected, got } = problem;
  const found = got === undefined ? "nothing" : show(got);
  return `${path === "" ? "" : `${path}: `}expected ${expected}, got ${found}`;
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
 * What tells whether arguments fit a schema that stays as it is. One by which nothing can be checked is
 * refused: otherwise the first to learn of it would be the model, with every call that it makes.
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
