import { guarded, isArray, list, string } from "../internal/checks.js";
import { CriaError, expected, invalid, show } from "../internal/errors.js";
import { jsonText, objectText } from "../internal/json-text.js";
import { atOnce, type Steps } from "../internal/steps.js";
import {
  isMediaType,
  type MediaPart,
  type MediaRule,
  type ReadMedia,
  readMedia,
} from "./media-parts.js";
import {
  pairingSteps,
  type RenderableMessage,
  type UnpairedCall,
  type UnpairedMessage,
} from "./pairing.js";
import type { ToolCall } from "./tool-types.js";

/** A piece of a message's text. */
export interface TextPart {
  readonly type: "text";
  /** The text, as it stands in the prompt. */
  readonly text: string;
}

/** OpenAI's shapes of chat messages, as they are returned. What is accepted is wider. */
export type ChatMessage =
  /** What the model is told about its task. */
  | { readonly role: "system" | "developer"; readonly content: string | readonly TextPart[] }
  /** What the user says, and shows. */
  | { readonly role: "user"; readonly content: string | readonly (TextPart | MediaPart)[] }
  /** What the model says. */
  | {
      readonly role: "assistant";
      /** Its text; null or left out where it only calls tools. */
      readonly content?: string | readonly TextPart[] | null;
      /** What it thought before. */
      readonly reasoning_content?: string;
      /** The tools that it calls. */
      readonly tool_calls?: readonly ToolCall[];
    }
  /** What a tool answers. */
  | {
      readonly role: "tool";
      /** The result, as a text. */
      readonly content: string | readonly TextPart[];
      /** Id of the call that it answers. */
      readonly tool_call_id?: string;
      /** The tool's name. */
      readonly name?: string;
    };

/** Kinds that OpenAI's types know and no model can be given here: ERR_UNSUPPORTED. */
interface OtherPart {
  readonly type: "file" | "refusal";
}

/** A list of parts may be any iterable array type of OpenAI's, read-only or not. */
type ContentInput = string | readonly (TextPart | MediaPart | OtherPart)[];

/** A call as it is accepted: without an id, and with arguments as an object or as JSON text. */
export interface ToolCallInput {
  /** By which its result names it. Default: made up. */
  readonly id?: string | undefined;
  readonly type?: "function" | undefined;
  /** The function's name, and its arguments as an object or as JSON text. */
  readonly function: { readonly name: string; readonly arguments: string | object };
}

/** OpenAI's calls of tools without a schema: ERR_UNSUPPORTED. */
interface CustomToolCall {
  readonly id: string;
  readonly type: "custom";
}

/**
 * A message as it is accepted. `ChatMessage`, the `openai` package's `ChatCompletionMessageParam` and
 * what its API returns are all of this type; what cannot be honoured is refused by name when it is
 * read. Properties that mean nothing here (`annotations`, an `id` of yours) are ignored.
 */
export type ChatMessageInput =
  | {
      readonly role: "system" | "developer" | "user";
      /** A text, or parts: texts and, of a user's message, pictures and sounds. */
      readonly content: ContentInput;
      readonly name?: string | undefined;
    }
  | {
      readonly role: "assistant";
      /** A text, or parts of one; null or left out where it only calls tools. */
      readonly content?: ContentInput | null | undefined;
      /** What it thought before. Templates show it to the model again where the model wants that. */
      readonly reasoning_content?: string | null | undefined;
      /** The tools that it called. */
      readonly tool_calls?: readonly (ToolCallInput | CustomToolCall)[] | null | undefined;
      readonly name?: string | undefined;
      /** Anything but null is ERR_UNSUPPORTED, as with the next two. */
      readonly refusal?: string | null | undefined;
      readonly audio?: object | null | undefined;
      readonly function_call?: object | null | undefined;
    }
  | {
      /** Meta's own name for it is "ipython". */
      readonly role: "tool" | "ipython";
      /** A text, text parts, or any object or array: the result itself. */
      readonly content: string | object;
      /** Id of the call that it answers. */
      readonly tool_call_id?: string | undefined;
      /** The tool's name. */
      readonly name?: string | undefined;
    }
  /** OpenAI's former shape: ERR_UNSUPPORTED. */
  | { readonly role: "function"; readonly content: string | null; readonly name: string };

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;
const PARTS = ["text", "image_url", "image", "input_audio", "audio", "file", "refusal"];
const KNOWN = [
  ...["role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name"],
  ...["refusal", "audio", "function_call"],
] as const;

/**
 * The caller's messages, checked and copied. Each property is read once.
 *
 * @param media which media users' messages may have; default none
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED for what no model can be given
 */
export function readMessages(
  messages: readonly ChatMessageInput[],
  name = "messages",
  media: MediaRule = "none",
): RenderableMessage[] {
  return atOnce(messageSteps(messages, name, media));
}

/** The same, message by message. */
export function* messageSteps(
  messages: readonly ChatMessageInput[],
  name: string,
  media: MediaRule = "none",
): Steps<RenderableMessage[]> {
  return yield* pairingSteps(yield* unpairedSteps(messages, name, media), name);
}

/** The same of a part of a conversation: the calls of its results may be in what was before. */
export function* unpairedSteps(
  messages: readonly ChatMessageInput[],
  name: string,
  media: MediaRule = "none",
): Steps<UnpairedMessage[]> {
  const entries = listOfMessages(messages, name);
  if (entries.length === 0) throw expected("at least one message", name, messages);
  const read: UnpairedMessage[] = [];
  for (const [index, entry] of entries.entries()) {
    read.push(guarded(messages, name, () => readMessage(entry, `${name}[${index}]`, media)));
    yield;
  }
  return read;
}

/** An own copy of a list of messages, in which nobody has looked yet but that they are objects. */
export function listOfMessages(value: unknown, name: string): ChatMessageInput[] {
  return list(value, name, "an array of messages", (entry, at) => {
    if (typeof entry === "object" && entry !== null) return entry as ChatMessageInput;
    throw expected(MESSAGE, at, entry);
  });
}

const MESSAGE = "a message, such as { role, content },";

function readMessage(value: unknown, name: string, rule: MediaRule): UnpairedMessage {
  const message = properties(value, name, KNOWN, MESSAGE);
  if (message.role === "function") {
    throw unsupported(
      `${name}.role`,
      "the role `function` is the old form of a tool's result",
      "give it the role `tool` and the `tool_call_id` of its call",
    );
  }
  const given = message.role === "ipython" ? "tool" : message.role;
  if (!(ROLES as readonly unknown[]).includes(given)) {
    throw expected(`one of ${ROLES.map(show).join(", ")}`, `${name}.role`, given);
  }
  const role = given as (typeof ROLES)[number];
  if (role === "assistant") return readAssistant(message, name);
  if (message.tool_calls !== undefined && message.tool_calls !== null) {
    throw invalid(`Only the role "assistant" has \`${name}.tool_calls\`, not ${show(role)}`, {
      name,
    });
  }
  if (role === "tool") {
    return {
      role,
      content: readResult(message.content, `${name}.content`),
      callId: optional(message.tool_call_id, `${name}.tool_call_id`),
      callName: optional(message.name, `${name}.name`),
    };
  }
  if (role === "user")
    return { role, ...readUserContent(message.content, `${name}.content`, rule) };
  return { role: "system", content: readContent(message.content, `${name}.content`) };
}

type Properties = Partial<Record<(typeof KNOWN)[number], unknown>>;

function readAssistant(message: Properties, name: string): UnpairedMessage {
  const { content, tool_calls: calls, refusal, audio, function_call: old } = message;
  const { reasoning_content: thoughts } = message;
  if (old !== undefined && old !== null) {
    throw unsupported(`${name}.function_call`, "it is the old form of a call", "use `tool_calls`");
  }
  if (audio !== undefined && audio !== null) {
    throw unsupported(`${name}.audio`, "only text can be given to a text model", "leave it out");
  }
  if (refusal !== undefined && refusal !== null) {
    throw unsupported(
      `${name}.refusal`,
      "the chat formats have no refusals apart from text",
      "give its text as `content`",
    );
  }
  const read = calls === undefined || calls === null ? [] : readCalls(calls, `${name}.tool_calls`);
  if (content === undefined && read.length === 0) {
    throw expected("text or tool calls", `${name}.content`, content);
  }
  const empty = content === undefined || content === null;
  return {
    role: "assistant",
    content: empty ? "" : readContent(content, `${name}.content`),
    ...(thoughts !== undefined &&
      thoughts !== null && {
        reasoning_content: string(thoughts, `${name}.reasoning_content`),
      }),
    calls: read,
  };
}

function readCalls(value: unknown, name: string): UnpairedCall[] {
  return list(value, name, "an array of tool calls", (element, at) => {
    const call = properties(element, at, ["id", "type", "function"], "a tool call");
    if (call.type !== undefined && call.type !== "function") {
      if (call.type !== "custom") throw expected('"function"', `${at}.type`, call.type);
      throw unsupported(`${at}.type`, "custom tools have no schema", "declare a function instead");
    }
    const { name: called, arguments: given } = properties(
      call.function,
      `${at}.function`,
      ["name", "arguments"],
      "an object with `name` and `arguments`",
    );
    return {
      id: optional(call.id, `${at}.id`),
      name: named(called, `${at}.function.name`),
      arguments: readArguments(given, `${at}.function.arguments`),
    };
  });
}

/** Arguments as JSON text, which stays as it is but for its white space. */
function readArguments(value: unknown, name: string): string {
  if (typeof value === "string") return objectText(value, name);
  if (typeof value !== "object" || value === null || isArray(value)) {
    throw expected("an object or its JSON text", name, value);
  }
  return objectText(jsonText(value, name), name);
}

function readContent(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  return joinParts(value, name);
}

function joinParts(parts: unknown, name: string): string {
  const read = list(parts, name, "a string or an array of text parts", (element, at) =>
    readPart(element, at, "none"),
  );
  return joined(read);
}

/** Also with pictures and sounds, which stand in the text as their marks. */
function readUserContent(
  value: unknown,
  name: string,
  rule: MediaRule,
): { content: string; media?: readonly ReadMedia[] } {
  if (typeof value === "string") return { content: value };
  const parts = list(value, name, "a string or an array of parts", (element, at) =>
    readPart(element, at, rule),
  );
  const media = parts.filter((part) => typeof part !== "string");
  return { content: joined(parts), ...(media.length > 0 && { media }) };
}

function readPart(element: unknown, at: string, rule: MediaRule): string | ReadMedia {
  const part = properties(element, at, ["type", "text"], "a part, such as { type, text },");
  if (part.type === "text") return string(part.text, `${at}.text`);
  if (typeof part.type !== "string") throw expected('"text"', `${at}.type`, part.type);
  if (rule !== "none" && isMediaType(part.type)) {
    return readMedia(element as object, part.type, at, rule);
  }
  throw unsupported(
    `${at}.type`,
    `a part of type ${show(part.type)} cannot be given here`,
    "leave it out, or give its text as a part of type `text`",
  );
}

/** Texts with line feeds between them, as llama.cpp does it, media with nothing around them. */
function joined(parts: readonly (string | ReadMedia)[]): string {
  let text = "";
  for (const [index, part] of parts.entries()) {
    const feed = typeof part === "string" && typeof parts[index - 1] === "string";
    text += (feed ? "\n" : "") + (typeof part === "string" ? part : part.mark);
  }
  return text;
}

/** A tool's result: a string, text parts, or data as JSON text. */
function readResult(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) {
    throw expected("a string, text parts, an object or an array", name, value);
  }
  const text = jsonText(value, name);
  const data = JSON.parse(text) as unknown;
  return Array.isArray(data) && data.length > 0 && data.every(isPart)
    ? joinParts(data, name)
    : text;
}

function isPart(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    PARTS.includes((value as { type?: unknown }).type as string)
  );
}

function optional(value: unknown, name: string): string | undefined {
  return value === undefined || value === null ? undefined : named(value, name);
}

function named(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw expected("a non-empty string", name, value);
}

/**
 * The known properties, each read once. Others are ignored, since messages come with all sorts of them,
 * but another spelling of a known one (`toolCalls`) is an error: it would be lost in silence.
 */
function properties<K extends string>(
  value: unknown,
  name: string,
  known: readonly K[],
  what: string,
): Partial<Record<K, unknown>> {
  if (typeof value !== "object" || value === null || isArray(value)) {
    throw expected(what, name, value);
  }
  return guarded(value, name, () => {
    const copy: Partial<Record<K, unknown>> = {};
    for (const key of known) copy[key] = (value as Record<K, unknown>)[key];
    for (const key of Object.keys(value)) {
      if ((known as readonly string[]).includes(key)) continue;
      const meant = known.find((one) => plain(one) === plain(key));
      if (meant !== undefined) {
        throw invalid(`Unknown property ${show(key)} in \`${name}\`: did you mean \`${meant}\`?`, {
          name,
        });
      }
    }
    return copy;
  });
}

function plain(key: string): string {
  return key.length > 32 ? key : key.toLowerCase().replace(/[-_]/g, "");
}

function unsupported(name: string, why: string, remedy: string): CriaError {
  return new CriaError("ERR_UNSUPPORTED", `Cannot render \`${name}\`: ${why}; ${remedy}`, {
    details: { name },
  });
}
