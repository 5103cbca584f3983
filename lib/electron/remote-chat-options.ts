import type { ChatSessionOptions, ChatTurnOptions } from "../chat/session-options.js";
import type { ToolDefinitionInput } from "../messages/tool-types.js";
import type { RemoteGrammar } from "./remote-generate-options.js";
import type { RemoteLlamaGuard } from "./remote-guard.js";
import type { RemoteTool } from "./remote-tools.js";

/** Who judges what in a chat: guards of the same connection. */
export interface RemoteChatGuard {
  /** The messages of the input, before the model sees them. */
  readonly input?: RemoteLlamaGuard;
  /** The answers, before anybody sees them. */
  readonly output?: RemoteLlamaGuard;
  /** What comes back from tools. */
  readonly toolResults?: RemoteLlamaGuard;
}

interface OverPort {
  /** What the model may call. `execute` runs here, on this side of the port. Default none. */
  readonly tools?: readonly (RemoteTool | ToolDefinitionInput)[];
  /** Constrained decoding: the output follows this grammar. Default: none. */
  readonly grammar?: RemoteGrammar;
  /** Who judges the conversation, at the server. Default nobody. */
  readonly guard?: RemoteLlamaGuard | RemoteChatGuard;
}

/** What stays on its side of a port. */
type NotRemote = "sampler" | "grammar" | "guard" | "tools" | "summarize" | "adapters";

/** As `ChatTurnOptions`, with grammar, guard and tools as they can cross a port. */
export interface RemoteChatTurnOptions extends Omit<ChatTurnOptions, NotRemote>, OverPort {}

/** As `ChatSessionOptions`, with grammar, guard and tools as they can cross a port. */
export interface RemoteChatSessionOptions extends Omit<ChatSessionOptions, NotRemote>, OverPort {}
