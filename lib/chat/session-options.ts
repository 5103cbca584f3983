import { types } from "node:util";
import {
  flatOptions,
  nativeGenerateOptions,
  overridden,
  stopStrings,
} from "../generation/generate-options.js";
import type { GenerateOptions } from "../generation/generation.js";
import {
  boolean,
  callback,
  guarded,
  integer,
  isArray,
  isPlainObject,
  list,
  MAX_INT32,
  oneOf,
  readOptions,
  string,
} from "../internal/checks.js";
import { invalid } from "../internal/errors.js";
import { jsonText } from "../internal/json-text.js";
import { optionNames } from "../internal/option-names.js";
import {
  type ChatMessageInput,
  listOfMessages,
  messageSteps,
  readMessages,
} from "../messages/messages.js";
import type { ToolChoice, ToolDefinitionInput } from "../messages/tool-types.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { recommendedSampler, Sampler } from "../sampling/sampler.js";
import { checkOptions, SAMPLER_OPTIONS } from "../sampling/sampler-options.js";
import { responseSchemaOf } from "../tools/answer-grammar.js";
import { copyOfSchema, type Tool } from "../tools/define-tool.js";
import type { Summarize } from "./conversation-summary.js";
import type { BuiltinTool } from "./formats/llama-3.js";
import type { ReasoningOptions } from "./formats/reasoning-effort.js";
import { type ChatGuard, type Moderator, readGuard } from "./moderated/moderation.js";
import { type ChatRenderer, chatRenderer, type RenderChatOptions } from "./render-chat.js";
import type { GivenHistory } from "./session-history.js";
import { knownTool, toolSetOf } from "./tool-sets.js";

/**
 * What one turn of a session may have of its own. Its options go before the session's, one by one: its
 * `temperature` changes that setting of the session's `sampler` or sampling options and leaves the others;
 * its `sampler` replaces them all.
 */
export interface ChatTurnOptions
  extends Omit<GenerateOptions, "special" | "logprobs" | "reasoningBudget">,
    Omit<RenderChatOptions, "tools" | "model" | "addGenerationPrompt"> {
  /** What the model may call, with or without an implementation. Default none. */
  readonly tools?: readonly (Tool | ToolDefinitionInput)[];
  /**
   * Whether the model may, must or must not call, or which function. What must be called is called
   * once, at the beginning of the turn: behind the results the model is free again. Default "auto".
   */
  readonly toolChoice?: ToolChoice;
  /** How many times in one turn calls are carried out and answered, 0…1,000. Default 8. */
  readonly maxToolRounds?: number;
  /** Whether a call, once begun, follows its tool's schema. Default true. */
  readonly constrainTools?: boolean;
  /**
   * Whether one answer may have several calls. With false an answer ends with its first whole call: by the
   * grammar where one holds it, else what the model writes behind it is not read any more. Default true.
   */
  readonly parallelToolCalls?: boolean;
  /**
   * A JSON Schema that the answer follows, with the properties that it names. What no grammar can hold is
   * refused (ERR_SCHEMA_UNSUPPORTED, with the path). Beside tools the answer is this or a call; what spells a call
   * inside of it stays data. Default: none.
   */
  readonly responseSchema?: object;
  /** Whether and how much the model thinks before it answers. Default: as its template has it. */
  readonly reasoning?: ReasoningOptions;
  /**
   * Who judges the conversation: one `LlamaGuard` for the input and the answers, or one for each. What
   * is judged unsafe ends the turn with stopReason "moderated"; what has not been judged is never
   * shown, carried out or kept, and a guard that fails fails the turn. Default nobody, and `{}` is
   * nobody for one turn.
   */
  readonly guard?: Moderator | ChatGuard;
  /**
   * Writes a summary of the messages that no longer fit, which the model is told in their place, in the
   * system message. Each message is given once. What it throws, and a text that is longer than it may be, fail
   * the turn; it must not wait for a turn of its own session. Default: they are left out.
   */
  readonly summarize?: Summarize;
}

/** What a session takes; all but `system` and `messages` holds for each of its turns. */
export interface ChatSessionOptions extends ChatTurnOptions {
  /** The system message. Default: none. */
  readonly system?: string;
  /**
   * A conversation to go on with. Of one of more than 1,000 messages the list is copied at once, and
   * what is in it is read with the first turn, which fails where it cannot be read; do not change the
   * messages until then. Default: none.
   */
  readonly messages?: readonly ChatMessageInput[];
}

const PLAIN = [
  ...(["maxTokens", "signal", "cachePrompt", "maxPause", "onProgress", "adapters"] as const),
];
const GENERATE = [...PLAIN, "sampler", "stop", ...SAMPLER_OPTIONS] as const;
const RENDER = optionNames(
  ["ChatSession", "session.send"],
  [
    ...(["format", "builtinTools", "toolsInUserMessage", "toolFallback", "date"] as const),
    ...(["templateVariables", "chatTemplate"] as const),
  ],
);
const CHAT = optionNames(
  ["ChatSession", "session.send"],
  [
    ...(["tools", "toolChoice", "maxToolRounds", "constrainTools", "parallelToolCalls"] as const),
    ...(["responseSchema", "reasoning", "guard", "summarize"] as const),
  ],
);
const REASONING = optionNames("options.reasoning", ["effort", "budget", "show"]);
const EFFORTS = ["none", "low", "medium", "high"] as const;
const TURN: readonly (keyof ChatTurnOptions)[] = [...GENERATE, ...RENDER, ...CHAT];
const SESSION: readonly (keyof ChatSessionOptions)[] = [
  ...TURN,
  ...optionNames("ChatSession", ["system", "messages"]),
];
const CHOICES = ["auto", "none", "required"] as const;

const MAX_ROUNDS = 1000;
/** Longer conversations are read with the first turn, a few messages at a time. */
const READ_AT_ONCE = 1000;

/** The part of a turn's options that `Context.generate` takes, its sampling options made a sampler. */
type AnswerOptions = Pick<GenerateOptions, "sampler" | (typeof PLAIN)[number]> & {
  readonly stop?: readonly string[];
};

/** The options of one turn, checked. */
export interface CheckedTurnOptions {
  readonly generate: AnswerOptions;
  readonly renderer: ChatRenderer;
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  readonly maxToolRounds: number;
  readonly constrainTools: boolean;
  readonly parallelToolCalls: boolean;
  readonly responseSchema: object | undefined;
  readonly reasoning: ReasoningOptions;
  readonly guard: ChatGuard;
  readonly summarize: Summarize | undefined;
}

/** The options for the turns have their tools made and their guard read, so that all turns share them. */
export function readSessionOptions(options: ChatSessionOptions | undefined): {
  readonly messages: GivenHistory;
  readonly turn: ChatTurnOptions;
} {
  const { system, messages, tools, guard, ...turn } = readOptions(options, "options", SESSION);
  return {
    messages: {
      system:
        system === undefined
          ? []
          : [{ role: "system", content: string(system, "options.system") } as const],
      rest: messages === undefined ? [] : readGiven(messages, "options.messages"),
    },
    turn: {
      ...guarded(turn, "options", () => ownCopies(turn)),
      tools: readTools(tools),
      guard: readGuard(guard, "options.guard"),
    },
  };
}

/** Copies, since turns read their options later, when the caller may have changed a list or a date. */
function ownCopies(turn: ChatTurnOptions): ChatTurnOptions {
  const { stop, builtinTools, templateVariables, responseSchema, date = new Date() } = turn;
  return {
    ...turn,
    ...checkOptions(flatOptions(turn)),
    // One date for all turns: another one tomorrow would change the prompt from its beginning.
    date: types.isDate(date) ? new Date(date) : date,
    ...(Array.isArray(stop) && { stop: stopStrings(stop, "options.stop") }),
    ...(Array.isArray(builtinTools) && { builtinTools: namesOf(builtinTools) }),
    ...(isPlainObject(templateVariables) && { templateVariables: { ...templateVariables } }),
    ...(isPlainObject(turn.reasoning) && { reasoning: { ...turn.reasoning } }),
    ...(isPlainObject(responseSchema) && {
      responseSchema: copyOfSchema(responseSchema, "options.responseSchema"),
    }),
  };
}

function namesOf(builtinTools: readonly BuiltinTool[]): BuiltinTool[] {
  const copy = list(builtinTools, "options.builtinTools", "an array of built-in tools", string);
  return copy as BuiltinTool[]; // judged with each turn
}

function readGiven(given: readonly ChatMessageInput[], name: string): GivenHistory["rest"] {
  return guarded(given, name, () => {
    if (isArray(given) && given.length === 0) return [];
    const long = isArray(given) && given.length > READ_AT_ONCE;
    return long
      ? messageSteps(listOfMessages(given, name), name, "files")
      : readMessages(given, name, "files");
  });
}

function readTools(tools: ChatTurnOptions["tools"]): Tool[] {
  return list(tools ?? [], "options.tools", "an array of tools", knownTool);
}

/** A turn's own options override the session's. */
export function readTurnOptions(
  session: ChatTurnOptions,
  own: ChatTurnOptions | undefined,
  model: LoadedModel,
): CheckedTurnOptions {
  const o = overridden(session, readOptions(own, "options", TURN));
  const { maxToolRounds = 8, constrainTools = true, parallelToolCalls = true, summarize } = o;
  const { tools, definitions } = toolSetOf(readTools(o.tools));
  const toolChoice = readChoice(o.toolChoice ?? "auto", tools);
  const responseSchema =
    o.responseSchema === undefined
      ? undefined
      : readResponseSchema(o.responseSchema, "options.responseSchema");
  const generate = readAnswerOptions(o, model);
  const reasoning = readReasoning(o.reasoning);
  const rendering = { ...pick(o, RENDER), model };
  const { effort } = reasoning;
  const renderer = chatRenderer(rendering, definitions, effort);
  const checked = {
    generate,
    renderer:
      toolChoice === "none"
        ? chatRenderer({ ...rendering, builtinTools: [] }, undefined, effort)
        : renderer,
    tools,
    toolChoice,
    maxToolRounds: integer(maxToolRounds, "options.maxToolRounds", 0, MAX_ROUNDS),
    constrainTools: boolean(constrainTools, "options.constrainTools"),
    parallelToolCalls: boolean(parallelToolCalls, "options.parallelToolCalls"),
    responseSchema,
    reasoning,
    guard: readGuard(o.guard, "options.guard"),
    summarize: summarize && callback(summarize, "options.summarize"),
  };
  checkGrammars(checked, o.grammar === undefined ? "options.sampler" : "options.grammar");
  return checked;
}

function readAnswerOptions(o: ChatTurnOptions, model: LoadedModel): AnswerOptions {
  const samples = o.sampler !== undefined || flatOptions(o) !== undefined;
  const { sampler } = nativeGenerateOptions(pick(o, GENERATE), model, (given) =>
    given === undefined ? Sampler.greedy() : recommendedSampler(model.metadata, given),
  );
  return {
    ...pick(o, PLAIN),
    ...(samples && { sampler }),
    ...(o.stop !== undefined && { stop: stopStrings(o.stop, "options.stop") }),
  };
}

/** Schemas by the given object and its JSON: mostly every turn gives the same object. */
const schemas = new WeakMap<object, { readonly json: string; readonly schema: object }>();

function readResponseSchema(given: object, name: string): object {
  const json = isPlainObject(given) ? jsonText(given, name) : undefined;
  const known = json === undefined ? undefined : schemas.get(given);
  if (known !== undefined && known.json === json) return known.schema;
  const schema = responseSchemaOf(given, name);
  if (json !== undefined) schemas.set(given, { json, schema });
  return schema;
}

function readReasoning(given: ReasoningOptions | undefined): ReasoningOptions {
  const o = readOptions(given, "options.reasoning", REASONING);
  if (o.effort !== undefined) oneOf(o.effort, "options.reasoning.effort", EFFORTS);
  if (o.budget !== undefined) integer(o.budget, "options.reasoning.budget", 0, MAX_INT32);
  if (o.show !== undefined) boolean(o.show, "options.reasoning.show");
  return { ...o };
}

/** A generation can have only one grammar. `name` is the option that has the caller's. */
function checkGrammars(options: CheckedTurnOptions, name: string): void {
  const { generate, tools, toolChoice: choice, constrainTools, responseSchema } = options;
  if (!generate.sampler?.steps.some(({ type }) => type === "grammar")) return;
  const calls = tools.length > 0 && choice !== "none" && (constrainTools || choice !== "auto");
  if (!calls && responseSchema === undefined) return;
  throw invalid(
    (name === "options.sampler"
      ? `\`${name}\` has a grammar of its own, and `
      : `\`${name}\` is one, and `) +
      (calls ? "the calls of the `tools` need" : "the `responseSchema` needs") +
      " one: leave one out" +
      (calls ? ", or set `constrainTools` to false" : ""),
    { name },
  );
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked = keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]);
  return Object.fromEntries(picked) as Pick<T, K>;
}

export function needsTools(name: string): Error {
  return invalid(`\`${name}\` needs \`tools\``, { name, needs: "tools" });
}

function readChoice(choice: unknown, tools: readonly Tool[]): ToolChoice {
  const name = "options.toolChoice";
  const forced = choice === "required" || isPlainObject(choice);
  if (forced && tools.length === 0) throw needsTools(name);
  if (!isPlainObject(choice)) {
    return oneOf(choice, `${name} (or { type: "function", function: { name } })`, CHOICES);
  }
  const chosen = choice as Exclude<ToolChoice, string>;
  const { type, function: called } = readOptions(chosen, name, ["type", "function"]);
  oneOf(type, `${name}.type`, ["function"]);
  const { name: wanted } = readOptions(called, `${name}.function`, ["name"]);
  const known = tools.map((tool) => tool.definition.function.name);
  return { type: "function", function: { name: oneOf(wanted, `${name}.function.name`, known) } };
}
