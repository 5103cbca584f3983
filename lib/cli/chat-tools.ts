import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isPlainObject } from "../internal/checks.js";
import { CriaError, expected } from "../internal/errors.js";
import { defineTool, isTool, type Tool, type ToolOptions } from "../tools/define-tool.js";
import { reading } from "./report-failure.js";
import { visible } from "./terminal/visible.js";

/**
 * The tools that a module exports as its default or as `tools`: of `defineTool`, as it takes them, or in
 * OpenAI's shape with `execute` beside `function`. Importing runs the module's code, as `node FILE` does.
 */
export async function loadTools(file: string): Promise<readonly Tool[]> {
  const exported = await importFile(file);
  const list = Array.isArray(exported.default) ? exported.default : exported.tools;
  if (!Array.isArray(list)) {
    throw new Error(
      `The tools file ${file} exports no tools: it needs an array of them as its default export or ` +
        "as `tools`",
    );
  }
  return list.map((value: unknown, index) => {
    try {
      return readTool(value);
    } catch (error) {
      if (!CriaError.is(error)) throw error;
      const message = `The tools file ${file}, tool ${index + 1} of ${list.length}: ${error.message}`;
      throw new CriaError(error.code, message, { cause: error });
    }
  });
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  const path = resolve(file);
  // Checked first, so that a missing file is not confused with a missing import of it.
  await reading("tools file", () => access(path));
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new Error(`The tools file ${file} cannot be imported: ${reason}`, { cause: error });
  }
}

function readTool(value: unknown): Tool {
  const tool = isTool(value) ? value : defineTool(optionsOf(value) as ToolOptions<unknown>);
  if (tool.execute === undefined) {
    throw expected("a function, since nobody else answers a call here,", "tool.execute", undefined);
  }
  return tool;
}

/** `defineTool` checks what is in them. */
function optionsOf(value: unknown): object {
  if (!isPlainObject(value)) throw expected("a tool", "tool", value);
  if (!isPlainObject(value.function)) return value;
  const { type: _type, function: declared, ...rest } = value;
  // `strict` is for OpenAI's API: calls are constrained here in any case.
  const { strict: _strict, ...options } = declared as Record<string, unknown>;
  return { ...options, ...rest };
}

/** A tool in a line: `get_weather(city, unit?)  Tells the weather of a city.` */
export function describeTool({ definition }: Tool): string {
  const { name, description = "", parameters } = definition.function;
  const { properties, required } = (parameters ?? {}) as Record<string, unknown>;
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const names = isPlainObject(properties) ? Object.keys(properties) : [];
  const shown = names.map((key) => (needed.includes(key) ? key : `${key}?`)).join(", ");
  return visible(`${name}(${shown})  ${description}`.trimEnd());
}
