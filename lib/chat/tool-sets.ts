import { isPlainObject } from "../internal/checks.js";
import type { ToolDefinition } from "../messages/tool-types.js";
import { isTool, type Tool, toolOf } from "../tools/define-tool.js";
import { readTools } from "./tool-definitions.js";

/** Tools that are given together. All turns share the object, which is the key to what is made of them. */
export interface ToolSet {
  readonly tools: readonly Tool[];
  /** What the model is told of them, checked. */
  readonly definitions: readonly ToolDefinition[];
}

const NONE: ToolSet = { tools: [], definitions: Object.freeze([]) };

/** Sets by their first tool. */
const sets = new WeakMap<Tool, ToolSet[]>();
/** How many sets are kept for one first tool: the latest. */
const MOST_SETS = 8;

/** The set of these very tools, in this order. */
export function toolSetOf(tools: readonly Tool[]): ToolSet {
  const [first] = tools;
  if (first === undefined) return NONE;
  const known = sets.get(first) ?? [];
  sets.set(first, known);
  const same = known.find((set) => isSame(set.tools, tools));
  if (same !== undefined) return same;
  const set = {
    tools: Object.freeze([...tools]),
    definitions: readTools(
      tools.map(({ definition }) => definition),
      "options.tools",
    ),
  };
  known.push(set);
  if (known.length > MOST_SETS) known.shift();
  return set;
}

function isSame(some: readonly Tool[], others: readonly Tool[]): boolean {
  return some.length === others.length && some.every((tool, index) => tool === others[index]);
}

/** Tools by what was given, with its JSON: the caller may change it between two turns. */
const made = new WeakMap<object, { readonly json: string; readonly tool: Tool }>();

/** As `toolOf`, but gives the same tool for the same definition. */
export function knownTool(value: unknown, name: string): Tool {
  if (isTool(value) || !isPlainObject(value)) return toolOf(value, name);
  const known = made.get(value);
  const json = plainJson(value);
  if (known !== undefined && known.json === json) return known.tool;
  const tool = toolOf(value, name);
  if (json !== undefined) made.set(value, { json, tool });
  return tool;
}

/** Undefined where the value is no JSON: `toolOf` says what is wrong with it. */
function plainJson(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
