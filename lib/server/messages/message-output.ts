import type { ChatChoice } from "../../batch/output/answer-bodies.js";
import type { GenerationResult, GenerationUsage } from "../../generation/generation.js";
import { newId } from "../answer-head.js";

/** A message as it begins: without content. */
export function openMessage(model: string) {
  return {
    ...{ id: `msg_${newId()}`, type: "message", role: "assistant", model, content: [] as object[] },
    ...{ stop_reason: null, stop_sequence: null, usage: messageUsage(NOTHING) },
  };
}

const NOTHING: GenerationUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

/** There, what came from the cache is not among the input's. */
export function messageUsage({ promptTokens, cachedTokens, completionTokens }: GenerationUsage) {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

/** Why it ended. A stop string of the template's own is the end of the turn. */
export function messageStop(
  finish: "stop" | "length" | "tool_calls",
  { stopReason, stopString }: Pick<GenerationResult, "stopReason" | "stopString">,
  stops: readonly string[],
) {
  if (finish === "tool_calls") return { stop_reason: "tool_use", stop_sequence: null };
  if (finish === "length") return { stop_reason: "max_tokens", stop_sequence: null };
  const own = stopReason === "stop-string" && stopString != null && stops.includes(stopString);
  return own
    ? { stop_reason: "stop_sequence", stop_sequence: stopString }
    : { stop_reason: "end_turn", stop_sequence: null };
}

/** The blocks of an answer that came as a whole. A call that cannot be read stays text. */
export function contentOf({ content, reasoning, calls }: ChatChoice): object[] {
  const called = calls.filter(({ problem }) => problem === undefined);
  const broken = calls.filter(({ problem }) => problem !== undefined);
  const text = content + broken.map(({ source = "" }) => source).join("");
  return [
    ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" }]),
    ...(text === "" ? [] : [{ type: "text", text }]),
    ...called.map(({ id, function: { name, arguments: input } }) => ({
      ...{ type: "tool_use", id, name, input: JSON.parse(input) as object },
    })),
  ];
}
