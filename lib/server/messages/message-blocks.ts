import { unsupported } from "../../batch/batch-failures.js";
import { type KnownFields, object, RequestFields } from "../../batch/input/request-fields.js";
import { boolean, isPlainObject, list, oneOf, string } from "../../internal/checks.js";
import { expected } from "../../internal/errors.js";
import { inlineMedia } from "../../messages/inline-media.js";
import type { MediaPart } from "../../messages/media-parts.js";
import type { ChatMessageInput, TextPart, ToolCallInput } from "../../messages/messages.js";

/** What a prefix shares is found without being told. */
const CACHE = ["cache_control"];
const known = (...read: string[]): KnownFields => ({
  read: ["type", ...read],
  ignored: [...CACHE, "citations"],
  refused: {},
});

const MESSAGE: KnownFields = { read: ["role", "content"], ignored: CACHE, refused: {} };
const TEXT = known("text");
const THINKING: KnownFields = { ...known("thinking"), ignored: [...CACHE, "signature"] };
const CALL: KnownFields = { ...known("id", "name", "input"), ignored: [...CACHE, "caller"] };
const RESULT = known("tool_use_id", "content", "is_error");
const IMAGE = known("source");
const SOURCE: KnownFields = { read: ["type", "data", "url"], ignored: ["media_type"], refused: {} };

type Fields = Record<string, unknown>;

/** Of a content that is a string or blocks; a string is one block of text. */
function blocksOf<T>(
  value: unknown,
  name: string,
  read: (block: Fields, at: string) => T,
): readonly T[] {
  if (typeof value === "string") return [read({ type: "text", text: value }, name)];
  return list(value, name, "a string or an array of blocks", (block, at) => {
    if (!isPlainObject(block)) throw expected("an object", at, block);
    return read(block, at);
  });
}

function textOf(block: Fields, at: string): string {
  if (block.type !== "text") throw unsupported(`${at}.type`, 'can only be "text" here');
  return new RequestFields(block, at, TEXT).needed("text", "a string", string);
}

/** The system message's text. */
export function systemText(value: unknown, name: string): string {
  return blocksOf(value, name, textOf).join("\n");
}

/**
 * Messages of Anthropic's as a chat has them, those of each: results of tools, which a user's message brings there, are
 * messages of their own here.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED
 */
export function messagesOf(value: unknown, name: string): ChatMessageInput[][] {
  return list(value, name, "an array of messages", (given, at) => {
    const fields = new RequestFields(object(given, at), at, MESSAGE);
    const role = fields.needed("role", "a role", (one, place) =>
      oneOf(one, place, ["user", "assistant"] as const),
    );
    const content = fields.needed("content", "a string or an array of blocks", (one) => one);
    return role === "user"
      ? userMessages(content, `${at}.content`)
      : [answerOf(content, `${at}.content`)];
  });
}

function userMessages(content: unknown, name: string): ChatMessageInput[] {
  const results: ChatMessageInput[] = [];
  const parts: (TextPart | MediaPart)[] = [];
  blocksOf(content, name, (block, at) => {
    if (block.type === "tool_result") results.push(resultOf(block, at));
    else if (block.type === "image") parts.push(imageOf(block, at));
    else parts.push({ type: "text", text: textOf(block, at) });
  });
  if (parts.length === 0 && results.length > 0) return results;
  const seen = parts.some(({ type }) => type !== "text");
  const text = parts.map((part) => (part.type === "text" ? part.text : "")).join("\n");
  return [...results, { role: "user", content: seen ? parts : text }];
}

function imageOf(block: Fields, at: string): MediaPart {
  const source = new RequestFields(block, at, IMAGE).needed("source", "a source", object);
  const fields = new RequestFields(source, `${at}.source`, SOURCE);
  if (source.type === "url") {
    return { type: "image_url", image_url: { url: fields.needed("url", "a URL", string) } };
  }
  if (source.type !== "base64") {
    throw unsupported(`${at}.source.type`, 'can only be "base64", or "url" with a data: URL');
  }
  return inlineMedia("image", fields.needed("data", "base64", string));
}

function resultOf(block: Fields, at: string): ChatMessageInput {
  const fields = new RequestFields(block, at, RESULT);
  const text = fields.get("content", (value, name) => blocksOf(value, name, textOf).join("\n"));
  const failed = fields.get("is_error", boolean) ?? false;
  return {
    role: "tool",
    tool_call_id: fields.needed("tool_use_id", "a string", string),
    // As a session tells of tools that failed.
    content: failed ? JSON.stringify({ error: text ?? "" }) : (text ?? ""),
  };
}

function answerOf(content: unknown, name: string): ChatMessageInput {
  const texts: string[] = [];
  const thoughts: string[] = [];
  const calls: ToolCallInput[] = [];
  blocksOf(content, name, (block, at) => {
    if (block.type === "thinking") {
      thoughts.push(new RequestFields(block, at, THINKING).needed("thinking", "a string", string));
    } else if (block.type === "tool_use") {
      const fields = new RequestFields(block, at, CALL);
      calls.push({
        id: fields.needed("id", "a string", string),
        type: "function",
        function: {
          name: fields.needed("name", "a string", string),
          arguments: fields.needed("input", "an object", object),
        },
      });
    } else if (block.type !== "redacted_thinking") {
      texts.push(textOf(block, at)); // others' thoughts that are encrypted say nothing here
    }
  });
  return {
    role: "assistant",
    content: texts.join(""),
    ...(thoughts.length > 0 && { reasoning_content: thoughts.join("") }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}
