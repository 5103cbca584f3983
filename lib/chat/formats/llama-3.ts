import { CriaError } from "../../internal/errors.js";
import { isStructure, jsonText, pythonJson } from "../../internal/json-text.js";
import type { Steps } from "../../internal/steps.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import type { ToolCall, ToolDefinition } from "../../messages/tool-types.js";
import { strip } from "../../messages/white-space.js";
import type { Prompt, PromptSegment } from "../../model/prompt.js";

/** The words around the messages in Llama 3.1 and later, as the models were trained on them. */
export const KNOWLEDGE = "Cutting Knowledge Date: December 2023\n";

export const USER_INTRODUCTION =
  "Given the following functions, please respond with a JSON for a function call " +
  "with its proper arguments that best answers the given prompt.\n\n";

export const SYSTEM_INTRODUCTION =
  "You have access to the following functions. " +
  "To call a function, please respond with JSON for a function call.";

/** The missing space behind the full stop is theirs. */
export const SHAPE =
  'Respond in the format {"name": function name, "parameters": dictionary of argument name and ' +
  "its value}.Do not use variables.\n\n";

/** Control tokens that a model must have for any of these formats. */
export const LLAMA_3_CONTROLS = [
  "<|begin_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
] as const;
/** Control tokens that Llama 3.1 added for tools. */
export const LLAMA_31_CONTROLS = ["<|eom_id|>", "<|python_tag|>"] as const;

type Control = (typeof LLAMA_3_CONTROLS)[number] | (typeof LLAMA_31_CONTROLS)[number];

/** Tools that Llama 3.1 and 3.3 were trained to call without a definition. */
export type BuiltinTool = "brave_search" | "wolfram_alpha" | "code_interpreter";

/** The renderers' options, checked and with their defaults. */
export interface Llama3Options {
  /** 3.3 is rendered as 3.1: the templates are the same, byte for byte. */
  readonly format: "llama-3" | "llama-3.1" | "llama-3.2";
  readonly tools: readonly ToolDefinition[];
  readonly builtinTools: readonly BuiltinTool[];
  readonly toolsInUserMessage: boolean;
  readonly addGenerationPrompt: boolean;
  readonly date: string;
}

/**
 * A conversation as the models of the Llama 3 family were trained to read it. Only the framing is
 * control tokens: a message that spells `<|eot_id|>` stays text. The segments are cut where Meta's own
 * encoder cuts, so the token ids are the same.
 */
export function* llama3Steps(
  messages: readonly RenderableMessage[],
  options: Llama3Options,
): Steps<Prompt> {
  checkAbilities(messages, options);
  const { format, addGenerationPrompt } = options;
  const prompt: PromptSegment[] = [control("<|begin_of_text|>")];
  const turns = format === "llama-3" ? plainTurns(messages) : conversation(messages, options);
  for (const segments of turns) {
    prompt.push(...segments);
    yield;
  }
  if (addGenerationPrompt) prompt.push(...header("assistant"));
  return prompt;
}

/** Refuses what the format cannot say. Without it the model would answer something else. */
function checkAbilities(messages: readonly RenderableMessage[], options: Llama3Options): void {
  const { format, tools, builtinTools } = options;
  if (format !== "llama-3.1" && builtinTools.length > 0) {
    throw unsupported("options.builtinTools", `the format ${format} has no built-in tools`);
  }
  if (format !== "llama-3") return;
  if (tools.length > 0) throw unsupported("options.tools", "the format llama-3 has no tools");
  messages.forEach((message, index) => {
    if (
      message.role === "tool" ||
      (message.role === "assistant" && message.tool_calls.length > 0)
    ) {
      throw unsupported(`messages[${index}]`, "the format llama-3 has no tool calls");
    }
  });
}

function unsupported(name: string, why: string): CriaError {
  return new CriaError(
    "ERR_UNSUPPORTED",
    `Cannot render \`${name}\`: ${why}; use a model of Llama 3.1 or later, or leave it out`,
    { details: { name } },
  );
}

function* plainTurns(messages: readonly RenderableMessage[]): Generator<PromptSegment[]> {
  for (const message of messages) yield plainTurn(message, "");
}

function* conversation(
  messages: readonly RenderableMessage[],
  options: Llama3Options,
): Generator<PromptSegment[]> {
  const [first] = messages;
  const system = first?.role === "system" ? first.content : "";
  const turns = sequenced(first?.role === "system" ? messages.slice(1) : messages, options);
  // Without a user's message to put them in, the tools go into the system message.
  const introduced = options.toolsInUserMessage
    ? turns.findIndex(({ role }) => role === "user")
    : -1;
  yield turn("system", systemText(system, options, introduced === -1));
  for (const [index, message] of turns.entries()) {
    const lead = index === introduced ? toolsText(USER_INTRODUCTION, options.tools) : "";
    yield messageTurn(message, lead, options);
  }
}

function systemText(content: string, options: Llama3Options, withTools: boolean): string {
  const { tools, builtinTools, date } = options;
  const listed = builtinTools.filter((name) => name !== "code_interpreter");
  const environment = tools.length + builtinTools.length > 0 ? "Environment: ipython\n" : "";
  const list = listed.length > 0 ? `Tools: ${listed.join(", ")}\n\n` : "";
  const introduction = withTools ? toolsText(SYSTEM_INTRODUCTION, tools) : "";
  return `${environment}${list}${KNOWLEDGE}Today Date: ${date}\n\n${introduction}${strip(content)}`;
}

export function toolsText(introduction: string, tools: readonly ToolDefinition[]): string {
  if (tools.length === 0) return "";
  const definitions = tools.map((tool) => `${pythonJson(JSON.stringify(tool), 4)}\n\n`);
  return `${introduction}${SHAPE}${definitions.join("")}`;
}

function messageTurn(
  message: RenderableMessage,
  lead: string,
  options: Llama3Options,
): PromptSegment[] {
  if (message.role === "tool") return turn("ipython", resultText(message.content));
  if (message.role !== "assistant" || message.tool_calls.length === 0 || replyOf(message)) {
    return plainTurn(message, lead);
  }
  // In the environment "ipython" a call ends the message but not the turn.
  const end = options.builtinTools.length > 0 ? "<|eom_id|>" : "<|eot_id|>";
  return [...header("assistant"), ...callSegments(message, options), control(end)];
}

function plainTurn(message: RenderableMessage, lead: string): PromptSegment[] {
  const { role, content } = message;
  const reply = replyOf(message);
  if (reply === undefined) return turn(role, lead + strip(content));
  return [...header(role), { tokens: reply.tokens }, control(reply.end)];
}

/** The tokens of an answer that was generated in one of these formats. */
function replyOf(message: RenderableMessage) {
  if (message.role !== "assistant" || message.reply === undefined) return undefined;
  const { tokens, end } = message.reply;
  return end === "<|eot_id|>" || end === "<|eom_id|>" ? { tokens, end } : undefined;
}

/** JSON stays as it is; other text becomes a JSON string, as the models were trained. */
export function resultText(content: string): string {
  return isStructure(content) ? pythonJson(content) : JSON.stringify(content);
}

/** Several calls are written as the models write them: one after another, with a semicolon between. */
function callSegments(
  message: Extract<RenderableMessage, { readonly role: "assistant" }>,
  { builtinTools }: Llama3Options,
): PromptSegment[] {
  const content = strip(message.content);
  const before = content === "" ? "" : `${content}\n\n`;
  const [first] = message.tool_calls;
  if (first !== undefined && isBuiltin(first, builtinTools)) {
    return [
      ...(before === "" ? [] : [{ text: before }]),
      control("<|python_tag|>"),
      { text: builtinText(first) },
    ];
  }
  return [{ text: before + message.tool_calls.map(callText).join("; ") }];
}

export function callText({ function: { name, arguments: text } }: ToolCall): string {
  return `{"name": ${JSON.stringify(name)}, "parameters": ${pythonJson(text)}}`;
}

function isBuiltin({ function: { name } }: ToolCall, builtin: readonly string[]): boolean {
  return builtin.includes(name);
}

/** Values are JSON, so that a quote in one cannot end it, as it can in the models' own templates. */
function builtinText({ function: { name, arguments: text } }: ToolCall): string {
  const given = Object.entries(JSON.parse(text) as Record<string, unknown>);
  const [only] = given;
  if (name === "code_interpreter" && given.length === 1 && typeof only?.[1] === "string") {
    return only[1];
  }
  const list = given.map(
    ([key, value]) => `${key}=${pythonJson(jsonText(value, `arguments of ${name}`))}`,
  );
  return `${name}.call(${list.join(", ")})`;
}

/**
 * A built-in tool is called alone in its message, since everything after `<|python_tag|>` is code. So
 * parallel calls with a built-in tool among them become a chain of call, result, call, result.
 */
function sequenced(
  messages: readonly RenderableMessage[],
  { builtinTools }: Llama3Options,
): readonly RenderableMessage[] {
  if (builtinTools.length === 0) return messages;
  const chained: RenderableMessage[] = [];
  let pending: RenderableMessage[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      const call = pending.findIndex((one) => calls(one, message.tool_call_id));
      chained.push(...pending.splice(0, call + 1), message);
      continue;
    }
    chained.push(...pending);
    pending = [];
    const parallel =
      message.role === "assistant" && message.tool_calls.length > 1 && !replyOf(message);
    if (parallel && message.tool_calls.some((call) => isBuiltin(call, builtinTools))) {
      pending = message.tool_calls.map((call, index) => ({
        ...message,
        content: index === 0 ? message.content : "",
        tool_calls: [call],
      }));
    } else {
      chained.push(message);
    }
  }
  return [...chained, ...pending];
}

function calls(message: RenderableMessage, id: string): boolean {
  return message.role === "assistant" && message.tool_calls[0]?.id === id;
}

function turn(role: string, content: string): PromptSegment[] {
  return [...header(role), { text: content }, control("<|eot_id|>")];
}

function header(role: string): PromptSegment[] {
  return [
    control("<|start_header_id|>"),
    { text: role },
    control("<|end_header_id|>"),
    { text: "\n\n" },
  ];
}

function control(token: Control): PromptSegment {
  return { control: token };
}
