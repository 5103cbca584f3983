import { createHash } from "node:crypto";
import { templateTexts } from "../../messages/template-texts.js";
import { KNOWLEDGE, SHAPE, SYSTEM_INTRODUCTION, USER_INTRODUCTION } from "./llama-3.js";

/** Formats with a renderer of their own. 3.3 has the template of 3.1, byte for byte. */
export type ChatFormatName = "llama-3" | "llama-3.1" | "llama-3.2" | "llama-3.3" | "llama-4";

/** SHA-256 of known templates, without the white space around them. */
const KNOWN_TEXTS: ReadonlyMap<string, ChatFormatName> = new Map([
  ["93c0e9aa3629bbd77e68dbc0f5621f6e6b23aa8d74b932595cdb8d64684526d7", "llama-3.1"],
  ["d82792f95932f1c9cef5c4bd992f171225e3bf8c7b609b4557c9e1ec96be819f", "llama-3.2"],
]);

/** Control tokens that the renderers write. A template with any other has another format. */
const CONTROL = /<\|(?:begin_of_text|start_header_id|end_header_id|eot_id|eom_id|python_tag)\|>/g;

/** Names of roles and fields that templates of these formats look for. */
const NAMES = new Set([
  ...[
    "role",
    "content",
    "system",
    "user",
    "assistant",
    "tool",
    "ipython",
    "tool_calls",
    "function",
  ],
  ...["name", "arguments", "parameters", "type", "text", "equalto", "items", "code_interpreter"],
]);

/** Everything else that the templates print, piece by piece. */
const PIECES = new Set([
  ...["{", "}", ")", '"', ",", '",', '="', ".call(", "Tools:", "26 Jul 2024", "%d %b %Y"],
  ...['{"name":', '{"name": "', '"parameters":', '", "parameters":'],
]);
const SENTENCES = [
  `Environment: ipython\n${KNOWLEDGE}Today Date: `,
  SYSTEM_INTRODUCTION + SHAPE,
  USER_INTRODUCTION + SHAPE,
];
/** Shorter pieces would be found in the sentences by chance. */
const SENTENCE_LENGTH = 11;

/** What every template of Llama 3.1 and 3.2 prints. */
const REQUIRED = [KNOWLEDGE, "Today Date: ", "Environment: ipython\n", USER_INTRODUCTION, SHAPE];

/**
 * The format whose renderer says what the template says, or null. By the template's text where that
 * is known; else by all that it can print: the framing and the wording of the format, and not a word
 * beside it. A derivative with a system message or a tool format of its own is not taken for Llama's.
 */
export function recogniseFormat(template: string | null): ChatFormatName | null {
  if (template === null) return null;
  const text = template.trim();
  return KNOWN_TEXTS.get(createHash("sha256").update(text).digest("hex")) ?? formatByTexts(text);
}

/** Control tokens of Llama 4, with that for an image, which no text can be. */
const CONTROL_4 =
  /<\|(?:begin_of_text|header_start|header_end|eot|python_start|python_end|image)\|>/g;
const NAMES_4 = new Set([...NAMES, "image", "%d %b %Y", "26 Jul 2024"]);

function isLlama4(template: string, texts: readonly string[]): boolean {
  const printed = texts.join("");
  const required = [
    "<|eot|>",
    "<|python_end|>",
    "Environment: ipython\n",
    USER_INTRODUCTION,
    SHAPE,
  ];
  if (!required.every((text) => printed.includes(text.trimEnd()))) return false;
  // What is said keeps the white space around it.
  if (/message\[?\.?['"]?content['"]?\]?\s*\|\s*trim/.test(template)) return false;
  return texts
    .map((text) => text.replace(CONTROL_4, " ").trim())
    .every((text) => text === "" || NAMES_4.has(text) || isWording(text));
}

/** The second way of `recogniseFormat`, for templates whose text is not known. */
export function formatByTexts(template: string): ChatFormatName | null {
  const four = template.includes("<|header_start|>");
  if (!four && !template.includes("<|start_header_id|>")) return null;
  if (!/\|\s*trim\b/.test(template)) return null;
  // White space between tags means nothing, and would split sentences.
  const texts = templateTexts(template)?.filter((text) => text.trim() !== "");
  if (texts === undefined) return null;
  if (four) return isLlama4(template, texts) ? "llama-4" : null;
  const printed = texts.join("");
  const { size } = new Set(printed.match(CONTROL));
  if (!printed.includes("<|eot_id|>") || size < 3) return null;
  const words = texts
    .map((text) => text.replace(CONTROL, " ").trim())
    .filter((text) => text !== "");
  if (!words.every((text) => NAMES.has(text) || isWording(text))) return null;
  if (REQUIRED.every((text) => printed.includes(text.trimEnd()))) {
    return /\bbuiltin_tools\b/.test(template) ? "llama-3.1" : "llama-3.2";
  }
  return words.every((text) => NAMES.has(text)) ? "llama-3" : null;
}

function isWording(text: string): boolean {
  if (PIECES.has(text)) return true;
  return text.length >= SENTENCE_LENGTH && SENTENCES.some((sentence) => sentence.includes(text));
}
