import { isPlainObject } from "../internal/checks.js";
import type { ToolDefinition } from "../messages/tool-types.js";
import { isTool, type Tool, toolOf } from "../tools/define-tool.js";

/** Tools that are given together: one object for all turns, so that what is made of them is found again. */
export interface ToolSet {
  readonly tools: readonly Tool[];
  readonly definitions: readonly ToolDefinition[];
}

const NONE: ToolSet = { tools: [], definitions: Object.freeze([]) };

/** By their first tool. */
const sets = new WeakMap<Tool, ToolSet[]>();
/** Of one first tool: the latest stay. */
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
    definitions: Object.freeze(tools.map(({ definition }) => definition)),
  };
  ofSets.add(set.definitions);
  known.push(set);
  if (known.length > MOST_SETS) known.shift();
  return set;
}

const ofSets = new WeakSet<object>();

/** Whether it is the `definitions` of a set, which nobody can change: the tools are frozen, too. */
export function isSetDefinitions(value: unknown): value is readonly ToolDefinition[] {
  return typeof value === "object" && value !== null && ofSets.has(value);
}

function isSame(some: readonly Tool[], others: readonly Tool[]): boolean {
  return some.length === others.length && some.every((tool, index) => tool === others[index]);
}

/** By what was given, with its JSON: it may be changed between two turns. */
const made = new WeakMap<object, { readonly json: string; readonly tool: Tool }>();

/** As `toolOf`, and the same tool for the same definition. */
export function knownTool(value: unknown, name: string): Tool {
  if (isTool(value) || !isPlainObject(value)) return toolOf(value, name);
  const known = made.get(value);
  const json = plainJson(value);
  if (known !== undefined && known.json === json) return known.tool;
  const tool = toolOf(value, name);
  if (json !== undefined) made.set(value, { json, tool });
  return tool;
}

/** Undefined of what is read in another way than JSON, or not at all: `toolOf` says what is wrong. */
function plainJson(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
