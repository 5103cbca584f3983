import { integer, isPlainObject, MAX_INT32, oneOf, string } from "../../internal/checks.js";
import { expected } from "../../internal/errors.js";
import { unsupported } from "../failures.js";
import { Fields, type KnownFields, textOrTexts } from "./fields.js";
import type { EmbeddingPlan, ModerationPlan } from "./plans.js";

const EMBEDDING: KnownFields = {
  read: ["model", "input", "encoding_format", "dimensions"],
  ignored: ["user"],
  refused: {},
};
const MODERATION: KnownFields = { read: ["model", "input"], ignored: [], refused: {} };

/** The body of a request for /v1/embeddings. */
export function readEmbeddingBody(body: unknown): EmbeddingPlan {
  const fields = new Fields(body, "body", EMBEDDING);
  const encoding = (value: unknown, name: string) => oneOf(value, name, ["float", "base64"]);
  return {
    kind: "embedding",
    model: fields.get("model", string),
    inputs: fields.needed("input", "a string or an array of strings", embeddingInputs),
    encoding: fields.get("encoding_format", encoding) ?? "float",
    dimensions: fields.get("dimensions", (value, name) => integer(value, name, 1, MAX_INT32)),
  };
}

function embeddingInputs(value: unknown, name: string): readonly string[] {
  const [first] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof first === "number" || Array.isArray(first)) {
    throw unsupported(name, "is given as token ids, which are another model's: give the text");
  }
  return textOrTexts(value, name);
}

/** The body of a request for /v1/moderations. */
export function readModerationBody(body: unknown): ModerationPlan {
  const fields = new Fields(body, "body", MODERATION);
  return {
    kind: "moderation",
    model: fields.get("model", string),
    inputs: fields.needed("input", "a string or an array of strings", moderationInputs),
  };
}

/** A list of parts is one input. */
function moderationInputs(value: unknown, name: string): readonly string[] {
  const parts = Array.isArray(value) ? (value as unknown[]) : [];
  if (parts.length === 0 || !parts.every(isPlainObject)) return textOrTexts(value, name);
  const texts = parts.map((part, index) => {
    const at = `${name}[${index}]`;
    if (part.type !== "text") throw unsupported(`${at}.type`, 'can only be "text"');
    if (typeof part.text !== "string") throw expected("a string", `${at}.text`, part.text);
    return part.text;
  });
  return [texts.join("\n")];
}
