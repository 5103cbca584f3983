/**
 * The shapes of OpenAI's API for tools. What is accepted is wider than what is returned; see
 * `messages/messages.ts` for the messages around them.
 */

/** A function that a model may call, as it is told of it. */
export interface ToolDefinition {
  readonly type: "function";
  readonly function: {
    /** By which the model calls it. */
    readonly name: string;
    /** What it does and when to use it. */
    readonly description?: string;
    /** A JSON Schema of the arguments object. */
    readonly parameters?: object;
    /** Accepted for OpenAI's sake; `constrainTools` decides. */
    readonly strict?: boolean | null;
  };
}

/** OpenAI's tools without a schema, which are refused. */
interface CustomTool {
  readonly type: "custom";
}

/**
 * A tool as it is accepted; the `openai` package's `ChatCompletionTool` is of this type. Null is as good
 * as nothing.
 */
export type ToolDefinitionInput =
  | {
      readonly type: "function";
      readonly function: {
        /** By which the model calls it. */
        readonly name: string;
        /** What it does and when to use it. */
        readonly description?: string | null | undefined;
        /** A JSON Schema of the arguments object. */
        readonly parameters?: object | null | undefined;
        /** Accepted for OpenAI's sake; `constrainTools` decides. */
        readonly strict?: boolean | null | undefined;
      };
    }
  | CustomTool;

/** A call as it goes into a history. */
export interface ToolCall {
  /** By which its result names it. */
  readonly id: string;
  readonly type: "function";
  readonly function: {
    /** The tool's name. */
    readonly name: string;
    /** JSON text. */
    readonly arguments: string;
  };
}

/** The call alone, as it goes into a history. */
export function toolCallOf({ id, type, function: called }: ToolCall): ToolCall {
  return { id, type, function: called };
}

/** Whether a model may, must or must not call, or which function. */
export type ToolChoice =
  /** It may. */
  | "auto"
  /** It must not, and is told of no tools. */
  | "none"
  /** It must call one. */
  | "required"
  /** It must call this one. */
  | { readonly type: "function"; readonly function: { readonly name: string } };

/** A call that was found in a model's output. */
export interface ParsedToolCall extends ToolCall {
  /** How the model wrote it. */
  readonly format: "json" | "builtin" | "function-tag" | "pythonic" | "code" | "template";
  /** Whether a tool of this name was given; true where none were. */
  readonly known: boolean;
  /** What is wrong with it, for people and the model; the call is not to be carried out. */
  readonly problem?: string;
  /** What the model wrote, exactly; only beside `problem`, where `arguments` is "{}". */
  readonly source?: string;
}

/** What `parseToolCalls` found. */
export interface ParsedToolCalls {
  /** The output without its calls. */
  readonly content: string;
  /** The calls, in their order. */
  readonly toolCalls: readonly ParsedToolCall[];
}

/** What `parseToolCalls` and `ToolCallParser` take. */
export interface ParseToolCallsOptions {
  /**
   * What the model was told of. Names decide about bare Python calls, about calls whose arguments
   * cannot be read, and about `known`; schemas about positional arguments and `coerce`. Default: none.
   */
  readonly tools?: readonly ToolDefinitionInput[];
  /** Built-in tools that count as known beside `tools`; default none. */
  readonly builtinTools?: readonly string[];
  /**
   * Whether arguments that are strings become what the tool's schema wants where they spell it:
   * numbers, booleans, null, arrays and objects. Default false.
   */
  readonly coerce?: boolean;
  /**
   * Whether a call of any other tool than these is text: for answers that may be JSON with a `name` of their
   * own. Default false: it is a call that is not `known`.
   */
  readonly onlyGiven?: boolean;
  /** Names the call at a position, counted from 0; default "call_0", "call_1"… */
  readonly createId?: (index: number) => string;
}

/** A part of the output, in order. */
export type ToolParserEvent =
  /** Text that is part of no call. */
  | { readonly type: "text"; readonly text: string }
  /** A call. */
  | { readonly type: "tool-call"; readonly call: ParsedToolCall };

/** What `ToolCallParser.finish` takes. */
export interface FinishToolParserOptions {
  /**
   * Whether the output stopped before its end, at `maxTokens` for instance. Code, which nothing tells
   * the end of, is text then. Default false.
   */
  readonly cutOff?: boolean;
}
