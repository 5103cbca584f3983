import { CriaError } from "../internal/errors.js";
import { afterWhiteSpace, strip } from "../messages/white-space.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { Prompt } from "../model/prompt.js";
import { type GuardTurn, startWithUser } from "./guard-conversation.js";

/** What a conversation has to fit. */
export interface GuardRoom {
  /** Tokens that a prompt may have. */
  readonly room: number;
  readonly model: LoadedModel;
  readonly render: (turns: readonly GuardTurn[]) => Prompt;
  readonly signal?: AbortSignal | undefined;
}

/** In tokens: smaller pieces say too little to be judged. */
const LEAST_PIECE = 16;
/** The share of a piece that the next one repeats, so that what is cut in one is whole in the other. */
const OVERLAP = 0.125;
/** How many characters a token has on average: at most, and usually. */
const MOST_CHARACTERS = 16;
const USUAL_CHARACTERS = 4;

/**
 * The conversation without the oldest turns that do not fit; undefined if the judged message alone does
 * not fit and has to be judged in pieces.
 */
export async function fitTurns(
  turns: readonly GuardTurn[],
  options: GuardRoom,
): Promise<GuardTurn[] | undefined> {
  // The last start leaves the judged message alone.
  const from = (start: number) => startWithUser(turns.slice(start));
  let [fits, low] = [turns.length, firstPossible(turns, options.room)];
  while (low < fits) {
    const middle = Math.floor((low + fits) / 2);
    if (await hasRoom(from(middle), options)) fits = middle;
    else low = middle + 1;
  }
  // The search is not exact: a later start that begins with the agent gets a greeting, and may be longer.
  return fits === turns.length ? undefined : from(fits);
}

/** Most turns of a long conversation are excluded by their lengths alone. */
function firstPossible(turns: readonly GuardTurn[], room: number): number {
  let left = room * MOST_CHARACTERS;
  for (let index = turns.length - 1; index >= 0; index--) {
    left -= (turns[index] as GuardTurn).text.length;
    if (left < 0) return index + 1;
  }
  return 0;
}

/** Does not tokenize a text that is plainly too long. */
async function hasRoom(turns: readonly GuardTurn[], options: GuardRoom): Promise<boolean> {
  const { room, render } = options;
  const prompt = render(turns);
  if (count(prompt, (text) => text.length) > room * MOST_CHARACTERS) return false;
  return count(prompt, byteLength) <= room || (await tokensOf(prompt, options)) <= room;
}

/** An upper bound of tokens, since none is shorter than a byte: most prompts need not be tokenized. */
function byteLength(text: string): number {
  return Buffer.byteLength(text) + 1;
}

function count(prompt: Prompt, length: (text: string) => number): number {
  return prompt.reduce((sum, part) => sum + ("text" in part ? length(part.text) : 1), 0);
}

/** Off the JS thread. */
async function tokensOf(prompt: Prompt, { model, signal }: GuardRoom): Promise<number> {
  const counts = await Promise.all(
    prompt.map(async (part) => ("text" in part ? lengthOf(part.text, model, signal) : 1)),
  );
  return counts.reduce((sum, one) => sum + one, 0);
}

async function lengthOf(text: string, model: LoadedModel, signal?: AbortSignal): Promise<number> {
  return (await model.tokenizeAsync(text, signal && { signal })).length;
}

/**
 * A conversation for each piece of a judged message. Each piece is cut when it is asked for, so that an
 * aborted judgement does not wait until a long text is cut.
 *
 * @throws {CriaError} ERR_CONTEXT_FULL
 */
export async function* pieces(
  { role, text }: GuardTurn,
  options: GuardRoom,
): AsyncGenerator<GuardTurn[], undefined> {
  const { room, model, render, signal } = options;
  const conversation = (piece: string) => startWithUser([{ role, text: piece }]);
  const frame = await tokensOf(render(conversation("")), options);
  const left = room - frame;
  if (left < LEAST_PIECE) {
    throw new CriaError(
      "ERR_CONTEXT_FULL",
      `The policy, the question and the reply leave room for ${Math.max(left, 0)} tokens of a ` +
        `message; expected ${LEAST_PIECE} at least: give the context ${LEAST_PIECE - left} tokens ` +
        "more, or fewer categories",
      { details: { room, frame } },
    );
  }
  // Framed as in the prompt: the space and the blank line join with the text in tokens.
  const fits = async (piece: string) => (await lengthOf(` ${piece}\n\n`, model, signal)) <= left;
  for await (const [start, end] of ranges(text, left, fits)) {
    yield conversation(strip(text.slice(start, end)));
  }
}

/**
 * Where the pieces of a text begin and end. They are cut between words if possible, and each begins
 * before the end of the one before it, but not with white space.
 */
export async function* ranges(
  text: string,
  room: number,
  fits: (piece: string) => Promise<boolean>,
): AsyncGenerator<[start: number, end: number], undefined> {
  let start = afterWhiteSpace(text, 0);
  while (start < text.length) {
    const end = await pieceEnd(text, start, room, fits);
    yield [start, end];
    if (end === text.length) break;
    const back = end - Math.floor((end - start) * OVERLAP);
    start = afterWhiteSpace(text, Math.max(border(text, back, end), start + 1));
  }
}

/** The end of a piece: the end of a word in the last quarter of what fits, if there is one. */
async function pieceEnd(
  text: string,
  start: number,
  room: number,
  fits: (piece: string) => Promise<boolean>,
): Promise<number> {
  // Only runs of spaces have more characters in a token: a piece of them may be shorter than it could be.
  let [good, bad] = [start, Math.min(start + room * MOST_CHARACTERS, text.length) + 1];
  while (bad - good > 1) {
    const guess = start + room * USUAL_CHARACTERS;
    const first = good === start && guess < bad;
    const middle = first ? guess : Math.floor((good + bad) / 2);
    if (await fits(text.slice(start, middle))) good = middle;
    else bad = middle;
  }
  if (good >= text.length) return text.length;
  const end = Math.max(whole(text, good), start + 1);
  for (let at = end; at > end - (end - start) / 4; at--) {
    if (/\s/.test(text[at] as string)) return at;
  }
  return end;
}

/** The first border between words from here on, up to `end`. */
function border(text: string, from: number, end: number): number {
  for (let at = from; at < end; at++) if (/\s/.test(text[at] as string)) return at;
  return whole(text, from);
}

/** Moves a border out of a surrogate pair. */
function whole(text: string, at: number): number {
  return /[\uDC00-\uDFFF]/.test(text[at] ?? "") && /[\uD800-\uDBFF]/.test(text[at - 1] ?? "")
    ? at - 1
    : at;
}
