import { isPlainObject, list } from "../../internal/checks.js";
import type { ChatMessageInput } from "../../messages/messages.js";
import { anything, type KnownFields, RequestFields } from "./request-fields.js";

const REASONING = { unless: [""], why: "is another name of `reasoning_content`: use that" };

const MESSAGE: KnownFields = {
  read: [
    ...["role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name"],
    ...["refusal", "audio", "function_call"],
  ],
  // The API's own answers have them, for web searches.
  ignored: ["annotations"],
  refused: { reasoning: REASONING, thinking: REASONING },
};
const TEXT_PART: KnownFields = { read: ["type", "text"], ignored: [], refused: {} };
const CALL: KnownFields = {
  read: ["id", "type", "function"],
  ignored: ["index"], // of streamed answers
  refused: {},
};
const CALLED: KnownFields = { read: ["name", "arguments"], ignored: [], refused: {} };

/**
 * The messages of a line, in which an unknown field is an error. A session lets callers keep data of
 * their own in messages; in a file such a field is most likely misspelt, and would be lost in silence.
 * What the fields hold is checked where the messages are read.
 */
export function messageList(value: unknown, name: string): readonly ChatMessageInput[] {
  const messages = list(value, name, "an array of messages", anything);
  for (const [index, message] of messages.entries()) {
    if (isPlainObject(message)) checkMessage(message, `${name}[${index}]`);
  }
  return messages as ChatMessageInput[];
}

function checkMessage(message: Record<string, unknown>, name: string): void {
  new RequestFields(message, name, MESSAGE);
  const { role, content, tool_calls: calls } = message;
  // The content of a tool's result may be any data.
  if (role !== "tool") {
    for (const [part, at] of objects(content, `${name}.content`)) {
      if (part.type === "text") new RequestFields(part, at, TEXT_PART);
    }
  }
  for (const [call, at] of objects(calls, `${name}.tool_calls`)) {
    if (call.type === "custom") continue; // refused as such
    new RequestFields(call, at, CALL);
    if (isPlainObject(call.function)) new RequestFields(call.function, `${at}.function`, CALLED);
  }
}

function objects(value: unknown, name: string): [Record<string, unknown>, string][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: unknown, index) =>
    isPlainObject(one) ? [[one, `${name}[${index}]`] as [Record<string, unknown>, string]] : [],
  );
}
