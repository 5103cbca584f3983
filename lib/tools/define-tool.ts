import {
  boolean,
  callback,
  guarded,
  isPlainObject,
  readOptions,
  string,
} from "../internal/checks.js";
import { CriaError, expected, invalid, show } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { ToolDefinition } from "../messages/tool-types.js";
import { checkArguments, schemaChecker } from "./check-arguments.js";
import type { InferArguments, StandardSchema } from "./infer-arguments.js";

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
  /** What it does and when to use it, for the model. Default: none. */
  readonly description?: string;
  /** A JSON Schema of the arguments object, or a Standard Schema. Default: no arguments. */
  readonly parameters?: P;
  /** The JSON Schema of a Standard Schema that cannot give its own. Default: its own. */
  readonly jsonSchema?: object;
  /**
   * Carries out a call; what it returns, or resolves with, is the result. Default: none, the turn ends where the
   * model calls it, and the caller answers.
   */
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

/** All tools that were made here: nothing else counts as a tool, whatever it looks like. */
const tools = new WeakSet<object>();
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const TOOL_OPTIONS = ["name", "description", "parameters", "jsonSchema", "execute"] as const;
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
  return make(readOptions(tool as ToolOptions<unknown>, "tool", TOOL_OPTIONS), "tool");
}

/** @param at the caller's name for the options */
function make(o: Partial<ToolOptions<unknown>>, at: string): Tool {
  const { description, parameters = NOTHING, jsonSchema, execute } = o;
  const name = string(o.name, `${at}.name`);
  if (!NAME.test(name)) throw expected("1 to 64 of A-Z a-z 0-9 _ - .", `${at}.name`, name);
  if (description !== undefined) string(description, `${at}.description`);
  if (execute !== undefined) callback(execute, `${at}.execute`);
  const standard = standardSchema(parameters, `${at}.parameters`);
  const schema = schemaOf(parameters, standard, jsonSchema, at);
  // A Standard Schema checks by itself, and a tool without `execute` needs no check.
  if (standard === undefined && execute !== undefined) schemaChecker(schema, `${at}.parameters`);
  const definition: ToolDefinition = Object.freeze({
    type: "function",
    function: Object.freeze({
      name,
      ...given({ description }),
      parameters: schema,
    }),
  });
  const made = {
    definition,
    ...given({ execute: execute as Tool["execute"] }),
    check: (args: unknown) => checkArguments(args, schema, standard),
  };
  tools.add(made);
  return Object.freeze(made);
}

export function isTool(value: unknown): value is Tool {
  return typeof value === "object" && value !== null && tools.has(value);
}

/** A copy of a Standard Schema's interface, each property read once; undefined for other schemas. */
function standardSchema(
  parameters: unknown,
  name: string,
): StandardSchema["~standard"] | undefined {
  if (typeof parameters !== "object" && typeof parameters !== "function") return undefined;
  if (parameters === null) return undefined;
  return guarded(parameters, name, () => {
    const standard = (parameters as Partial<StandardSchema>)["~standard"];
    if (standard === undefined) return undefined;
    const { version, vendor, validate, jsonSchema } = standard;
    if (typeof validate !== "function") {
      throw expected("a Standard Schema with `validate`", `${name}["~standard"]`, parameters);
    }
    const own = (value: unknown) => validate.call(standard, value);
    return { version, vendor, validate: own, ...(jsonSchema && { jsonSchema }) };
  });
}

/** The JSON Schema as a frozen copy: what is checked must be what the model was told. */
function schemaOf(
  parameters: unknown,
  standard: StandardSchema["~standard"] | undefined,
  given: object | undefined,
  at: string,
): object {
  if (standard === undefined) {
    if (given === undefined) return argumentsSchema(parameters, `${at}.parameters`);
    throw invalid(
      `\`${at}.jsonSchema\` goes with a Standard Schema, and \`${at}.parameters\` is none: give the ` +
        "JSON Schema there",
      { name: `${at}.jsonSchema` },
    );
  }
  if (given !== undefined) return argumentsSchema(given, `${at}.jsonSchema`);
  const { jsonSchema, vendor } = standard;
  const cannot = (cause?: unknown) =>
    invalid(
      `The Standard Schema of \`${at}.parameters\` (${show(vendor)}) cannot give its JSON Schema: ` +
        `pass it as \`${at}.jsonSchema\``,
      { name: `${at}.jsonSchema` },
      cause,
    );
  if (typeof jsonSchema?.input !== "function") throw cannot();
  let made: unknown;
  try {
    made = jsonSchema.input({ target: "draft-2020-12" });
  } catch (error) {
    throw cannot(error); // it may have a date, which JSON does not
  }
  return argumentsSchema(made, `${at}.parameters["~standard"].jsonSchema`);
}

function argumentsSchema(schema: unknown, name: string): object {
  const copy = copyOfSchema(schema, name);
  const { type = "object" } = copy as { type?: unknown };
  if (type === "object" || (Array.isArray(type) && type.includes("object"))) return copy;
  throw expected('"object", since arguments are named,', `${name}.type`, type);
}

/** A frozen copy. */
export function copyOfSchema(schema: unknown, name: string): object {
  if (!isPlainObject(schema)) throw expected("a JSON Schema, a plain object,", name, schema);
  const copy: unknown = guarded(schema, name, () => deepFreeze(JSON.parse(JSON.stringify(schema))));
  if (isPlainObject(copy)) return copy;
  throw expected("a JSON Schema, a plain object,", name, copy);
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
  const tool = withoutNulls(readOptions(value as ToolDefinition, name, ["type", "function"]));
  if ((tool.type as unknown) === "custom") {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `\`${name}.type\` is "custom", and custom tools have no schema: declare a function instead`,
      { details: { name: `${name}.type` } },
    );
  }
  if (tool.type !== "function") throw expected('"function"', `${name}.type`, tool.type);
  const at = `${name}.function`;
  if (tool.function === undefined) throw expected("an object with a `name`", at, undefined);
  const known = ["name", "description", "parameters", "strict"] as const;
  const { strict, ...o } = withoutNulls(readOptions(tool.function, at, known));
  if (strict !== undefined) boolean(strict, `${at}.strict`);
  return make(o, at);
}

/** In OpenAI's API, null means not given. */
function withoutNulls<T extends object>(options: Partial<T>): Partial<NonNull<T>> {
  const given = Object.entries(options).filter(([, value]) => value !== null);
  return Object.fromEntries(given) as Partial<NonNull<T>>;
}

type NonNull<T> = { [Key in keyof T]: Exclude<T[Key], null> };
