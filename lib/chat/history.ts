import type { ChatMessage } from "../messages/messages.js";
import {
  pairResults,
  type RenderableMessage,
  type UnpairedMessage,
  unpaired,
} from "../messages/pairing.js";

/** What the turns of a session share. */
export class SessionHistory {
  messages: readonly RenderableMessage[];
  /** Oldest turns that the prompt leaves out. */
  dropped = 0;

  constructor(messages: readonly RenderableMessage[]) {
    this.messages = messages;
  }

  /**
   * The messages with the input behind them. Results find their calls, and stand in the order of these,
   * be some of them answered before. What was there stays the same objects, with their replies.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  continued(input: readonly UnpairedMessage[]): RenderableMessage[] {
    const before = this.messages;
    const paired = pairResults([...before.map(unpaired), ...input], "input", before.length);
    const answered = before.findLastIndex(({ role }) => role !== "tool") + 1;
    const results = before.slice(answered);
    let here = true;
    return paired.map((message, index) => {
      if (index < answered) return before[index] as RenderableMessage;
      here &&= message.role === "tool";
      return (here && results.find((result) => idOf(result) === idOf(message))) || message;
    });
  }
}

function idOf(message: RenderableMessage): string | undefined {
  return message.role === "tool" ? message.tool_call_id : undefined;
}

/** A copy as the caller sees it. */
export function shown(message: RenderableMessage): ChatMessage {
  if (message.role !== "assistant") return { ...message };
  const { role, content, tool_calls } = message;
  if (tool_calls.length === 0) return { role, content };
  return {
    role,
    content,
    tool_calls: tool_calls.map((call) => ({ ...call, function: { ...call.function } })),
  };
}
