import { watchSignal } from "../internal/abort.js";
import { CriaError, isError } from "../internal/errors.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { ParsedToolCall } from "../messages/tool-types.js";
import type { Tool } from "../tools/define-tool.js";
import type { RunningTurn } from "./chat-turn.js";

type ToolMessage = Extract<RenderableMessage, { readonly role: "tool" }>;

/** What became of a call. */
interface Outcome {
  /** What the model is told. It is made once, so that the model sees what was judged. */
  readonly content: string;
  readonly told: { readonly result: unknown; readonly error?: string };
}

const CANCELLED = "The call was cancelled.";
const WITHHELD = "The result was withheld by moderation.";
const FAILED = "The tool failed.";

/**
 * Carries out calls in parallel, tells each result as it comes, and returns what the model is told, in the
 * order of the calls. The model is told whatever goes wrong: a name that no tool has, arguments that do
 * not fit, a tool that throws. In a turn that was stopped nothing more is carried out: the calls are
 * answered as cancelled.
 *
 * @param admits whether the message may be shown. If it fails, so does all of this, once nothing
 * runs any more
 */
export async function carryOut(
  calls: readonly ParsedToolCall[],
  tools: readonly Tool[],
  turn: RunningTurn,
  admits?: (message: ToolMessage) => Promise<boolean>,
): Promise<ToolMessage[]> {
  const carryOutOne = async (call: ParsedToolCall) => {
    const outcome = await outcomeOf(call, tools, turn);
    if (admits === undefined) return tell(call, outcome, turn);
    const admitted = await admits(messageOf(call, outcome));
    if (admitted && !turn.stop.aborted) return tell(call, asJudged(outcome), turn);
    return tell(call, failure(turn.stop.aborted ? CANCELLED : WITHHELD), turn);
  };
  const settled = await Promise.allSettled(calls.map(carryOutOne));
  return settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

/** Answers calls that nobody will carry out. */
export function withdraw(calls: readonly ParsedToolCall[], turn: RunningTurn): ToolMessage[] {
  return calls.map((call) => tell(call, failure(CANCELLED), turn));
}

function tell(call: ParsedToolCall, outcome: Outcome, turn: RunningTurn): ToolMessage {
  const { id, function: called } = call;
  turn.tell({ type: "tool-result", callId: id, name: called.name, ...outcome.told });
  return messageOf(call, outcome);
}

function messageOf({ id, function: called }: ParsedToolCall, { content }: Outcome): ToolMessage {
  return { role: "tool", content, tool_call_id: id, name: called.name };
}

/** The data that its JSON text holds. A live object may show more, or something else later, unjudged. */
function asJudged({ content, told }: Outcome): Outcome {
  const { result } = told;
  if (typeof result !== "object" || result === null) return { content, told };
  return { content, told: { ...told, result: JSON.parse(content) as unknown } };
}

function failure(error: string): Outcome {
  return { content: JSON.stringify({ error }), told: { result: undefined, error } };
}

async function outcomeOf(
  call: ParsedToolCall,
  tools: readonly Tool[],
  turn: RunningTurn,
): Promise<Outcome> {
  try {
    const result = await orCancelled(execute(call, tools, turn.stop), turn.stop);
    return { content: resultText(result), told: { result } };
  } catch (error) {
    return failure(reasonOf(error));
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
  if (stop.aborted) throw cancelled(); // a schema of the caller's may take its time
  return tool.execute(args, { signal: stop, callId: id });
}

function cancelled(): CriaError {
  return new CriaError("ERR_TOOL", CANCELLED);
}

/** Does not wait for a tool that ignores the signal. */
function orCancelled<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const unwatch = watchSignal(stop, () => reject(cancelled()));
    work.then(resolve, reject).finally(unwatch);
  });
}

/** A result as the model is shown it. */
export function resultText(result: unknown): string {
  if (typeof result === "string") return result;
  return JSON.stringify(result) ?? "null";
}

function reasonOf(error: unknown): string {
  try {
    const message: unknown = isError(error) ? error.message : String(error);
    return typeof message === "string" && message !== "" ? message : FAILED;
  } catch {
    return FAILED; // what it threw cannot be read either
  }
}
