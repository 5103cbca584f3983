import type { GuardVerdict } from "../../guard/guard-types.js";
import { untilAborted } from "../../internal/abort.js";
import { guarded, readOptions } from "../../internal/checks.js";
import { CriaError, expected, show } from "../../internal/errors.js";
import type { ChatMessage } from "../../messages/messages.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import type { RunningTurn } from "../chat-turn.js";
import { placesOfNew, shown } from "../session-history.js";
import { isBlank } from "./sentences.js";

/** Judges the last message of a conversation. A `LlamaGuard` is one, and so is what acts like it. */
export interface Moderator {
  /** As `LlamaGuard.moderate`. What it rejects with fails the turn. */
  moderate(
    conversation: readonly ChatMessage[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<GuardVerdict>;
}

/** Who judges what in a chat; what has nobody is not judged. */
export interface ChatGuard {
  /** The messages of the input, before the model sees them; system messages are the caller's own. */
  readonly input?: Moderator;
  /** The answers, before anybody sees them, and their calls, before they are carried out. */
  readonly output?: Moderator;
  /** What comes back from tools, before the model sees it: of the session's tools and in the input. */
  readonly toolResults?: Moderator;
}

type Direction = "input" | "output";

/** Judges a message of the model's. Undefined: the judgement was stopped. */
export type Judge = (
  answer: RenderableMessage,
  signal: AbortSignal,
) => Promise<GuardVerdict | undefined>;

/** A moderator given alone judges input and output. The objects are not copied. */
export function readGuard(value: unknown, name: string): ChatGuard {
  if (isModerator(value, name)) return { input: value, output: value };
  const given = readOptions<ChatGuard>(value as ChatGuard | undefined, name, [
    "input",
    "output",
    "toolResults",
  ]);
  // Also those that are `undefined`: elsewhere that is "not given", here a guard that went missing.
  for (const key of guarded(value, name, () => Object.keys(value ?? {}))) {
    const at = `${name}.${key}`;
    const moderator = given[key as keyof ChatGuard];
    if (!isModerator(moderator, at)) throw expected("a LlamaGuard", at, moderator);
  }
  return given;
}

function isModerator(value: unknown, name: string): value is Moderator {
  if (typeof value !== "object" || value === null) return false;
  return guarded(value, name, () => typeof (value as Partial<Moderator>).moderate === "function");
}

/** Asks a turn's guard. Whatever fails in it fails the turn: nothing passes unjudged. */
export class Moderation {
  readonly #guard: ChatGuard;

  constructor(guard: ChatGuard) {
    this.#guard = guard;
  }

  /**
   * Judges every message that was not there before, each in the conversation up to it, so that a caller
   * cannot hide one behind another. Returns the verdict that blocks the turn.
   */
  async input(
    conversation: readonly RenderableMessage[],
    before: readonly RenderableMessage[],
    turn: RunningTurn,
  ): Promise<GuardVerdict | undefined> {
    const { input, toolResults } = this.#guard;
    if ((input ?? toolResults) === undefined) return undefined;
    for (const index of placesOfNew(conversation, before)) {
      const message = conversation[index] as RenderableMessage;
      if (message.role === "system") continue;
      const moderator = message.role === "tool" ? toolResults : input;
      const verdict = await judgeMessage(moderator, conversation.slice(0, index + 1), turn);
      if (verdict?.safe === false) return verdict;
      if (turn.stop.aborted) return undefined;
    }
    return undefined;
  }

  /** Undefined if answers are not judged, and shown as they come. */
  output(conversation: readonly RenderableMessage[]): Judge | undefined {
    const moderator = this.#guard.output;
    if (moderator === undefined) return undefined;
    return (answer, signal) => judge(moderator, [...conversation, answer], signal);
  }

  /** Returns the verdict that blocks the result. */
  async toolResult(
    conversation: readonly RenderableMessage[],
    turn: RunningTurn,
  ): Promise<GuardVerdict | undefined> {
    const verdict = await judgeMessage(this.#guard.toolResults, conversation, turn);
    return verdict?.safe === false ? verdict : undefined;
  }
}

async function judgeMessage(
  moderator: Moderator | undefined,
  conversation: readonly RenderableMessage[],
  turn: RunningTurn,
): Promise<GuardVerdict | undefined> {
  const judged = conversation.at(-1);
  if (moderator === undefined || judged === undefined || !speaks(judged)) return undefined;
  const verdict = await judge(moderator, conversation, turn.stop);
  if (verdict !== undefined) tell(turn, "input", verdict);
  return verdict;
}

/** Every verdict is told, also a safe one, before what it lets pass. */
export function tell(turn: RunningTurn, direction: Direction, verdict: GuardVerdict): void {
  turn.tell({ type: "moderation", direction, verdict });
}

/** Does not wait for a moderator that ignores the signal. */
async function judge(
  moderator: Moderator,
  conversation: readonly RenderableMessage[],
  signal: AbortSignal,
): Promise<GuardVerdict | undefined> {
  try {
    const messages = conversation.filter(speaks).map(shown);
    const verdict = await untilAborted(
      Promise.resolve(moderator.moderate(messages, { signal })),
      signal,
    );
    if (signal.aborted) return undefined;
    if (typeof verdict?.safe === "boolean") return verdict;
    throw new CriaError(
      "ERR_GUARD_UNREADABLE",
      `Expected a verdict from \`moderate\` of the guard, got ${show(verdict)}`,
    );
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** Whether there is something to judge: guards refuse white space alone. */
export function speaks(message: RenderableMessage): boolean {
  return (
    !isBlank(message.content) || (message.role === "assistant" && message.tool_calls.length > 0)
  );
}
