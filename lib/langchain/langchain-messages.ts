import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { CriaError, expected, show } from "../internal/errors.js";
import { isObject } from "../internal/json-text.js";
import type { ChatMessageInput, ToolCallInput } from "../messages/messages.js";
import { mediaPartOf } from "./langchain-media.js";

/**
 * LangChain's messages as a session takes them. What is in them is checked there.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED
 */
export function messagesOf(messages: readonly BaseMessage[]): ChatMessageInput[] {
  return messages.map((message, index) => messageOf(message, `messages[${index}]`));
}

type Content = Extract<ChatMessageInput, { readonly role: "user" }>["content"];

function messageOf(message: BaseMessage, name: string): ChatMessageInput {
  if (AIMessage.isInstance(message)) return answerOf(message);
  if (ToolMessage.isInstance(message)) {
    const { content, tool_call_id, name: called } = message;
    return { role: "tool", content, tool_call_id, ...(called !== undefined && { name: called }) };
  }
  const role = ROLES[message.type === "generic" ? roleOf(message) : message.type];
  if (role !== undefined) return { role, content: contentOf(message.content, `${name}.content`) };
  throw new CriaError(
    "ERR_UNSUPPORTED",
    `\`${name}\` is a message of type ${show(message.type)}, which a model cannot be given`,
    { details: { name } },
  );
}

function contentOf(content: BaseMessage["content"], name: string): Content {
  if (typeof content === "string") return content as Content;
  return content.map((part, index) => mediaPartOf(part, `${name}[${index}]`) ?? part) as Content;
}

const ROLES: Readonly<Record<string, "system" | "user" | undefined>> = {
  system: "system",
  developer: "system",
  human: "user",
  user: "user",
};

function roleOf(message: BaseMessage): string {
  const { role } = message as { role?: unknown };
  if (typeof role === "string") return role;
  throw expected("a role", "message.role", role);
}

/** Blocks that repeat what the message says elsewhere. */
const REPEATED = ["reasoning", "thinking", "tool_call", "tool_use", "tool_call_chunk"];

function answerOf(message: AIMessage): ChatMessageInput {
  const { content, tool_calls = [], invalid_tool_calls = [], additional_kwargs } = message;
  const thoughts = additional_kwargs.reasoning_content;
  const calls = [...tool_calls, ...invalid_tool_calls].map(callOf);
  return {
    role: "assistant",
    content: (typeof content === "string"
      ? content
      : content.filter(({ type }) => !REPEATED.includes(type))) as Content,
    ...(typeof thoughts === "string" && thoughts !== "" && { reasoning_content: thoughts }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** A call that could not be read has text for arguments, and none for the model. */
function callOf(call: { id?: string; name?: string; args?: unknown }): ToolCallInput {
  const { id, name = "", args } = call;
  return {
    ...(id !== undefined && { id }),
    function: { name, arguments: isObject(args) ? args : {} },
  };
}
