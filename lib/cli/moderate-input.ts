import type { GuardConversation } from "../guard/llama-guard.js";
import { isPlainObject } from "../internal/checks.js";
import type { Line } from "../internal/lines.js";
import { visible } from "./terminal/visible.js";

/** What identifies a conversation: its line and its id, if it has them. */
export interface Label {
  readonly line?: number;
  readonly id?: string | number;
}

export interface Entry {
  readonly label: Label;
  readonly conversation: GuardConversation;
}

export interface BadLine {
  readonly label: Label;
  readonly problem: string;
}

const SHAPES = 'a text, {"text": …}, {"messages": […]} or an array of messages';

/** Reads a line of JSONL. The guard checks the messages. */
export function readEntry({ number, text, problem }: Line): Entry | BadLine {
  const label = { line: number };
  if (problem !== undefined) return { label, problem };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return { label, problem: `it is not JSON (${visible((cause as Error).message)})` };
  }
  if (isConversation(value)) return { label, conversation: value };
  if (!isPlainObject(value)) return { label, problem: `expected ${SHAPES}` };
  const { id, text: own, messages } = value;
  if (id !== undefined && typeof id !== "string" && typeof id !== "number") {
    return { label, problem: "its `id` is neither a string nor a number" };
  }
  const named = id === undefined ? label : { ...label, id };
  if ((own === undefined) === (messages === undefined)) {
    return { label: named, problem: `expected ${SHAPES}` };
  }
  if (own !== undefined && typeof own !== "string") {
    return { label: named, problem: "its `text` is not a string" };
  }
  if (messages !== undefined && !Array.isArray(messages)) {
    return { label: named, problem: "its `messages` are no array" };
  }
  return { label: named, conversation: (own ?? messages) as GuardConversation };
}

/** The guard refuses elements that are not messages. */
function isConversation(value: unknown): value is GuardConversation {
  return typeof value === "string" || Array.isArray(value);
}
