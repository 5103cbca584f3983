import { isPlainObject, isWellFormed } from "../../internal/checks.js";
import { invalid, show } from "../../internal/errors.js";
import type { Line } from "../../internal/lines.js";
import type { BatchFormat } from "../batch-types.js";
import {
  bodyFieldOf,
  readChatBody,
  readCompletionBody,
  readEmbeddingBody,
  readModerationBody,
} from "./openai-body.js";
import { anything, type KnownFields, RequestFields } from "./request-fields.js";
import type { BatchPlan } from "./request-plans.js";
import { readSimple, simpleFieldOf } from "./simple-line.js";

/** What a line says: its id, and what it asks for, or why that cannot be told. */
export interface BatchRequestLine {
  readonly number: number;
  readonly customId: string;
  /** What the hash of the request is made of. */
  readonly text: string;
  /** The line's field that became this option of the library, for errors; undefined where none did. */
  fieldOf(option: string): string | undefined;
  /** Throws what is wrong with the request. */
  plan(): BatchPlan;
}

const ENVELOPE: KnownFields = {
  read: ["custom_id", "method", "url", "body"],
  ignored: [],
  refused: {},
};

const BODIES: Readonly<Record<string, (body: unknown) => BatchPlan>> = {
  "/v1/chat/completions": readChatBody,
  "/v1/completions": readCompletionBody,
  "/v1/embeddings": readEmbeddingBody,
  "/v1/moderations": readModerationBody,
};

/** A longer id is a mistake, and would stand in every message about its line. */
const MAX_ID = 512;

/** Never throws: what is wrong with the line is thrown by its `plan()`. */
export function readLine(line: Line, format: BatchFormat): BatchRequestLine {
  const { number, text, problem } = line;
  const named = (
    customId: string,
    plan: () => BatchPlan,
    fieldOf: BatchRequestLine["fieldOf"] = simpleFieldOf,
  ) => {
    return { number, customId, text, fieldOf, plan };
  };
  const own = `line-${number}`;
  const failing = (error: unknown) => () => {
    throw error;
  };
  if (problem !== undefined)
    return named(own, failing(invalid(`The line cannot be read: ${problem}`)));
  if (format === "text") return named(own, () => readSimple({ prompt: text }));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return named(own, failing(invalid(`The line is not JSON: ${(error as Error).message}`)));
  }
  if (!isPlainObject(value)) {
    return named(own, failing(invalid(`Expected a JSON object, got ${show(value)}`)));
  }
  const openai = ENVELOPE.read.some((key) => key in value);
  const id = openai ? value.custom_id : value.id;
  if (id === undefined && !openai) return named(own, () => readSimple(value));
  const key = openai ? "custom_id" : "id";
  // Every half of a surrogate pair has the hash of U+FFFD.
  if (typeof id !== "string" || id === "" || id.length > MAX_ID || !isWellFormed(id)) {
    const what = `Expected a string of 1 to ${MAX_ID} characters for \`${key}\`, got ${show(id)}`;
    return named(own, failing(invalid(what)));
  }
  if (openai) return named(id, () => readOpenAI(value), bodyFieldOf);
  return named(id, () => readSimple(value));
}

function readOpenAI(value: Record<string, unknown>): BatchPlan {
  const fields = new RequestFields(value, "", ENVELOPE);
  const method = fields.get("method", anything);
  if (method !== undefined && method !== "POST") {
    throw invalid(`Expected "POST" for \`method\`, got ${show(method)}`);
  }
  const url = fields.needed("url", `one of ${Object.keys(BODIES).join(", ")}`, anything);
  const read = typeof url === "string" && Object.hasOwn(BODIES, url) ? BODIES[url] : undefined;
  if (read === undefined) {
    throw invalid(
      `Expected one of ${Object.keys(BODIES).join(", ")} for \`url\`, got ${show(url)}`,
    );
  }
  return read(fields.needed("body", "an object", anything));
}
