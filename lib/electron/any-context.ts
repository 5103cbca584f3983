import { ChatSession } from "../chat/chat-session.js";
import type { ChatTurn } from "../chat/chat-turn.js";
import type { ChatSessionOptions, ChatTurnOptions } from "../chat/session-options.js";
import type { Context } from "../context/context.js";
import { hasMembers } from "../internal/checks.js";
import type { ChatMessageInput } from "../messages/messages.js";
import { RemoteChatSession } from "./remote-chat-session.js";
import { RemoteContext } from "./remote-context.js";

/** A context of this process's, or one behind a port (`cria/electron`). */
export type AnyContext = Context | RemoteContext;

export function isContext(value: unknown): value is AnyContext {
  return hasMembers(value, { model: "object", contextSize: "number" });
}

/** What the model is to be called. */
export function nameOf({ model }: AnyContext): string {
  const name = model.metadata.get("general.name");
  return typeof name === "string" && name !== "" ? name : "model";
}

/** What adapters need of a session: its tools are always carried out by others. */
export interface AnySession {
  send(input: readonly ChatMessageInput[], options?: ChatTurnOptions): ChatTurn;
}

/** A session in either; the server of a remote context says which options cannot cross its port. */
export function sessionIn(context: AnyContext, options: ChatSessionOptions): AnySession {
  return context instanceof RemoteContext
    ? (new RemoteChatSession(context, options as object) as AnySession)
    : new ChatSession(context, options);
}

/** A conversation as a session takes it: what there was before, and what the model is to answer. */
export interface Conversation {
  readonly before: readonly ChatMessageInput[];
  readonly input: readonly ChatMessageInput[];
}

/** Cut behind the last answer: of one message at least there is to be an input. */
export function cutConversation(messages: readonly ChatMessageInput[]): Conversation {
  const answered = messages.findLastIndex(({ role }) => role === "assistant") + 1;
  const at = Math.max(0, Math.min(answered, messages.length - 1));
  return { before: messages.slice(0, at), input: messages.slice(at) };
}
