/**
 * The shapes of OpenAI's API for tools. What is accepted is wider than what is returned; see
 * `chat/messages.ts` for the messages around them.
 */

/** A function that a model may call, as it is told of it. */
export interface ToolDefinition {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** A JSON Schema of the arguments object. */
    readonly parameters?: object;
    /** Accepted for OpenAI's sake; `constrainTools` decides. */
    readonly strict?: boolean | null;
  };
}

/** A call as it goes into a history. */
export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: {
    readonly name: string;
    /** JSON text. */
    readonly arguments: string;
  };
}

/** Whether a model may, must or must not call, or which function. */
export type ToolChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly type: "function"; readonly function: { readonly name: string } };

/** A call that was found in a model's output. */
export interface ParsedToolCall extends ToolCall {
  readonly format: "json" | "builtin" | "function-tag" | "pythonic" | "code" | "template";
  /** Whether a tool of this name was given; true where none were. */
  readonly known: boolean;
  /** What is wrong with it, for people; the call is not to be carried out. */
  readonly problem?: string;
}

export interface ParsedToolCalls {
  /** The output without its calls. */
  readonly content: string;
  readonly toolCalls: readonly ParsedToolCall[];
}
