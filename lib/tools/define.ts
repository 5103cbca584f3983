import { CriaError, expected } from "../errors.js";
import { isMarked, mark } from "../marker.js";
import { boolean, callback, isPlainObject, readOptions, string, unreadable } from "../options.js";
import { checkArguments } from "./arguments.js";
import type { InferArguments, StandardSchema } from "./infer.js";
import type { ToolDefinition } from "./types.js";

/** What `execute` is given besides its arguments. */
export interface ToolContext {
  /** Aborted when the turn is cancelled. */
  readonly signal?: AbortSignal;
  /** Id of the call that is carried out. */
  readonly callId: string;
}

/** What `defineTool` takes. */
export interface ToolOptions<P> {
  /** Letters, digits, `_`, `-` and `.`, 1…64. */
  readonly name: string;
  /** What it does and when to use it, for the model. */
  readonly description?: string;
  /** A JSON Schema of the arguments object, or a Standard Schema. Default: no arguments. */
  readonly parameters?: P;
  /** The JSON Schema of a Standard Schema that cannot give its own. */
  readonly jsonSchema?: object;
  /** Left out: the turn ends where the model calls it, and the caller answers. */
  readonly execute?: (args: InferArguments<P>, context: ToolContext) => unknown;
}

/** A tool with its implementation. */
export interface Tool {
  /** As the model is told of it. */
  readonly definition: ToolDefinition;
  /** Carries out a call; the arguments were checked. */
  readonly execute?: (args: unknown, context: ToolContext) => unknown;
  /**
   * The arguments as `execute` is to get them.
   * @throws {CriaError} ERR_TOOL: they do not fit the schema; the message says where
   */
  readonly check: (args: unknown) => unknown;
}

const MARKER = Symbol.for("cria.tool");
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const KNOWN = ["name", "description", "parameters", "jsonSchema", "execute"] as const;
const NOTHING = { type: "object", properties: {} } as const;

/**
 * A tool that a model may call. The type of `execute`'s arguments follows from `parameters`.
 *
 * @example
 * const weather = defineTool({
 *   name: "get_weather",
 *   description: "Tells the weather of a city.",
 *   parameters: {
 *     type: "object",
 *     properties: { city: { type: "string" } },
 *     required: ["city"],
 *   },
 *   execute: ({ city }) => `Sunny in ${city}.`,
 * });
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function defineTool<const P>(tool: ToolOptions<P>): Tool {
  const o = readOptions(tool as ToolOptions<unknown>, "tool", KNOWN);
  const { description, parameters = NOTHING, jsonSchema, execute } = o;
  const name = string(o.name, "tool.name");
  if (!NAME.test(name)) throw expected("1 to 64 of A-Z a-z 0-9 _ - .", "tool.name", name);
  if (description !== undefined) string(description, "tool.description");
  if (execute !== undefined) callback(execute, "tool.execute");
  const standard = standardSchema(parameters);
  const schema = schemaOf(parameters, standard, jsonSchema);
  const definition: ToolDefinition = Object.freeze({
    type: "function",
    function: Object.freeze({
      name,
      ...(description === undefined ? {} : { description }),
      parameters: schema,
    }),
  });
  const made = {
    definition,
    ...(execute === undefined
      ? {}
      : { execute: execute as (args: unknown, context: ToolContext) => unknown }),
    check: (args: unknown) => checkArguments(args, schema, standard),
  };
  mark(made, MARKER);
  return Object.freeze(made);
}

/** Also one of the package's other copy (ESM and CommonJS in one process). */
export function isTool(value: unknown): value is Tool {
  return isMarked(value, MARKER);
}

function standardSchema(parameters: unknown): StandardSchema | undefined {
  if (typeof parameters !== "object" && typeof parameters !== "function") return undefined;
  if (parameters === null) return undefined;
  try {
    const standard = (parameters as Partial<StandardSchema>)["~standard"];
    if (standard === undefined) return undefined;
    if (typeof standard?.validate === "function") return parameters as StandardSchema;
  } catch (error) {
    throw unreadable(error, "tool.parameters", parameters);
  }
  throw expected("a Standard Schema with `validate`", 'tool.parameters["~standard"]', parameters);
}

/** An own, frozen copy: what the model was told must be what is checked. */
function schemaOf(
  parameters: unknown,
  standard: StandardSchema | undefined,
  given: object | undefined,
): object {
  if (given !== undefined) return copyOfSchema(given, "tool.jsonSchema");
  if (standard === undefined) return copyOfSchema(parameters, "tool.parameters");
  const make = standard["~standard"].jsonSchema?.input;
  if (make === undefined) {
    throw new CriaError(
      "ERR_INVALID_ARGUMENT",
      `This Standard Schema (${standard["~standard"].vendor}) cannot give its JSON Schema. Pass it ` +
        "as `jsonSchema`",
    );
  }
  try {
    return copyOfSchema(make({ target: "draft-2020-12" }), "the schema's JSON Schema");
  } catch (error) {
    throw unreadable(error, "tool.parameters", standard);
  }
}

function copyOfSchema(schema: unknown, name: string): object {
  if (!isPlainObject(schema)) throw expected("a JSON Schema, a plain object,", name, schema);
  try {
    return deepFreeze(JSON.parse(JSON.stringify(schema)));
  } catch (error) {
    throw unreadable(error, name, schema);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}

/** A bare definition as a tool without an implementation. */
export function toolOf(value: unknown, name: string): Tool {
  if (isTool(value)) return value;
  const { type, function: given } = readOptions(value as ToolDefinition, name, [
    "type",
    "function",
  ]);
  if (type !== "function") throw expected('"function"', `${name}.type`, type);
  const known = ["name", "description", "parameters", "strict"] as const;
  const o = readOptions(given, `${name}.function`, known);
  if (o.strict !== undefined && o.strict !== null) boolean(o.strict, `${name}.function.strict`);
  const { name: called, description, parameters } = o;
  return defineTool({
    name: called as string,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  });
}
