import { watchSignal } from "../abort.js";
import { CriaError } from "../errors.js";
import type { Tool } from "../tools/define.js";
import type { ParsedToolCall } from "../tools/types.js";
import type { RenderableMessage } from "./messages.js";
import type { RunningTurn } from "./turn.js";

type ToolMessage = Extract<RenderableMessage, { readonly role: "tool" }>;

const CANCELLED = "The call was cancelled.";
const FAILED = "The tool failed.";

/**
 * Carries out calls side by side, tells each result when it is there, and returns what the model is
 * told, in the order of the calls. Whatever goes wrong is told to the model: a name that is no tool's,
 * arguments that do not fit, a tool that throws. In a turn that was stopped nothing is carried out any
 * more: the calls were cancelled.
 */
export function carryOut(
  calls: readonly ParsedToolCall[],
  tools: readonly Tool[],
  turn: RunningTurn,
): Promise<ToolMessage[]> {
  return Promise.all(calls.map((call) => carryOutOne(call, tools, turn)));
}

async function carryOutOne(
  call: ParsedToolCall,
  tools: readonly Tool[],
  turn: RunningTurn,
): Promise<ToolMessage> {
  const { id, function: called } = call;
  const told = { type: "tool-result", callId: id, name: called.name } as const;
  const message = (content: string): ToolMessage => ({
    role: "tool",
    content,
    tool_call_id: id,
    name: called.name,
  });
  try {
    const result = await orCancelled(execute(call, tools, turn.stop), turn.stop);
    const content = textOf(result);
    turn.tell({ ...told, result });
    return message(content);
  } catch (error) {
    const reason = reasonOf(error);
    turn.tell({ ...told, result: undefined, error: reason });
    return message(JSON.stringify({ error: reason }));
  }
}

async function execute(
  { id, problem, function: called }: ParsedToolCall,
  tools: readonly Tool[],
  stop: AbortSignal,
): Promise<unknown> {
  if (stop.aborted) throw cancelled();
  const tool = tools.find(({ definition }) => definition.function.name === called.name);
  if (tool?.execute === undefined) {
    const names = tools.map(({ definition }) => definition.function.name).join(", ");
    throw new CriaError("ERR_TOOL", `There is no tool "${called.name}". There are: ${names}`);
  }
  if (problem !== undefined) throw new CriaError("ERR_TOOL", problem);
  const args = await tool.check(JSON.parse(called.arguments));
  if (stop.aborted) throw cancelled(); // while a schema of the caller's took its time
  return tool.execute(args, { signal: stop, callId: id });
}

function cancelled(): CriaError {
  return new CriaError("ERR_TOOL", CANCELLED);
}

/** A tool that does not heed the signal is not waited for. */
function orCancelled<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const unwatch = watchSignal(stop, () => reject(cancelled()));
    work.then(resolve, reject).finally(unwatch);
  });
}

/** What the model is shown of a result. */
function textOf(result: unknown): string {
  if (typeof result === "string") return result;
  return JSON.stringify(result) ?? "null";
}

function reasonOf(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : String(error);
    return typeof message === "string" && message !== "" ? message : FAILED;
  } catch {
    return FAILED; // what it threw cannot be read either
  }
}
