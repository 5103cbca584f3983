import { list } from "../internal/checks.js";
import { CriaError, expected, invalid } from "../internal/errors.js";
import { isObject, jsonCopy } from "../internal/json-text.js";
import type { ToolDefinition, ToolDefinitionInput } from "../messages/tool-types.js";

/**
 * The caller's tools, checked and copied. Other fields of a definition (`returns`) go to the model with
 * it, as in the models' own templates. `strict` is for the API, not for the model, and is left
 * out.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED
 */
export function readTools(
  tools: readonly ToolDefinitionInput[],
  name: string,
): readonly ToolDefinition[] {
  const copies = list(tools, name, "an array of tool definitions", (tool, at) => ({
    tool: jsonCopy(tool, at),
    at,
  }));
  const names = new Set<string>();
  return copies.map(({ tool, at }) => {
    const definition = readTool(tool, at);
    const { name: called } = definition.function;
    if (names.has(called)) {
      throw invalid(`Two tools have the name of \`${at}.function.name\`: give each its own`, {
        name: `${at}.function.name`,
      });
    }
    names.add(called);
    return definition;
  });
}

function readTool(tool: unknown, name: string): ToolDefinition {
  if (!isObject(tool)) throw expected("a tool definition", name, tool);
  if (tool.type === "custom") {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `Cannot render \`${name}.type\`: custom tools have no schema; declare a function instead`,
      { details: { name: `${name}.type` } },
    );
  }
  if (tool.type !== "function") throw expected('"function"', `${name}.type`, tool.type);
  if (!isObject(tool.function)) {
    throw expected("an object with the function's `name`", `${name}.function`, tool.function);
  }
  const { strict: _strict, ...all } = tool.function;
  // Null counts as not given, and the model is not told of it.
  const declared = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  const { name: called, description, parameters } = declared;
  if (typeof called !== "string" || called === "") {
    throw expected("a non-empty string", `${name}.function.name`, called);
  }
  if (description !== undefined && typeof description !== "string") {
    throw expected("a string", `${name}.function.description`, description);
  }
  if (parameters !== undefined && !isObject(parameters)) {
    throw expected("a JSON Schema object", `${name}.function.parameters`, parameters);
  }
  // The spread keeps the order of the fields.
  return {
    ...tool,
    type: "function",
    function: {
      ...declared,
      name: called,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
    },
  };
}
