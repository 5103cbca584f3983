import type { ToolParserEvent } from "../messages/tool-types.js";

/** A part of an answer, in order, as it is read. */
export type AnswerPart =
  | ToolParserEvent
  /** What the model thinks before it answers. */
  | { readonly type: "reasoning"; readonly text: string }
  /** A piece of a call that is being written; the call itself follows. */
  | {
      readonly type: "tool-call-delta";
      /** Id of the call. */
      readonly callId: string;
      /** The tool's name. */
      readonly name: string;
      /** The next piece of the arguments' JSON text; the first one may be empty. */
      readonly argumentsDelta: string;
    };

type Joined = Exclude<AnswerPart, { readonly type: "tool-call" }>;

/** Appends an event; a piece directly behind one of its kind is joined to it. */
export function appendPart<E extends { readonly type: string }>(
  events: (E | AnswerPart)[],
  event: E | AnswerPart,
): void {
  const last = events.at(-1);
  const joined =
    last === undefined ? undefined : joinedParts(last as AnswerPart, event as AnswerPart);
  if (joined === undefined) events.push(event);
  else events[events.length - 1] = joined;
}

function joinedParts(first: AnswerPart, second: AnswerPart): Joined | undefined {
  if (first.type === "text" && second.type === "text") {
    return { type: "text", text: first.text + second.text };
  }
  if (first.type === "reasoning" && second.type === "reasoning") {
    return { type: "reasoning", text: first.text + second.text };
  }
  if (first.type !== "tool-call-delta" || second.type !== "tool-call-delta") return undefined;
  if (first.callId !== second.callId) return undefined;
  return { ...first, argumentsDelta: first.argumentsDelta + second.argumentsDelta };
}
