import { callback, isPlainObject, readOptions, string } from "../internal/checks.js";
import { CriaError, expected, invalid, messageOf } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { ToolDefinition, ToolDefinitionInput } from "../messages/tool-types.js";
import type { ToolContext, ToolOptions } from "../tools/define-tool.js";
import type { StandardResult, StandardSchema } from "../tools/infer-arguments.js";
import type { Connection, ExecuteRequest } from "./connection.js";
import type { WireTool } from "./port-protocol.js";

/** A tool that is carried out on this side of the port. */
export interface RemoteTool {
  /** As the model is told of it. */
  readonly definition: ToolDefinition;
  /** Carries out a call; the arguments were checked against the schema by the server. */
  readonly execute?: (args: unknown, context: ToolContext) => unknown;
}

type Validate = (value: unknown) => StandardResult<unknown> | Promise<StandardResult<unknown>>;

const made = new WeakSet<object>();

/**
 * A tool that a model behind the port may call, as `defineTool` of "cria" makes them. The server checks
 * name, schema and arguments; a Standard Schema validates here, too.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function defineTool<const P>(tool: ToolOptions<P>): RemoteTool {
  const known = ["name", "description", "parameters", "jsonSchema", "execute"] as const;
  const o = readOptions(tool as ToolOptions<unknown>, "tool", known);
  const name = string(o.name, "tool.name");
  if (o.execute !== undefined) callback(o.execute, "tool.execute");
  const standard = (o.parameters as Partial<StandardSchema> | undefined)?.["~standard"];
  const parameters = o.jsonSchema ?? standard?.jsonSchema?.input({ target: "draft-2020-12" });
  if (standard !== undefined && parameters === undefined) {
    throw invalid("This Standard Schema cannot give its JSON Schema: pass it as `tool.jsonSchema`");
  }
  const schema = parameters ?? o.parameters;
  if (schema !== undefined && !isPlainObject(schema)) {
    throw expected("a JSON Schema, a plain object,", "tool.parameters", schema);
  }
  const definition: ToolDefinition = {
    type: "function",
    function: { name, ...given({ description: o.description }), ...given({ parameters: schema }) },
  };
  const execute = o.execute as RemoteTool["execute"];
  const remote: RemoteTool = Object.freeze({
    definition,
    ...given({ execute: execute && checked(execute, standard?.validate.bind(standard)) }),
  });
  made.add(remote);
  return remote;
}

function checked(
  execute: NonNullable<RemoteTool["execute"]>,
  validate: Validate | undefined,
): NonNullable<RemoteTool["execute"]> {
  if (validate === undefined) return execute;
  return async (args, context) => {
    const found = await validate(args);
    if (found.issues === undefined) return execute(found.value, context);
    throw new CriaError("ERR_TOOL", found.issues.map(({ message }) => message).join("; "));
  };
}

function isRemoteTool(value: unknown): value is RemoteTool {
  return typeof value === "object" && value !== null && made.has(value);
}

/** As the server is told of them; bare definitions have nobody to carry them out. */
export function wireTools(
  tools: readonly (RemoteTool | ToolDefinitionInput)[],
): (WireTool | ToolDefinitionInput)[] {
  if (!Array.isArray(tools)) throw expected("an array of tools", "options.tools", tools);
  return tools.map((tool) => {
    if (!isRemoteTool(tool)) return tool as ToolDefinitionInput;
    const { name, description, parameters } = tool.definition.function;
    const executes = tool.execute !== undefined;
    return { name, ...given({ description }), ...given({ parameters }), executes };
  });
}

/** Carries out a call for the model and answers it, whatever happens. */
export async function carryOutHere(
  request: ExecuteRequest,
  tools: readonly (RemoteTool | ToolDefinitionInput)[],
  { connection, signal }: { readonly connection: Connection; readonly signal: AbortSignal },
): Promise<void> {
  const { name, args, callId } = request;
  try {
    const named = (tool: unknown): tool is RemoteTool =>
      isRemoteTool(tool) && tool.definition.function.name === name;
    const result = await tools.find(named)?.execute?.(args, { signal, callId });
    connection.answer(request, { result });
  } catch (error) {
    connection.answer(request, { error: messageOf(error) });
  }
}
