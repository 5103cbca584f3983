import { type Schema, Validator } from "@cfworker/json-schema";
import { CriaError } from "../errors.js";
import type { StandardResult, StandardSchema } from "./infer.js";

const validators = new WeakMap<object, Validator>();

/** Whether a value fits a JSON Schema: nothing, or what is wrong, for people and models. */
function schemaProblem(value: unknown, schema: object): string | undefined {
  let validator = validators.get(schema);
  if (validator === undefined) {
    // It writes into the schema that it is given.
    const copy = structuredClone(schema) as Schema;
    validator = new Validator(copy, "2020-12", /* shortCircuit */ false);
    validators.set(schema, validator);
  }
  const { valid, errors } = validator.validate(value);
  if (valid) return undefined;
  // The innermost errors say what is wrong, those around them only that something is.
  const deepest = errors.reduce((a, b) =>
    b.instanceLocation.length > a.instanceLocation.length ? b : a,
  );
  const place = deepest.instanceLocation.replace(/^#\/?/, "").replaceAll("/", ".");
  return `${place === "" ? "" : `${place}: `}${deepest.error}`;
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
