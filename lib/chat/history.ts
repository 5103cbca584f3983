import type { ChatMessage, RenderableMessage } from "./messages.js";

/** What the turns of a session share. */
export class SessionHistory {
  messages: readonly RenderableMessage[];
  /** Oldest turns that the prompt leaves out. */
  dropped = 0;

  constructor(messages: readonly RenderableMessage[]) {
    this.messages = messages;
  }
}

/** As the caller sees it. */
export function shown(message: RenderableMessage): ChatMessage {
  if (message.role !== "assistant") return message;
  const { role, content, tool_calls } = message;
  return tool_calls.length === 0 ? { role, content } : { role, content, tool_calls };
}
