import { CriaError } from "../../internal/errors.js";
import type { Steps } from "../../internal/steps.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import type { ToolDefinition } from "../../messages/tool-types.js";
import { strip } from "../../messages/white-space.js";
import type { Prompt, PromptSegment } from "../../model/prompt.js";
import {
  callText,
  resultText,
  SYSTEM_INTRODUCTION,
  toolsText,
  USER_INTRODUCTION,
} from "./llama-3.js";

/** Control tokens that a model must have for this format. */
export const LLAMA_4_CONTROLS = [
  "<|begin_of_text|>",
  "<|header_start|>",
  "<|header_end|>",
  "<|eot|>",
  "<|python_start|>",
  "<|python_end|>",
] as const;

type Control = (typeof LLAMA_4_CONTROLS)[number] | "<|eom|>";

/** The renderer's options, checked and with their defaults. */
export interface Llama4Options {
  readonly tools: readonly ToolDefinition[];
  readonly builtinTools: readonly string[];
  readonly toolsInUserMessage: boolean;
  readonly addGenerationPrompt: boolean;
}

/**
 * A conversation as Llama 4 was trained to read it, in text. The words around the tools are Llama 3's, and
 * so are the calls; the framing has other names, there is no date, and what is said keeps the white space
 * around it.
 */
export function* llama4Steps(
  messages: readonly RenderableMessage[],
  options: Llama4Options,
): Steps<Prompt> {
  const { tools, builtinTools, toolsInUserMessage, addGenerationPrompt } = options;
  if (builtinTools.length > 0) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      "Cannot render `options.builtinTools`: the format llama-4 has no built-in tools; leave them out",
      { details: { name: "options.builtinTools" } },
    );
  }
  const [first] = messages;
  const system = first?.role === "system" ? first.content : undefined;
  const said = system === undefined ? messages : messages.slice(1);
  // Without a user's message to put them in, the tools go into the system message.
  const introduced = toolsInUserMessage ? said.findIndex(({ role }) => role === "user") : -1;
  const prompt: PromptSegment[] = [control("<|begin_of_text|>")];
  if (system !== undefined || (tools.length > 0 && introduced === -1)) {
    prompt.push(...turn("system", systemText(system ?? "", tools, introduced === -1)));
  }
  for (const [index, message] of said.entries()) {
    const leads = index === introduced && tools.length > 0;
    prompt.push(...messageTurn(message, leads ? tools : []));
    yield;
  }
  if (addGenerationPrompt) prompt.push(...header("assistant"));
  return prompt;
}

function systemText(content: string, tools: readonly ToolDefinition[], withTools: boolean): string {
  const environment = tools.length > 0 ? "Environment: ipython\n" : "";
  const introduction = withTools ? toolsText(SYSTEM_INTRODUCTION, tools) : "";
  return environment + introduction + strip(content);
}

function messageTurn(
  message: RenderableMessage,
  leading: readonly ToolDefinition[],
): PromptSegment[] {
  const { role, content } = message;
  if (role === "tool") return turn("ipython", resultText(content));
  if (leading.length > 0) return turn(role, toolsText(USER_INTRODUCTION, leading) + strip(content));
  if (role !== "assistant") return turn(role, content);
  const { reply, tool_calls: calls } = message;
  if (reply !== undefined && (reply.end === "<|eot|>" || reply.end === "<|eom|>")) {
    return [...header(role), { tokens: reply.tokens }, control(reply.end)];
  }
  if (calls.length === 0) return turn(role, content);
  return [
    ...header(role),
    control("<|python_start|>"),
    ...(content === "" ? [] : [{ text: content }]),
    control("<|python_end|>"),
    { text: calls.map(callText).join("") },
    control("<|eot|>"),
  ];
}

function turn(role: string, content: string): PromptSegment[] {
  const text = content === "" ? [] : [{ text: content }];
  return [...header(role), ...text, control("<|eot|>")];
}

function header(role: string): PromptSegment[] {
  return [control("<|header_start|>"), { text: role }, control("<|header_end|>"), { text: "\n\n" }];
}

function control(token: Control): PromptSegment {
  return { control: token };
}
