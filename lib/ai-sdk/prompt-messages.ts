import { type Conversation, cutConversation } from "../electron/any-context.js";
import { isArray, isPlainObject, list, string } from "../internal/checks.js";
import { CriaError, expected, show } from "../internal/errors.js";
import { jsonText } from "../internal/json-text.js";
import type { MediaPart } from "../messages/media-parts.js";
import type { ChatMessageInput, TextPart, ToolCallInput } from "../messages/messages.js";
import { mediaPartOf } from "./prompt-media.js";
import type { PromptMessage } from "./specification.js";

type Part = Readonly<Record<string, unknown>>;

/**
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED for what no model can be given, such as a PDF
 */
export function conversationOf(prompt: readonly PromptMessage[]): Conversation {
  const messages = list(prompt, "prompt", "an array of messages", messagesOf).flat();
  if (messages.length === 0) throw expected("at least one message", "prompt", prompt);
  return cutConversation(messages);
}

/** One message of the SDK's may hold several results of tools, each of which is a message here. */
function messagesOf(value: unknown, name: string): ChatMessageInput[] {
  const { role, content } = record(value, name, "a message, such as { role, content },");
  if (role === "system") return [{ role, content: string(content, `${name}.content`) }];
  const parts = list(content, `${name}.content`, "an array of parts", (part, at) => ({
    part: record(part, at, "a part, such as { type, text },"),
    at,
  }));
  if (role === "user") return [{ role, content: userContent(parts) }];
  if (role === "assistant") return [answerOf(parts)];
  if (role === "tool") return parts.flatMap(({ part, at }) => resultOf(part, at));
  throw expected('one of "system", "user", "assistant", "tool"', `${name}.role`, role);
}

type Parts = readonly { readonly part: Part; readonly at: string }[];

function userContent(parts: Parts): string | (TextPart | MediaPart)[] {
  const read = parts.map(
    ({ part, at }) => mediaPartOf(part, at) ?? { type: "text" as const, text: textOf(part, at) },
  );
  const texts = read.flatMap((part) => (part.type === "text" ? [part.text] : []));
  return texts.length === read.length ? texts.join("\n") : read;
}

function textOf(part: Part, at: string): string {
  if (part.type === "text") return string(part.text, `${at}.text`);
  const { data } = part;
  if (part.type === "file" && isPlainObject(data) && data.type === "text") {
    return string(data.text, `${at}.data.text`);
  }
  const kind = typeof part.mediaType === "string" ? ` (${part.mediaType})` : "";
  throw new CriaError(
    "ERR_UNSUPPORTED",
    `\`${at}\` is a part of type ${show(part.type)}${kind}, which cria gives no model in this place: ` +
      "leave it out, or give its text as a part of type `text`",
    { details: { name: at } },
  );
}

function answerOf(parts: Parts): ChatMessageInput {
  const texts: string[] = [];
  const thoughts: string[] = [];
  const calls: ToolCallInput[] = [];
  for (const { part, at } of parts) {
    if (part.type === "reasoning") thoughts.push(string(part.text, `${at}.text`));
    else if (part.type === "tool-call") calls.push(callOf(part, at));
    else texts.push(textOf(part, at));
  }
  return {
    role: "assistant",
    content: texts.join(""),
    ...(thoughts.length > 0 && { reasoning_content: thoughts.join("") }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** A call that could not be read comes back with what the model wrote: it has no arguments then. */
function callOf(part: Part, at: string): ToolCallInput {
  return {
    id: string(part.toolCallId, `${at}.toolCallId`),
    type: "function",
    function: {
      name: string(part.toolName, `${at}.toolName`),
      arguments: isPlainObject(part.input) ? part.input : {},
    },
  };
}

function resultOf(part: Part, at: string): ChatMessageInput[] {
  // Answers to a provider's tools, which cria has none of.
  if (part.type === "tool-approval-response") return [];
  if (part.type !== "tool-result") throw expected('"tool-result"', `${at}.type`, part.type);
  const output = record(part.output, `${at}.output`, "a result, such as { type, value },");
  return [
    {
      role: "tool",
      content: outputText(output, `${at}.output`),
      tool_call_id: string(part.toolCallId, `${at}.toolCallId`),
      name: string(part.toolName, `${at}.toolName`),
    },
  ];
}

/** What the model is told. An error is said as `ChatSession` says it of tools that it runs. */
function outputText(output: Part, at: string): string {
  const { type, value } = output;
  switch (type) {
    case "text":
      return string(value, `${at}.value`);
    case "json":
      return json(value, `${at}.value`);
    case "error-text":
    case "error-json":
      return json({ error: value }, `${at}.value`);
    case "execution-denied":
      return json({ error: output.reason ?? "The user did not allow this call." }, at);
    case "content":
      return list(value, `${at}.value`, "an array of parts", (part, inner) =>
        textOf(record(part, inner, "a part, such as { type, text },"), inner),
      ).join("\n");
    default:
      throw expected('a known type, such as "text" or "json",', `${at}.type`, type);
  }
}

function json(value: unknown, name: string): string {
  return value === undefined ? "null" : jsonText(value, name);
}

function record(value: unknown, name: string, what: string): Part {
  if (typeof value === "object" && value !== null && !isArray(value)) return value as Part;
  throw expected(what, name, value);
}
