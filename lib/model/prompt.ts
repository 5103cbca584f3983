import { resolve } from "node:path";
import { filePath, list, readOptions, string, unreadable } from "../internal/checks.js";
import { expected, invalid, show } from "../internal/errors.js";
import type { NativeMedia, NativeSegment } from "../internal/native.js";
import { copyTokens, joinTokens, type Tokens } from "./tokens.js";

/**
 * Text is tokenized without specials, so nothing in it can become a control token; a control segment
 * is exactly one control token of the model, by its text. Segments are tokenized one by one: a segment
 * border is a token border.
 */
export type PromptSegment =
  /** Text: nothing in it can become a control token. */
  | { readonly text: string }
  /** One control token, by its exact text (`<|eot_id|>`). */
  | { readonly control: string }
  /** Token ids, as they are. */
  | { readonly tokens: Tokens }
  /** A picture (JPEG, PNG, GIF, BMP): the file's bytes, or its path. Needs a model with a `projector`. */
  | { readonly image: Uint8Array | string }
  /** A sound (WAV, MP3, FLAC): the file's bytes, or its path. Needs a model with a `projector`. */
  | { readonly audio: Uint8Array | string };

/** A prompt in pieces. Nothing is added to it: a BOS, where one is wanted, is a control segment. */
export type Prompt = readonly PromptSegment[];

/**
 * What a generation starts from. A bare string is raw completion text: BOS is added where the model
 * wants it, and control-token text stays text. Token ids go in as they are.
 */
export type PromptInput = string | Prompt | Tokens;

interface Segment {
  text?: string;
  control?: string;
  tokens?: Tokens;
  image?: Uint8Array | string;
  audio?: Uint8Array | string;
}

const KINDS = ["text", "control", "tokens", "image", "audio"] as const;

/** Checked: exactly one of them. */
function readSegment(value: unknown, name: string): Segment {
  const segment = readOptions(value as Segment | undefined, name, KINDS);
  if (Object.keys(segment).length !== 1) {
    throw expected(
      "an object with one of `text`, `control`, `tokens`, `image`, `audio`",
      name,
      value,
    );
  }
  if ("text" in segment) string(segment.text, `${name}.text`);
  if ("control" in segment) string(segment.control, `${name}.control`);
  if ("image" in segment) mediaData(segment.image, `${name}.image`);
  if ("audio" in segment) mediaData(segment.audio, `${name}.audio`);
  return segment;
}

/**
 * A prompt as one string, for people and tests: pictures and sounds are `<image>` and `<audio>`. Never feed it back as a prompt: text that spells a
 * control token looks like one here.
 *
 * @param model shows `tokens` segments, which need it
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
 */
export function promptToString(prompt: Prompt, model?: Detokenizer): string {
  return list(prompt, "prompt", "an array of prompt segments", (value, name) => {
    const { text, control, tokens, image, audio } = readSegment(value, name);
    if (image !== undefined) return "<image>";
    if (audio !== undefined) return "<audio>";
    if (tokens === undefined) return text ?? control ?? "";
    if (model === undefined) throw expected("a model, to show a `tokens` segment,", "model", model);
    return model.detokenize(tokens, { special: true });
  }).join("");
}

/** A model. */
interface Detokenizer {
  detokenize(tokens: Tokens, options: { readonly special: boolean }): string;
}

/** What the prompt's translation needs of a model. */
export interface PromptVocabulary {
  readonly vocabularySize: number;
  readonly addsBos: boolean;
  /** -1: no such token. */
  tokenId(text: string): number;
}

/** The prompt as the addon takes it. */
export function nativePrompt(
  prompt: unknown,
  vocabulary: PromptVocabulary,
): { segments: NativeSegment[]; addBos: boolean } {
  if (typeof prompt === "string") {
    const { addsBos } = vocabulary;
    if (prompt === "" && !addsBos) {
      throw expected("some text, since this model wants no BOS,", "prompt", prompt);
    }
    return { segments: prompt === "" ? [] : [prompt], addBos: addsBos };
  }
  const segments = isSegments(prompt)
    ? nativeSegments(prompt, vocabulary)
    : [copyTokens(prompt, "prompt", vocabulary.vocabularySize)];
  if (segments.every((segment) => isEmpty(segment))) {
    throw expected("at least one token", "prompt", prompt);
  }
  return { segments, addBos: false };
}

function isEmpty(segment: NativeSegment): boolean {
  return typeof segment === "string" || ArrayBuffer.isView(segment) ? segment.length === 0 : false;
}

function isSegments(prompt: unknown): prompt is readonly unknown[] {
  if (ArrayBuffer.isView(prompt)) return false;
  try {
    if (Array.isArray(prompt)) return typeof prompt[0] !== "number";
  } catch (error) {
    throw unreadable(error, "prompt", prompt);
  }
  throw expected("a string, an array of segments or token ids", "prompt", prompt);
}

/** Neighbouring ids become one segment, empty ones are left out. */
function nativeSegments(prompt: readonly unknown[], vocabulary: PromptVocabulary): NativeSegment[] {
  const segments: NativeSegment[] = [];
  let ids: Int32Array[] = [];
  const flush = () => {
    if (ids.length > 0) segments.push(joinTokens(ids));
    ids = [];
  };
  for (const segment of list(prompt, "prompt", "an array of segments", readNamed)) {
    if (segment.text === "") continue;
    const { image, audio } = segment;
    if (image !== undefined || audio !== undefined) {
      flush();
      segments.push(nativeMedia(image === undefined ? { audio: audio as never } : { image }));
    } else if (segment.text !== undefined) {
      flush();
      segments.push(segment.text);
    } else if (segment.control !== undefined) {
      ids.push(Int32Array.of(controlId(segment.control, segment.name, vocabulary)));
    } else {
      const name = `${segment.name}.tokens`;
      ids.push(copyTokens(segment.tokens, name, vocabulary.vocabularySize));
    }
  }
  flush();
  return segments;
}

/** A picture or a sound. */
export type MediaSegment = Extract<PromptSegment, { image: unknown } | { audio: unknown }>;

/** The bytes stay the caller's until the addon copies them, which it does at once. */
export function nativeMedia(segment: MediaSegment): NativeMedia {
  const kind = "image" in segment ? "image" : "audio";
  const data = "image" in segment ? segment.image : segment.audio;
  return { kind, data: typeof data === "string" ? resolve(data) : data };
}

/** Longer than any path is: base64 by mistake. */
const PATH_MAX = 4096;

/** @throws {CriaError} ERR_INVALID_ARGUMENT: neither bytes nor what can be a path, such as a URL */
export function mediaData(value: unknown, name: string): Uint8Array | string {
  if (typeof value === "string") {
    if (/^(?:data|file|https?):/i.test(value) || value.length > PATH_MAX) {
      throw expected("a path, or the file's bytes, and no URL or base64 text", name, value);
    }
    return filePath(value, name);
  }
  if (value instanceof Uint8Array) return value;
  throw expected("a Uint8Array with a file's bytes, or a path,", name, value);
}

function readNamed(value: unknown, name: string): Segment & { name: string } {
  return { ...readSegment(value, name), name };
}

function controlId(control: string, name: string, vocabulary: PromptVocabulary): number {
  const id = vocabulary.tokenId(control);
  if (id >= 0) return id;
  throw invalid(`The model has no control token ${show(control)} (\`${name}.control\`)`, {
    control,
  });
}
