import { atOnce, inTurns, type Steps } from "../internal/steps.js";
import { contentOf } from "../messages/media-parts.js";
import type { ChatMessage } from "../messages/messages.js";
import {
  pairingSteps,
  type RenderableMessage,
  type UnpairedMessage,
  unpaired,
} from "../messages/pairing.js";
import type { TokenCounts } from "./token-counts.js";

/** What a session is at one moment: its messages, and what the prompt leaves out of them. */
export type HistorySnapshot = Pick<
  SessionHistory,
  "messages" | "dropped" | "summary" | "summarized"
>;

/** What the turns of a session share. */
export class SessionHistory {
  /** How many of the oldest turns the prompt leaves out. */
  dropped = 0;
  /** What the prompt tells of the first `summarized` of them; "" where there is nothing to tell. */
  summary = "";
  summarized = 0;
  readonly counts: TokenCounts;
  #messages: readonly RenderableMessage[];
  /** A long conversation to go on with, which is read a piece at a time once it is needed. */
  #unread: Steps<RenderableMessage[]> | undefined;

  constructor({ system, rest }: GivenHistory, counts: TokenCounts) {
    this.#messages = system;
    this.counts = counts;
    if (Array.isArray(rest)) this.#messages = [...system, ...(rest as RenderableMessage[])];
    else this.#unread = rest as Steps<RenderableMessage[]>;
  }

  /** @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED: what was given cannot be read */
  get messages(): readonly RenderableMessage[] {
    if (this.#unread !== undefined) this.#take(atOnce(this.#unread));
    return this.#messages;
  }

  set messages(messages: readonly RenderableMessage[]) {
    this.#messages = messages;
  }

  /** @throws as `messages`; the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#unread === undefined) return;
    const read = await inTurns(this.#unread, signal);
    if (this.#unread !== undefined) this.#take(read);
  }

  /** One that can be fitted without changing this one. */
  copy(): SessionHistory {
    const copy = new SessionHistory({ system: [], rest: [] }, this.counts);
    copy.replace(this);
    return copy;
  }

  /** What it holds now, for `replace` to put back. */
  snapshot(): HistorySnapshot {
    const { messages, dropped, summary, summarized } = this;
    return { messages, dropped, summary, summarized };
  }

  /** Another conversation in place of this one. */
  replace({ messages, dropped, summary, summarized }: HistorySnapshot): void {
    this.#unread = undefined;
    Object.assign(this, { messages, dropped, summary, summarized });
  }

  #take(read: readonly RenderableMessage[]): void {
    this.#unread = undefined;
    this.#messages = [...this.#messages, ...read];
  }

  /**
   * The messages with the input after them. Results are matched with their calls and put in their order,
   * whether or not some were answered before. Messages that were there stay the same objects.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  continued(input: readonly UnpairedMessage[]): RenderableMessage[] {
    const before = this.messages;
    const answered = before.findLastIndex(({ role }) => role !== "tool") + 1;
    const results = before.slice(answered);
    // Calls are answered directly after their message: what comes before that is settled.
    const settled = before.slice(0, Math.max(answered - 1, 0));
    const open = before.slice(settled.length);
    const paired = atOnce(
      pairingSteps([...open.map(unpaired), ...input], "input", {
        known: open.length,
        firstCall: nextCall(settled),
      }),
    );
    let here = true;
    const rest = paired.map((message, index) => {
      if (settled.length + index < answered) return before[answered - 1] as RenderableMessage;
      here &&= message.role === "tool";
      return (here && results.find((result) => idOf(result) === idOf(message))) || message;
    });
    return [...settled, ...rest];
  }
}

/** The places of the messages that were not there before. A result may stand before older ones. */
export function placesOfNew(
  messages: readonly RenderableMessage[],
  before: readonly RenderableMessage[],
): number[] {
  let same = 0;
  while (same < before.length && messages[same] === before[same]) same += 1;
  const old = new Set(before.slice(same));
  const places: number[] = [];
  for (let index = same; index < messages.length; index++) {
    if (!old.has(messages[index] as RenderableMessage)) places.push(index);
  }
  return places;
}

/** A session's first messages. A long list is still to be read. */
export interface GivenHistory {
  readonly system: readonly RenderableMessage[];
  readonly rest: readonly RenderableMessage[] | Steps<RenderableMessage[]>;
}

/** Larger ones are taken for ids of somebody else's. */
const OWN_ID = /^call_(\d{1,9})$/;

/**
 * The number in the id of the next call: behind as many calls as there are, and behind all numbers that their ids
 * have. A history that was cut has fewer calls than its ids tell, and two of one id would answer each other.
 */
export function nextCall(messages: readonly RenderableMessage[]): number {
  let count = 0;
  let behind = 0;
  for (const message of messages) {
    if (message.role !== "assistant") continue;
    for (const { id } of message.tool_calls) {
      count += 1;
      const [, number] = OWN_ID.exec(id) ?? [];
      if (number !== undefined) behind = Math.max(behind, Number(number) + 1);
    }
  }
  return Math.max(count, behind);
}

function idOf(message: RenderableMessage): string | undefined {
  return message.role === "tool" ? message.tool_call_id : undefined;
}

/** A copy for the caller. */
export function shown(message: RenderableMessage): ChatMessage {
  if (message.role === "user") {
    const { role, content, media } = message;
    return { role, content: contentOf(content, media, (text) => ({ type: "text", text })) };
  }
  if (message.role !== "assistant") return { ...message };
  const { reply: _, tool_calls, ...said } = message;
  if (tool_calls.length === 0) return said;
  return {
    ...said,
    tool_calls: tool_calls.map((call) => ({ ...call, function: { ...call.function } })),
  };
}
