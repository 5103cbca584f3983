import { expected, invalid } from "../errors.js";
import type { GenerateOptions } from "../generation.js";
import { boolean, integer, isPlainObject, list, oneOf, readOptions } from "../options.js";
import { type Tool, toolOf } from "../tools/define.js";
import type { ToolChoice, ToolDefinition } from "../tools/types.js";
import type { ChatMessageInput } from "./messages.js";
import type { RenderChatOptions } from "./render.js";

/** What one turn of a session may have of its own. */
export interface ChatTurnOptions
  extends Omit<GenerateOptions, "special" | "logprobs">,
    Omit<RenderChatOptions, "tools" | "model" | "addGenerationPrompt"> {
  /** What the model may call, with or without an implementation. Default none. */
  readonly tools?: readonly (Tool | ToolDefinition)[];
  /** Whether the model may, must or must not call, or which function. Default "auto". */
  readonly toolChoice?: ToolChoice;
  /** How many times in one turn calls are carried out and answered, 0…1,000. Default 8. */
  readonly maxToolRounds?: number;
  /** Whether a call, once begun, follows its tool's schema. Default true. */
  readonly constrainTools?: boolean;
  /** A JSON Schema that the answer follows. */
  readonly responseSchema?: object;
}

/** What a session takes. */
export interface ChatSessionOptions extends ChatTurnOptions {
  /** The system message. */
  readonly system?: string;
  /** A conversation to go on with. */
  readonly messages?: readonly ChatMessageInput[];
}

const GENERATE = ["sampler", "maxTokens", "stop", "signal", "cachePrompt", "onProgress"] as const;
const RENDER = [
  "format",
  "builtinTools",
  "toolsInUserMessage",
  "date",
  "templateVariables",
] as const;
const CHAT = ["tools", "toolChoice", "maxToolRounds", "constrainTools", "responseSchema"] as const;
const TURN: readonly (keyof ChatTurnOptions)[] = [...GENERATE, ...RENDER, ...CHAT];
const SESSION: readonly (keyof ChatSessionOptions)[] = [...TURN, "system", "messages"];
const CHOICES = ["auto", "none", "required"] as const;

const MAX_ROUNDS = 1000;

/** The options of one turn, checked. Those that others check are passed on as they are. */
export interface CheckedTurnOptions {
  readonly generate: Omit<GenerateOptions, "special" | "logprobs">;
  readonly render: Omit<RenderChatOptions, "tools" | "model" | "addGenerationPrompt">;
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  readonly maxToolRounds: number;
  readonly constrainTools: boolean;
  readonly responseSchema: object | undefined;
}

export function readSessionOptions(options: ChatSessionOptions | undefined) {
  const { system, messages, ...turn } = readOptions(options, "options", SESSION);
  return { system, messages, turn };
}

/** A turn's own options go before the session's. */
export function readTurnOptions(
  session: ChatTurnOptions,
  own: ChatTurnOptions | undefined,
): CheckedTurnOptions {
  const o = { ...session, ...readOptions(own, "options", TURN) };
  const { maxToolRounds = 8, constrainTools = true, toolChoice = "auto", responseSchema } = o;
  const tools = list(o.tools ?? [], "options.tools", "an array of tools", toolOf);
  if (responseSchema !== undefined && !isPlainObject(responseSchema)) {
    throw expected("a JSON Schema, a plain object,", "options.responseSchema", responseSchema);
  }
  return {
    generate: pick(o, GENERATE),
    render: pick(o, RENDER),
    tools,
    toolChoice: readChoice(toolChoice, tools),
    maxToolRounds: integer(maxToolRounds, "options.maxToolRounds", 0, MAX_ROUNDS),
    constrainTools: boolean(constrainTools, "options.constrainTools"),
    responseSchema,
  };
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked = keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]);
  return Object.fromEntries(picked) as Pick<T, K>;
}

function readChoice(choice: unknown, tools: readonly Tool[]): ToolChoice {
  const name = "options.toolChoice";
  if (!isPlainObject(choice)) {
    const word = oneOf(choice, `${name} (or { type: "function", function: { name } })`, CHOICES);
    if (word === "required" && tools.length === 0) throw invalid(`\`${name}\` needs \`tools\``);
    return word;
  }
  const chosen = choice as Exclude<ToolChoice, string>;
  const { type, function: called } = readOptions(chosen, name, ["type", "function"]);
  oneOf(type, `${name}.type`, ["function"]);
  const { name: wanted } = readOptions(called, `${name}.function`, ["name"]);
  const known = tools.map((tool) => tool.definition.function.name);
  return { type: "function", function: { name: oneOf(wanted, `${name}.function.name`, known) } };
}
