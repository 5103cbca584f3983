import type { ToolCall } from "../tools/types.js";

/** A piece of a message; of OpenAI's kinds of parts only text can be honoured. */
export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

/** OpenAI's shapes of chat messages, as they are returned. What is accepted is wider. */
export type ChatMessage =
  | { readonly role: "system" | "developer"; readonly content: string | readonly TextPart[] }
  | { readonly role: "user"; readonly content: string | readonly TextPart[] }
  | {
      readonly role: "assistant";
      readonly content?: string | readonly TextPart[] | null;
      readonly tool_calls?: readonly ToolCall[];
    }
  | {
      readonly role: "tool";
      readonly content: string | readonly TextPart[];
      readonly tool_call_id?: string;
      readonly name?: string;
    };
