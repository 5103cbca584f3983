import { CriaError, show } from "../internal/errors.js";
import type { Json } from "../schema/formula.js";
import type { StandardResult, StandardSchema } from "./infer-arguments.js";
import { schemaChecker } from "./schema-check.js";

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
