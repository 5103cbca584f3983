import type { ChatChoice } from "../../batch/output/answer-bodies.js";
import { chatLogprob } from "../../batch/output/answer-bodies.js";
import type { GenerationUsage } from "../../generation/generation.js";
import type { TokenLogprobs } from "../../generation/logprobs.js";
import { newId, now } from "../answer-head.js";

/** A thing that the model put out: thoughts, a message or a call. */
export type OutputItem = Readonly<Record<string, unknown>> & { readonly id: string };

/** How a response ended. */
export type ResponseFinish = "stop" | "length" | "tool_calls";

/** What every state of a response has. */
export interface ResponseFrame {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly echo: Readonly<Record<string, unknown>>;
}

export function responseFrame(
  model: string,
  echo: Readonly<Record<string, unknown>>,
): ResponseFrame {
  return { id: `resp_${newId()}`, created: now(), model, echo };
}

/** The response as it begins: without output. */
export function openResponse({ id, created, model, echo }: ResponseFrame) {
  return {
    ...{ id, object: "response", created_at: created, status: "in_progress" },
    ...{ error: null, incomplete_details: null, model, output: [] as OutputItem[], usage: null },
    ...echo,
  };
}

export function endedResponse(
  frame: ResponseFrame,
  output: readonly OutputItem[],
  {
    finish,
    usage,
    reasoningTokens,
  }: {
    readonly finish: ResponseFinish;
    readonly usage: GenerationUsage;
    readonly reasoningTokens: number;
  },
) {
  const cut = finish === "length";
  return {
    ...openResponse(frame),
    ...{ status: cut ? "incomplete" : "completed", output },
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    usage: {
      input_tokens: usage.promptTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.completionTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: usage.promptTokens + usage.completionTokens,
    },
  };
}

export function reasoningItem(text: string | undefined, id = `rs_${newId()}`): OutputItem {
  const content = text === undefined ? [] : [{ type: "reasoning_text", text }];
  const status = text === undefined ? "in_progress" : "completed";
  return { id, type: "reasoning", summary: [], content, status };
}

export function textPart(text: string, logprobs: readonly TokenLogprobs[]) {
  return { type: "output_text", text, annotations: [], logprobs: logprobs.map(chatLogprob) };
}

export function messageItem(
  part: ReturnType<typeof textPart> | undefined,
  status: "in_progress" | "completed" | "incomplete",
  id = `msg_${newId()}`,
): OutputItem {
  return { id, type: "message", status, role: "assistant", content: part ? [part] : [] };
}

export function callItem(
  call: { readonly id: string; readonly name: string; readonly arguments: string },
  status: "in_progress" | "completed" | "incomplete",
  id = `fc_${newId()}`,
): OutputItem {
  const { id: call_id, name } = call;
  return { id, type: "function_call", status, arguments: call.arguments, call_id, name };
}

/** The output of an answer that came as a whole. */
export function outputOf(
  { content, reasoning, calls, result }: ChatChoice,
  finish: ResponseFinish,
) {
  const called = calls.filter(({ problem }) => problem === undefined);
  // A call that cannot be read stays text.
  const broken = calls.filter(({ problem }) => problem !== undefined);
  const text = content + broken.map(({ source = "" }) => source).join("");
  const status = finish === "length" ? "incomplete" : "completed";
  const items: OutputItem[] = [];
  if (reasoning !== "") items.push(reasoningItem(reasoning));
  if (text !== "" || called.length === 0) {
    items.push(messageItem(textPart(text, result.logprobs ?? []), status));
  }
  for (const { id, function: named } of called) {
    items.push(callItem({ id, ...named }, "completed"));
  }
  return items;
}
