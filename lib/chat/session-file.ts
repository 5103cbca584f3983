import { readFile, stat } from "node:fs/promises";
import { integer, isPlainObject, list, MAX_INT32, oneOf, string } from "../internal/checks.js";
import { CriaError, messageOf } from "../internal/errors.js";
import { replaceFile } from "../internal/replace-file.js";
import { inTurns } from "../internal/steps.js";
import { inlineMedia } from "../messages/inline-media.js";
import type { MediaPart } from "../messages/media-parts.js";
import { type ChatMessageInput, messageSteps, type TextPart } from "../messages/messages.js";
import type { RenderableMessage, Reply } from "../messages/pairing.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { type HistorySnapshot, type SessionHistory, shown } from "./session-history.js";

/** Raised when files of this version would be misread. */
const VERSION = 1;
const FORMAT = "cria-chat-session";
/** Far more than any context holds: pictures in base64 take most of it. What is written can be read, too. */
const MAX_BYTES = 384 * 1024 * 1024;
const ENDS = ["<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|eom|>"] as const;

/** What a session's file holds. */
export interface SavedSession extends Readonly<HistorySnapshot> {
  /** Whether it is of this very model. Another one goes on with the messages alone. */
  readonly sameModel: boolean;
}

/** The file of the KV cache's state, beside the session's own. */
export function stateFile(file: string): string {
  return `${file}.state`;
}

/**
 * Writes a session as JSON. The file is there completely, or as it was before.
 *
 * @throws {CriaError} ERR_STATE_INVALID
 */
export async function writeSession(
  file: string,
  history: SessionHistory,
  { fingerprint }: LoadedModel,
): Promise<void> {
  const { messages, ...rest } = history.snapshot();
  try {
    const saved = {
      ...{ format: FORMAT, version: VERSION, model: fingerprint, ...rest },
      messages: messages.map((message) => ({ ...savedMessage(message), ...replyOf(message) })),
    };
    // Beyond 512 MB it throws a RangeError.
    const text = `${JSON.stringify(saved, null, 1)}\n`;
    if (Buffer.byteLength(text) > MAX_BYTES) {
      throw new Error(`it would have more than ${MAX_BYTES} bytes: give pictures by their paths`);
    }
    await replaceFile(file, text);
  } catch (error) {
    throw invalidFile(file, `cannot be written: ${messageOf(error)}`, error);
  }
}

/** As the caller sees it, with bytes in base64. Files stay where they are: their paths are saved. */
function savedMessage(message: RenderableMessage): object {
  const whole = shown(message);
  const { content } = whole;
  if (content === undefined || content === null || typeof content === "string") return whole;
  return { ...whole, content: content.map((part) => savedPart(part)) };
}

function savedPart(part: TextPart | MediaPart): TextPart | MediaPart {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  if (part.type === "image" && typeof part.image !== "string") {
    return inlineMedia("image", base64(part.image));
  }
  if (part.type === "audio" && typeof part.audio !== "string") {
    return inlineMedia("audio", base64(part.audio));
  }
  return part;
}

/** In the formats that can say them, the tokens of an answer, so that it is found in the cache again. */
function replyOf(message: RenderableMessage): object {
  if (message.role !== "assistant" || message.reply === undefined) return {};
  const { tokens, end } = message.reply;
  return { reply: { tokens: [...tokens], end } };
}

/**
 * Reads what `writeSession` wrote, or somebody else who means harm.
 *
 * @throws {CriaError} ERR_STATE_INVALID; the signal's reason
 */
export async function readSession(
  file: string,
  model: LoadedModel,
  signal: AbortSignal,
): Promise<SavedSession> {
  const text = await textOf(file, signal);
  try {
    const saved: unknown = JSON.parse(text);
    if (!isPlainObject(saved) || saved.format !== FORMAT) throw new Error("it has another format");
    if (saved.version !== VERSION) throw new Error(`it has version ${String(saved.version)}`);
    const sameModel = saved.model === model.fingerprint;
    const given = list(saved.messages, "messages", "an array", (message) => message);
    const dropped = integer(saved.dropped, "dropped", 0, given.length);
    return {
      messages: await messagesOf(given, sameModel ? model.vocabularySize : undefined, signal),
      dropped,
      summary: string(saved.summary, "summary"),
      summarized: integer(saved.summarized, "summarized", 0, dropped),
      sameModel,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw invalidFile(file, `is no session that this cria saved: ${messageOf(error)}`, error);
  }
}

async function textOf(file: string, signal: AbortSignal): Promise<string> {
  try {
    const stats = await stat(file);
    // A pipe would never end.
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
    const bytes = await readFile(file, { signal });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    signal.throwIfAborted();
    throw invalidFile(file, `cannot be read: ${messageOf(error)}`, error);
  }
}

async function messagesOf(
  given: readonly unknown[],
  vocabularySize: number | undefined,
  signal: AbortSignal,
): Promise<readonly RenderableMessage[]> {
  if (given.length === 0) return [];
  const read = await inTurns(
    messageSteps(given as ChatMessageInput[], "messages", "files"),
    signal,
  );
  if (vocabularySize === undefined || read.length !== given.length) return read;
  return read.map((message, index) => {
    const { reply } = given[index] as { reply?: unknown };
    if (message.role !== "assistant" || reply === undefined) return message;
    return { ...message, reply: readReply(reply, `messages[${index}].reply`, vocabularySize) };
  });
}

function readReply(reply: unknown, name: string, vocabularySize: number): Reply {
  const { tokens, end } = reply as Record<string, unknown>;
  const ids = list(tokens, `${name}.tokens`, "an array of token ids", (id, at) =>
    integer(id, at, 0, Math.min(vocabularySize - 1, MAX_INT32)),
  );
  return { tokens: Int32Array.from(ids), end: oneOf(end, `${name}.end`, ENDS) };
}

function invalidFile(file: string, reason: string, cause: unknown): CriaError {
  return new CriaError("ERR_STATE_INVALID", `The session's file ${file} ${reason}`, {
    details: { path: file },
    cause,
  });
}
