import { unsupported } from "../../batch/batch-failures.js";
import { type KnownFields, RequestFields } from "../../batch/input/request-fields.js";
import { isPlainObject, list, oneOf, string } from "../../internal/checks.js";
import { expected } from "../../internal/errors.js";
import type { MediaPart } from "../../messages/media-parts.js";
import type { ChatMessageInput, TextPart } from "../../messages/messages.js";

type Fields = Record<string, unknown>;

const STATUS = ["id", "status"];
const known = (...read: string[]): KnownFields => ({ read, ignored: STATUS, refused: {} });

const MESSAGE = known("type", "role", "content", "phase");
const CALL = known("type", "call_id", "name", "arguments");
const RESULT = known("type", "call_id", "output");
const REASONING: KnownFields = {
  ...known("type", "summary", "content"),
  ignored: [...STATUS, "encrypted_content"], // nothing here encrypts
};
const TEXT: KnownFields = {
  read: ["type", "text"],
  ignored: ["annotations", "logprobs"],
  refused: {},
};
const IMAGE: KnownFields = { read: ["type", "image_url"], ignored: ["detail"], refused: {} };
const TEXT_TYPES = ["input_text", "output_text", "text", "summary_text", "reasoning_text"];

/** A message, and the place of the item that it was made of, or of the first of them. */
export interface PlacedMessage {
  readonly message: ChatMessageInput;
  readonly place: number;
}

/** An answer that is being put together from the items that follow each other. */
interface PendingAnswer {
  readonly place: number;
  reasoning: string;
  content: string | undefined;
  readonly calls: { id: string; type: "function"; function: { name: string; arguments: string } }[];
}

/**
 * The items of a request to `/v1/responses` as messages of a chat, each with its first item's place: what the model
 * thought, said and called in one answer is one message there.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED
 */
export function messagesOf(input: unknown, name: string): PlacedMessage[] {
  if (typeof input === "string") return [{ message: { role: "user", content: input }, place: 0 }];
  const placed: PlacedMessage[] = [];
  let place = -1;
  const messages = { push: (message: ChatMessageInput) => placed.push({ message, place }) };
  let answer: PendingAnswer | undefined;
  const flush = () => {
    if (answer !== undefined) placed.push({ message: messageOf(answer), place: answer.place });
    answer = undefined;
  };
  const pending = () => {
    answer ??= { reasoning: "", content: undefined, calls: [], place };
    return answer;
  };
  list(input, name, "a string or an array of items", (given, at) => {
    place += 1;
    if (!isPlainObject(given)) throw expected("an object", at, given);
    const item = given;
    const type = item.type ?? "message";
    if (type === "message") {
      const { role, content } = messageItem(item, at);
      if (role === "user") {
        flush();
        messages.push({ role, content: userContent(content, `${at}.content`) });
        return;
      }
      const text = textOf(content, `${at}.content`);
      if (role !== "assistant") {
        flush();
        messages.push({ role, content: text });
        return;
      }
      // What is said or thought behind calls belongs to their answer: their results are still to come.
      if (answer?.content !== undefined && answer.calls.length === 0) flush();
      const said = pending();
      said.content = said.content === undefined ? text : `${said.content}\n${text}`;
    } else if (type === "reasoning") {
      if (answer?.content !== undefined && answer.calls.length === 0) flush();
      pending().reasoning += reasoningText(item, at);
    } else if (type === "function_call") {
      pending().calls.push(callItem(item, at));
    } else if (type === "function_call_output") {
      flush();
      messages.push(resultItem(item, at));
    } else if (type === "item_reference") {
      throw unsupported(
        `${at}.type`,
        'cannot be "item_reference": no answer is kept here, so send the items themselves (`store: false`, where a ' +
          "client keeps them by itself)",
      );
    } else {
      throw unsupported(
        `${at}.type`,
        'can only be "message", "reasoning", "function_call" or "function_call_output"',
      );
    }
  });
  flush();
  return placed;
}

function messageOf({ reasoning, content, calls }: PendingAnswer): ChatMessageInput {
  return {
    role: "assistant",
    content: content ?? (calls.length > 0 ? null : ""),
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function messageItem(item: Fields, at: string) {
  const fields = new RequestFields(item, at, MESSAGE);
  const role = fields.needed("role", "a role", (value, name) =>
    oneOf(value, name, ["user", "assistant", "system", "developer"] as const),
  );
  return { role, content: fields.needed("content", "a text", (value) => value) };
}

/** A user's message may show pictures, which stand between its texts. */
function userContent(value: unknown, name: string): string | (TextPart | MediaPart)[] {
  const shows = (part: unknown) => isPlainObject(part) && part.type === "input_image";
  if (!Array.isArray(value) || !value.some(shows)) return textOf(value, name);
  return list(value, name, "an array of parts", (part, at): TextPart | MediaPart => {
    if (!shows(part)) return { type: "text", text: textOf([part], name) };
    const url = new RequestFields(part as Fields, at, IMAGE).needed("image_url", "a URL", string);
    return { type: "image_url", image_url: { url } };
  });
}

/** The thoughts themselves where they are there, else what was told of them. */
function reasoningText(item: Fields, at: string): string {
  const fields = new RequestFields(item, at, REASONING);
  const content = fields.get("content", textOf) ?? "";
  return content === "" ? (fields.get("summary", textOf) ?? "") : content;
}

function callItem(item: Fields, at: string): PendingAnswer["calls"][number] {
  const fields = new RequestFields(item, at, CALL);
  return {
    id: fields.needed("call_id", "a string", string),
    type: "function",
    function: {
      name: fields.needed("name", "a string", string),
      arguments: fields.needed("arguments", "JSON text", string),
    },
  };
}

function resultItem(item: Fields, at: string): ChatMessageInput {
  const fields = new RequestFields(item, at, RESULT);
  return {
    role: "tool",
    tool_call_id: fields.needed("call_id", "a string", string),
    content: fields.needed("output", "a text", textOf),
  };
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  const parts = list(value, name, "a string or an array of text parts", (part, at) => {
    if (!isPlainObject(part)) throw expected("an object", at, part);
    if (!TEXT_TYPES.includes(part.type as string)) {
      throw unsupported(`${at}.type`, "can only be a text's, and a picture's in a user's message");
    }
    return new RequestFields(part, at, TEXT).needed("text", "a string", string);
  });
  return parts.join("");
}
