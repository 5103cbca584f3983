import type { Model } from "../model.js";
import type { Prompt } from "../prompt.js";
import type { RenderableMessage } from "./messages.js";

/** Dropping goes on to this share of the room, so that not every later turn drops one more. */
const KEPT = 0.75;

/**
 * Messages of a history and how many of its oldest turns are left out of the prompt. A turn is a user's
 * message and all up to the next one; the system message and the last turn always stay.
 */
export function withoutTurns(
  messages: readonly RenderableMessage[],
  dropped: number,
): readonly RenderableMessage[] {
  if (dropped === 0) return messages;
  const system = messages[0]?.role === "system" ? messages.slice(0, 1) : [];
  return [...system, ...messages.slice(turnStarts(messages)[dropped])];
}

function turnStarts(messages: readonly RenderableMessage[]): number[] {
  return messages.flatMap(({ role }, index) => (role === "user" ? [index] : []));
}

/**
 * The prompt of a history that has room for it, and how many turns it leaves out.
 *
 * @param dropped turns that were left out before
 * @param room tokens
 */
export function fit(
  messages: readonly RenderableMessage[],
  render: (messages: readonly RenderableMessage[]) => Prompt,
  { dropped, room, model }: { dropped: number; room: number; model: Model },
): { prompt: Prompt; dropped: number } {
  const last = turnStarts(messages).length - 1;
  let left = Math.min(dropped, Math.max(last, 0));
  let prompt = render(withoutTurns(messages, left));
  if (fits(prompt, room, model)) return { prompt, dropped: left };
  while (left < last && !fits(prompt, room * KEPT, model)) {
    left += 1;
    prompt = render(withoutTurns(messages, left));
  }
  return { prompt, dropped: left };
}

/** No token is shorter than a byte: most prompts need not be tokenized to know. */
function fits(prompt: Prompt, room: number, model: Model): boolean {
  const count = (texts: (text: string) => number) =>
    prompt.reduce((sum, segment) => {
      if ("text" in segment) return sum + texts(segment.text);
      return sum + ("tokens" in segment ? segment.tokens.length : 1);
    }, 0);
  return (
    count((text) => Buffer.byteLength(text) + 1) <= room ||
    count((text) => model.tokenize(text).length) <= room
  );
}
