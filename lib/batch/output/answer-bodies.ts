import type { GenerationResult, GenerationUsage } from "../../generation/generation.js";
import type { TokenLogprob, TokenLogprobs } from "../../generation/logprobs.js";
import type { StopReason } from "../../internal/native.js";
import { type ParsedToolCall, toolCallOf } from "../../messages/tool-types.js";
import type { Answer } from "../engine/batch-engine.js";
import type { BatchChatCompletion, BatchCompletion, ChatTokenLogprob } from "./openai-answers.js";

type Choice<Body extends { choices: unknown[] }> = Body["choices"][number];

const CREATED = 0;

/** One of several answers to a chat. */
export interface ChatChoice {
  readonly content: string;
  readonly reasoning: string;
  readonly reasoningTokens: number;
  readonly calls: readonly ParsedToolCall[];
  readonly result: GenerationResult;
}

export function chatAnswer(hash: string, model: string, choices: readonly ChatChoice[]): Answer {
  const usages = choices.map(({ result }) => result.usage);
  // It is one prompt, however many answers it has.
  const spent = { ...spentOn(usages), promptTokens: usages[0]?.promptTokens ?? 0 };
  const body: BatchChatCompletion = {
    id: `chatcmpl-${hash}`,
    object: "chat.completion",
    created: CREATED,
    model,
    choices: choices.map(chatChoice),
    usage: { ...usageOf(spent), ...reasoningUsage(choices) },
  };
  return { body, ...spent };
}

function reasoningUsage(choices: readonly ChatChoice[]) {
  const tokens = choices.reduce((sum, { reasoningTokens }) => sum + reasoningTokens, 0);
  return tokens > 0 && { completion_tokens_details: { reasoning_tokens: tokens } };
}

function chatChoice(
  { content, reasoning, calls, result }: ChatChoice,
  index: number,
): Choice<BatchChatCompletion> {
  const called = calls.filter(({ problem }) => problem === undefined);
  // A call that cannot be read stays text.
  const broken = calls.flatMap(({ problem, source }) =>
    problem === undefined ? [] : [source ?? ""],
  );
  const text = [content, ...broken].join("");
  const { logprobs } = result;
  return {
    index,
    message: {
      role: "assistant",
      content: text === "" && called.length > 0 ? null : text,
      ...(reasoning !== "" && { reasoning_content: reasoning }),
      refusal: null,
      ...(called.length > 0 && { tool_calls: called.map(toolCallOf) }),
    },
    logprobs: logprobs === undefined ? null : { content: logprobs.map(chatLogprob), refusal: null },
    finish_reason: called.length > 0 ? "tool_calls" : finishReason(result.stopReason),
  };
}

export function chatLogprob({ top, ...chosen }: TokenLogprobs) {
  return { ...oneLogprob(chosen), top_logprobs: top.map(oneLogprob) };
}

function oneLogprob({ text, logprob }: TokenLogprob): ChatTokenLogprob {
  return { token: text, logprob, bytes: text.includes("\uFFFD") ? null : [...Buffer.from(text)] };
}

/** @param prompts how many prompts there are; each has the same number of results, in order */
export function completionAnswer(
  hash: string,
  model: string,
  results: readonly GenerationResult[],
  prompts: number,
): Answer {
  const each = results.length / prompts;
  const usages = results.map(({ usage }) => usage);
  const { promptTokens } = spentOn(usages.filter((_, index) => index % each === 0));
  const spent = { ...spentOn(usages), promptTokens };
  const body: BatchCompletion = {
    id: `cmpl-${hash}`,
    object: "text_completion",
    created: CREATED,
    model,
    choices: results.map(completionChoice),
    usage: usageOf(spent),
  };
  return { body, ...spent };
}

function completionChoice(result: GenerationResult, index: number): Choice<BatchCompletion> {
  const { text, logprobs, stopReason } = result;
  return {
    index,
    text,
    logprobs: logprobs === undefined ? null : completionLogprobs(logprobs),
    finish_reason: finishReason(stopReason),
  };
}

/** @param start how long the text before is, in UTF-16 units */
export function completionLogprobs(logprobs: readonly TokenLogprobs[], start = 0) {
  let offset = start;
  const offsets = logprobs.map(({ text }) => {
    offset += text.length;
    return offset - text.length;
  });
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top }) =>
      Object.fromEntries(top.map(({ text, logprob }) => [text, logprob])),
    ),
    text_offset: offsets,
  };
}

/** What several evaluations took together. */
export function spentOn(usages: readonly GenerationUsage[]): GenerationUsage {
  const sum = (key: keyof GenerationUsage) =>
    usages.reduce((total, usage) => total + usage[key], 0);
  return {
    promptTokens: sum("promptTokens"),
    cachedTokens: sum("cachedTokens"),
    completionTokens: sum("completionTokens"),
  };
}

export function usageOf({ promptTokens, completionTokens }: GenerationUsage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

export function finishReason(reason: StopReason): "stop" | "length" {
  return reason === "max-tokens" || reason === "context-full" ? "length" : "stop";
}
