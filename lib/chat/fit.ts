import type { RenderableMessage } from "../messages/messages.js";
import type { Model } from "../model.js";
import type { Prompt } from "../prompt.js";

/** Dropping goes on to this share of the room, so that not every later turn drops one more. */
const KEPT = 0.75;

/**
 * Messages of a history without so many of its oldest turns. A turn is what the user says and all up to
 * what the user says next; the system messages and the last turn always stay.
 */
function withoutTurns(
  messages: readonly RenderableMessage[],
  dropped: number,
): readonly RenderableMessage[] {
  const start = dropped === 0 ? undefined : turnStarts(messages)[dropped];
  if (start === undefined) return messages;
  return messages.filter(({ role }, index) => index >= start || role === "system");
}

/** Several messages of the user's behind each other are one turn's. */
function turnStarts(messages: readonly RenderableMessage[]): number[] {
  return messages.flatMap(({ role }, index) =>
    role === "user" && messages[index - 1]?.role !== "user" ? [index] : [],
  );
}

/**
 * The prompt of a history that has room for it, how many turns it leaves out, and what it is made of.
 *
 * @param dropped turns that were left out before
 * @param room tokens
 */
export function fitPrompt(
  messages: readonly RenderableMessage[],
  render: (messages: readonly RenderableMessage[]) => Prompt,
  { dropped, room, model }: { dropped: number; room: number; model: Model },
): { prompt: Prompt; dropped: number; messages: readonly RenderableMessage[] } {
  const last = turnStarts(messages).length - 1;
  const without = (count: number) => {
    const kept = withoutTurns(messages, count);
    return { prompt: render(kept), dropped: count, messages: kept };
  };
  const before = without(Math.min(dropped, Math.max(last, 0)));
  // Where no turn can go, how much there is changes nothing.
  if (before.dropped >= last || fits(before.prompt, room, model)) return before;
  // By halves, since a history may have come from a file, with any number of turns.
  let tooFew = before.dropped;
  let enough = last;
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (fits(without(middle).prompt, room * KEPT, model)) enough = middle;
    else tooFew = middle;
  }
  return without(enough);
}

/** No token is shorter than a byte: most prompts need not be tokenized to know. */
function fits(prompt: Prompt, room: number, model: Model): boolean {
  const within = (texts: (text: string) => number) => {
    let sum = 0;
    return prompt.every((segment) => {
      if ("text" in segment) sum += texts(segment.text);
      else sum += "tokens" in segment ? segment.tokens.length : 1;
      return sum <= room;
    });
  };
  return (
    within((text) => Buffer.byteLength(text) + 1) || within((text) => model.tokenize(text).length)
  );
}
