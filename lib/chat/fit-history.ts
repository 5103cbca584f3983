import { setImmediate } from "node:timers/promises";
import type { RenderableMessage } from "../messages/pairing.js";
import type { MediaSegment, Prompt } from "../model/prompt.js";
import type { TokenCounts } from "./token-counts.js";

/** Turns are dropped until this share of the room is left, so that not every later turn drops one more. */
const KEPT = 0.75;
/** How many times the room a prompt's messages may have by themselves, since templates leave out parts. */
const SLACK = 2;

export interface FitOptions {
  /** How many turns were left out before. */
  readonly dropped: number;
  /** How many tokens the prompt may have. */
  readonly room: number;
  /** How many of them stay free for a summary of what is left out, once more has to go; default 0. */
  readonly reserved?: number;
  /** The session's, which counts each message once. */
  readonly counts: TokenCounts;
  readonly signal?: AbortSignal;
}

/** Renders what is left when so many turns are left out. */
type Render = (messages: readonly RenderableMessage[], dropped: number) => Promise<Prompt>;

/**
 * A history as turns. A turn is what the user says and everything up to what the user says next. System
 * messages and the last turn always stay. Several messages of the user's in a row belong to one
 * turn.
 */
class Turns {
  readonly #messages: readonly RenderableMessage[];
  readonly #starts: number[] = [];
  readonly #systems: RenderableMessage[] = [];
  /** The places of the system messages. */
  readonly #places: number[] = [];

  constructor(messages: readonly RenderableMessage[]) {
    this.#messages = messages;
    let before: RenderableMessage["role"] | undefined;
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index] as RenderableMessage;
      if (message.role === "user" && before !== "user") this.#starts.push(index);
      if (message.role === "system") {
        this.#systems.push(message);
        this.#places.push(index);
      }
      before = message.role;
    }
  }

  get last(): number {
    return this.#starts.length - 1;
  }

  without(dropped: number): readonly RenderableMessage[] {
    const start = dropped === 0 ? undefined : this.#starts[dropped];
    if (start === undefined) return this.#messages;
    const kept = this.#places.findIndex((place) => place >= start);
    const systems = kept === -1 ? this.#systems : this.#systems.slice(0, kept);
    return [...systems, ...this.#messages.slice(start)];
  }

  /** What is left out of `without(to)` and not of `without(from)`. */
  between(from: number, to: number): readonly RenderableMessage[] {
    const start = from === 0 ? 0 : (this.#starts[from] ?? this.#messages.length);
    const some = this.#messages.slice(start, this.#starts[to] ?? start);
    return some.filter(({ role }) => role !== "system");
  }

  /** The messages from the last one back, each with the number of turns before it. */
  *backwards(): Generator<{ readonly message: RenderableMessage; readonly turns: number }> {
    let turns = this.last;
    for (let index = this.#messages.length - 1; index >= 0; index--) {
      yield { message: this.#messages[index] as RenderableMessage, turns: Math.max(turns, 0) };
      if (index === this.#starts[turns]) turns -= 1;
    }
  }
}

/** The messages that are left out with `to` turns, and were not with `from`. */
export function leftOut(
  messages: readonly RenderableMessage[],
  from: number,
  to: number,
): readonly RenderableMessage[] {
  return new Turns(messages).between(from, to);
}

/** A prompt that fits the room, how many turns it leaves out, and the messages that it is made of. */
export async function fitPrompt(
  messages: readonly RenderableMessage[],
  render: Render,
  { dropped, room, reserved = 0, counts, signal }: FitOptions,
): Promise<{ prompt: Prompt; dropped: number; messages: readonly RenderableMessage[] }> {
  const turns = new Turns(messages);
  const { last } = turns;
  const without = async (count: number) => {
    const kept = turns.without(count);
    return { prompt: await render(kept, count), dropped: count, messages: kept };
  };
  const fits = (prompt: Prompt, tokens: number) => hasRoom(prompt, tokens, counts, signal);
  const before = Math.min(dropped, Math.max(last, 0));
  // If no turn can go, it does not matter whether the prompt fits.
  if (before >= last) return without(before);
  // A history from a file may have any number of turns, most of which are never rendered.
  const plain = await plainlyTooMany(turns, { room, counts, ...(signal && { signal }) });
  if (plain <= before) {
    const whole = await without(before);
    if (await fits(whole.prompt, room)) return ended(whole, counts);
  }
  let tooFew = Math.max(before, plain - 1);
  let enough = last;
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (await fits((await without(middle)).prompt, room * KEPT - reserved)) enough = middle;
    else tooFew = middle;
    await setImmediate();
  }
  return ended(await without(enough), counts);
}

function ended<T extends { readonly prompt: Prompt }>(fitted: T, counts: TokenCounts): T {
  counts.forget(fitted.prompt.length);
  return fitted;
}

/** How many turns must go in any case, by their messages alone; at most all but the last. */
async function plainlyTooMany(
  turns: Turns,
  { room, counts, signal }: Omit<FitOptions, "dropped" | "reserved">,
): Promise<number> {
  const limit = room * SLACK;
  let characters = 0;
  for (const { message } of turns.backwards()) {
    characters += lengthOf(message);
    if (characters > limit) break;
  }
  if (characters <= limit) return 0;
  let sum = 0;
  let texts: string[] = [];
  for (const { message, turns: before } of turns.backwards()) {
    texts.push(...textsOf(message));
    // A turn's messages are counted together, and small turns with each other.
    if (texts.length < 64 && before > 0) continue;
    sum += (await counts.of(texts, limit - sum, signal)) + texts.length;
    texts = [];
    if (sum > limit) return Math.min(before, turns.last);
  }
  return 0;
}

function lengthOf(message: RenderableMessage): number {
  let length = message.content.length;
  if (message.role === "assistant") {
    for (const call of message.tool_calls) length += call.function.arguments.length;
  }
  return length;
}

function textsOf(message: RenderableMessage): string[] {
  if (message.role !== "assistant") return [message.content];
  return [message.content, ...message.tool_calls.map((call) => call.function.arguments)];
}

/** Most prompts need not be tokenized for this: no token is shorter than a byte. */
export async function hasRoom(
  prompt: Prompt,
  room: number,
  counts: TokenCounts,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let others = 0;
  let bytes = 0;
  const texts: string[] = [];
  const media: MediaSegment[] = [];
  for (const segment of prompt) {
    if ("text" in segment) {
      texts.push(segment.text);
      bytes += Buffer.byteLength(segment.text) + 1;
    } else if ("image" in segment || "audio" in segment) {
      media.push(segment);
    } else {
      others += "tokens" in segment ? segment.tokens.length : 1;
    }
  }
  if (others + media.length > room) return false;
  others += await counts.ofMedia(media, room - others, signal);
  if (others + bytes <= room) return true;
  if (others > room) return false;
  return others + (await counts.of(texts, room - others, signal)) <= room;
}
