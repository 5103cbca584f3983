import {
  dereference,
  type Schema,
  schemaArrayKeyword,
  schemaKeyword,
  schemaMapKeyword,
} from "@cfworker/json-schema";
import { invalid, show } from "../errors.js";
import { isObject } from "../messages/json.js";

const TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"];

/**
 * Refuses a schema by which no arguments can be checked. Otherwise the first to learn of it would be the
 * model, with every call that it makes.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, with the place
 */
export function assertCheckable(schema: object, name: string): void {
  const copy = structuredClone(schema) as Schema; // it is written into
  let known: Record<string, Schema | boolean>;
  try {
    known = dereference(copy);
  } catch (error) {
    const { message } = error as Error;
    throw invalid(`\`${name}\` cannot be read as a JSON Schema: ${message}`, { name }, error);
  }
  for (const [part, path] of subschemas(copy)) {
    const problem = typeProblem(part) ?? patternProblem(part) ?? referenceProblem(part, known);
    if (problem === undefined) continue;
    throw invalid(`\`${name}\` cannot be checked against: ${problem}, at ${path}`, { name, path });
  }
}

/** All schemas in one; what stands under keywords that JSON Schema does not have is none. */
function subschemas(root: Schema): readonly (readonly [Schema, string])[] {
  const found: [Schema, string][] = [];
  const add = (value: unknown, path: string) => {
    if (isObject(value)) found.push([value, path]);
  };
  add(root, "#");
  for (const [schema, path] of found) {
    for (const [key, value] of Object.entries(schema)) {
      if (Object.hasOwn(schemaKeyword, key)) add(value, `${path}/${key}`);
      const holder = Array.isArray(value) ? schemaArrayKeyword : schemaMapKeyword;
      if (!Object.hasOwn(holder, key)) continue;
      for (const [at, part] of Object.entries(value ?? {})) add(part, `${path}/${key}/${at}`);
    }
  }
  return found;
}

function typeProblem({ type }: Schema): string | undefined {
  if (type === undefined) return undefined;
  const strange = [type].flat().find((one) => !TYPES.includes(one as string));
  return strange === undefined ? undefined : `there is no type ${show(strange)}`;
}

function patternProblem({ pattern, patternProperties }: Schema): string | undefined {
  const ofNames = Object.keys(patternProperties ?? {});
  for (const source of pattern === undefined ? ofNames : [pattern, ...ofNames]) {
    try {
      new RegExp(source, "u");
    } catch (error) {
      return (error as Error).message;
    }
  }
  return undefined;
}

function referenceProblem(
  schema: Schema,
  known: Record<string, Schema | boolean>,
): string | undefined {
  const passed = new Set<Schema>();
  let at: Schema | boolean | undefined = schema;
  while (typeof at === "object" && at.$ref !== undefined) {
    if (passed.has(at)) return `the reference ${show(schema.$ref)} comes back to itself`;
    passed.add(at);
    const { $ref, __absolute_ref__: uri = $ref } = at as Schema & { $ref: string };
    at = known[uri];
    if (at === undefined) return `the reference ${show($ref)} leads nowhere`;
  }
  return undefined;
}
