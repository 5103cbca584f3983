import { list, readOptions, string, unreadable } from "../internal/checks.js";
import { expected, invalid, show } from "../internal/errors.js";
import type { NativeSegment } from "../internal/native.js";
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
  | { readonly tokens: Tokens };

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
}

const KINDS = ["text", "control", "tokens"] as const;

/** Checked: exactly one of the three. */
function readSegment(value: unknown, name: string): Segment {
  const segment = readOptions(value as Segment | undefined, name, KINDS);
  if (Object.keys(segment).length !== 1) {
    throw expected("an object with one of `text`, `control`, `tokens`", name, value);
  }
  if ("text" in segment) string(segment.text, `${name}.text`);
  if ("control" in segment) string(segment.control, `${name}.control`);
  return segment;
}

/**
 * A prompt as one string, for people and tests. Never feed it back as a prompt: text that spells a
 * control token looks like one here.
 *
 * @param model shows `tokens` segments, which need it
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
 */
export function promptToString(prompt: Prompt, model?: Detokenizer): string {
  return list(prompt, "prompt", "an array of prompt segments", (value, name) => {
    const { text, control, tokens } = readSegment(value, name);
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
  if (segments.every(({ length }) => length === 0)) {
    throw expected("at least one token", "prompt", prompt);
  }
  return { segments, addBos: false };
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
    if (segment.text !== undefined) {
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
