import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { filePath, guarded, string } from "../internal/checks.js";
import { CriaError, expected, messageOf, show } from "../internal/errors.js";
import { mediaData, type Prompt, type PromptSegment } from "../model/prompt.js";

/** A picture or a sound in a user's message, in OpenAI's shapes and in shorter ones. */
export type MediaPart =
  /** A picture as OpenAI has it. The URL begins with `data:` or `file:`; nothing is fetched. */
  | {
      readonly type: "image_url";
      /** Where the picture is; `detail` has no effect. */
      readonly image_url: { readonly url: string; readonly detail?: string };
    }
  /** A picture (JPEG, PNG, GIF, BMP): the file's bytes, or its path. */
  | { readonly type: "image"; readonly image: Uint8Array | string }
  /** A sound as OpenAI has it, in base64. */
  | {
      readonly type: "input_audio";
      /** The file's bytes in base64; what they are is seen in them, whatever `format` says. */
      readonly input_audio: { readonly data: string; readonly format: string };
    }
  /** A sound (WAV, MP3, FLAC): the file's bytes, or its path. */
  | { readonly type: "audio"; readonly audio: Uint8Array | string };

/**
 * Which media messages may have: those that are all there ("inline"), those in this machine's files, too
 * ("files"), or none. Who passes on what others send must not open their paths.
 */
export type MediaRule = "none" | "inline" | "files";

/** A part that was read. */
export interface ReadMedia {
  /** Stands for it in the message's text: digits that no text can know before. */
  readonly mark: string;
  readonly segment: PromptSegment;
  /** A copy for the caller. */
  readonly part: MediaPart;
}

const TYPES = ["image_url", "image", "input_audio", "audio"] as const;

export function isMediaType(type: unknown): type is MediaPart["type"] {
  return (TYPES as readonly unknown[]).includes(type);
}

/** @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED for what the rule forbids, and for URLs elsewhere */
export function readMedia(
  part: object,
  type: MediaPart["type"],
  name: string,
  rule: Exclude<MediaRule, "none">,
): ReadMedia {
  const own = guarded(part, name, () => ownPart(part as Record<string, unknown>, type, name));
  const data = dataOf(own, name, rule);
  const sound = type === "input_audio" || type === "audio";
  return { mark: newMark(), segment: sound ? { audio: data } : { image: data }, part: own };
}

function ownPart(part: Record<string, unknown>, type: MediaPart["type"], name: string): MediaPart {
  if (type === "image_url") {
    const at = `${name}.image_url`;
    const { url, detail } = inside(part.image_url, at, "an object such as { url }");
    return {
      type,
      image_url: {
        url: string(url, `${at}.url`),
        ...(detail !== undefined && { detail: string(detail, `${at}.detail`) }),
      },
    };
  }
  if (type === "input_audio") {
    const at = `${name}.input_audio`;
    const { data, format } = inside(part.input_audio, at, "an object such as { data, format }");
    return {
      type,
      input_audio: { data: string(data, `${at}.data`), format: string(format, `${at}.format`) },
    };
  }
  return type === "image"
    ? { type, image: bytesOrPath(part.image, `${name}.image`) }
    : { type, audio: bytesOrPath(part.audio, `${name}.audio`) };
}

function inside(value: unknown, name: string, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw expected(what, name, value);
}

/** The caller may change the bytes later: they are copied. */
function bytesOrPath(value: unknown, name: string): Uint8Array | string {
  const data = mediaData(value, name);
  return typeof data === "string" ? data : data.slice();
}

function dataOf(part: MediaPart, name: string, rule: MediaRule): Uint8Array | string {
  switch (part.type) {
    case "image_url":
      return fromUrl(part.image_url.url, `${name}.image_url.url`, rule);
    case "input_audio":
      return fromBase64(part.input_audio.data, `${name}.input_audio.data`);
    case "image":
      return fromFile(part.image, `${name}.image`, rule);
    case "audio":
      return fromFile(part.audio, `${name}.audio`, rule);
  }
}

function fromUrl(url: string, name: string, rule: MediaRule): Uint8Array | string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === "data") {
    const comma = url.indexOf(",");
    if (comma < 0 || !/;base64$/i.test(url.slice(0, comma))) {
      throw expected("a data: URL in base64", name, url);
    }
    return fromBase64(url.slice(comma + 1), name);
  }
  if (scheme === "file") return fromFile(pathOf(url, name), name, rule);
  throw unsupported(
    name,
    scheme === "http" || scheme === "https"
      ? "nothing is fetched from the network"
      : `${show(url)} is no data: or file: URL`,
    "fetch it yourself, and give its bytes as a data: URL",
  );
}

function pathOf(url: string, name: string): string {
  try {
    return filePath(fileURLToPath(url), name);
  } catch (error) {
    throw expected(`a file: URL of a local file (${messageOf(error)})`, name, url, error);
  }
}

function fromFile(data: Uint8Array | string, name: string, rule: MediaRule): Uint8Array | string {
  if (typeof data !== "string" || rule === "files") return data;
  throw unsupported(name, "files of this machine are not opened for others", "send the bytes");
}

/** Strict: what is cut off or of another alphabet is not read as something shorter. */
function fromBase64(text: string, name: string): Uint8Array {
  if (
    text === "" ||
    !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ||
    text.replace(/=+$/, "").length % 4 === 1
  ) {
    throw expected("base64", name, text);
  }
  return Uint8Array.from(Buffer.from(text, "base64"));
}

/** By which all marks are found at once. */
const MARKS_BEGIN = randomDigits();

function newMark(): string {
  return MARKS_BEGIN + randomDigits();
}

/** A number of 128 bits, always as long. */
function randomDigits(): string {
  return BigInt(`0x${randomBytes(16).toString("hex")}`)
    .toString()
    .padStart(39, "0");
}

type ByMark = ReadonlyMap<string, ReadMedia>;

function byMark(media: readonly ReadMedia[]): ByMark {
  return new Map(media.map((one) => [one.mark, one]));
}

/** A message's text with its marks as the parts that it was given, or as it is where it has none. */
export function contentOf<T>(
  content: string,
  media: readonly ReadMedia[] | undefined,
  textPart: (text: string) => T,
): string | (T | MediaPart)[] {
  if (media === undefined) return content;
  return atMarks(content, byMark(media)).flatMap((piece): (T | MediaPart)[] => {
    if (typeof piece !== "string") return [piece.part];
    return piece === "" ? [] : [textPart(piece)];
  });
}

/**
 * The prompt with pictures and sounds in the places of their marks.
 *
 * @throws {CriaError} ERR_TEMPLATE: the template leaves one out, or shows it twice
 */
export function withMedia(prompt: Prompt, media: readonly ReadMedia[]): Prompt {
  if (media.length === 0) return prompt;
  const left = new Set(media);
  const marks = byMark(media);
  const placed = prompt.flatMap((segment): PromptSegment[] => {
    if (!("text" in segment)) return [segment];
    return atMarks(segment.text, marks).flatMap((piece): PromptSegment[] => {
      if (typeof piece === "string") return piece === "" ? [] : [{ text: piece }];
      left.delete(piece);
      return [piece.segment];
    });
  });
  if (left.size === 0) return placed;
  throw new CriaError(
    "ERR_TEMPLATE",
    `The chat template leaves out or alters ${left.size} of the ${media.length} pictures and sounds ` +
      "of the messages: give another `chatTemplate`, or leave them out",
  );
}

/** The pieces of a text between the marks in it, and what these stand for. Once over the text, however many there are. */
function atMarks(text: string, media: ByMark): (string | ReadMedia)[] {
  const pieces: (string | ReadMedia)[] = [];
  let begin = 0;
  for (let at = text.indexOf(MARKS_BEGIN); at >= 0; at = text.indexOf(MARKS_BEGIN, at + 1)) {
    const found = media.get(text.slice(at, at + 2 * MARKS_BEGIN.length));
    if (found === undefined) continue;
    pieces.push(text.slice(begin, at), found);
    begin = at + found.mark.length;
  }
  pieces.push(text.slice(begin));
  return pieces;
}

function unsupported(name: string, why: string, remedy: string): CriaError {
  return new CriaError("ERR_UNSUPPORTED", `Cannot render \`${name}\`: ${why}; ${remedy}`, {
    details: { name },
  });
}
