import { EFFORTS, nearestEffort, type ReasoningOptions } from "../chat/formats/reasoning-effort.js";
import type { ChatTurnOptions } from "../chat/session-options.js";
import { isPlainObject, list, oneOf } from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { ToolChoice, ToolDefinitionInput } from "../messages/tool-types.js";
import { openAISampling } from "../sampling/openai-sampling.js";
import { type CriaSettings, readSettings } from "./cria-settings.js";
import type {
  CallWarning,
  FunctionTool,
  LanguageCallOptions,
  ProviderTool,
} from "./specification.js";

/** A call's options as a session's turn takes them, and what of them is not honoured. */
export interface ReadCall {
  readonly options: ChatTurnOptions;
  readonly warnings: CallWarning[];
}

/** @throws {CriaError} ERR_INVALID_ARGUMENT for settings that cannot be read */
export function readCall(call: LanguageCallOptions, defaults: ChatTurnOptions): ReadCall {
  const warnings: CallWarning[] = [];
  const own = readSettings(
    call.providerOptions?.cria as CriaSettings | undefined,
    "providerOptions.cria",
  );
  const tools = toolsOf(call.tools ?? [], warnings);
  const standard = given({
    temperature: call.temperature,
    topP: call.topP,
    topK: call.topK,
    ...samplingOf(call, own.penalties ?? defaults.penalties),
    maxTokens: call.maxOutputTokens,
    stop: call.stopSequences?.filter((text) => text !== ""),
    signal: call.abortSignal,
    responseSchema: schemaOf(call.responseFormat),
  });
  for (const name of Object.keys(standard)) {
    if (name === "penalties" || own[name as keyof ChatTurnOptions] === undefined) continue;
    throw invalid(
      `\`${name}\` is given twice, also in \`providerOptions.cria\`: leave out one of the two`,
      { name: `providerOptions.cria.${name}` },
    );
  }
  const reasoning = reasoningOf(call.reasoning, own.reasoning ?? defaults.reasoning, warnings);
  return {
    options: {
      ...own,
      ...standard,
      ...given({ reasoning }),
      ...(tools.length > 0 && { tools, toolChoice: choiceOf(call.toolChoice) }),
      maxToolRounds: 0, // the SDK carries out all calls itself
    },
    warnings,
  };
}

function samplingOf(
  { frequencyPenalty, presencePenalty, seed }: LanguageCallOptions,
  penalties: ChatTurnOptions["penalties"],
) {
  if (seed !== undefined && !Number.isInteger(seed)) throw expected("an integer", "seed", seed);
  return openAISampling({ frequencyPenalty, presencePenalty, seed }, penalties);
}

function toolsOf(
  tools: readonly (FunctionTool | ProviderTool)[],
  warnings: CallWarning[],
): ToolDefinitionInput[] {
  return list(tools, "tools", "an array of tools", (value, name) => {
    const tool = value as FunctionTool | ProviderTool;
    if (tool?.type === "provider") {
      const details = "It runs at another provider's service; the model is not told of it.";
      warnings.push({ type: "unsupported", feature: `provider tool ${tool.id}`, details });
      return [];
    }
    if (tool?.type !== "function") throw expected("a tool", name, value);
    if ((tool.inputExamples ?? []).length > 0) {
      const details = "Chat formats have no place for examples: put them into the description.";
      warnings.push({ type: "unsupported", feature: `inputExamples of ${tool.name}`, details });
    }
    const { description, inputSchema: parameters } = tool;
    return [{ type: "function", function: { name: tool.name, description, parameters } } as const];
  }).flat();
}

function choiceOf(choice: LanguageCallOptions["toolChoice"]): ToolChoice {
  if (choice === undefined) return "auto";
  if (choice.type === "tool") return { type: "function", function: { name: choice.toolName } };
  return oneOf(choice.type, "toolChoice.type", ["auto", "none", "required"]);
}

function schemaOf(format: LanguageCallOptions["responseFormat"]): object | undefined {
  if (format === undefined || format.type === "text") return undefined;
  if (format.type !== "json")
    throw expected('"text" or "json"', "responseFormat.type", (format as { type: unknown }).type);
  const { schema } = format;
  if (schema === undefined) return { type: "object" };
  if (isPlainObject(schema)) return schema;
  throw expected("a JSON Schema object", "responseFormat.schema", schema);
}

/** The effort of specification 4; a budget stands as it was set. */
function reasoningOf(
  effort: string | undefined,
  own: ReasoningOptions | undefined,
  warnings: CallWarning[],
): ReasoningOptions | undefined {
  if (effort === undefined || effort === "provider-default") return own;
  const asked = oneOf(effort, "reasoning", EFFORTS);
  const nearest = nearestEffort(asked);
  if (nearest !== asked) {
    const details = `cria knows no effort "${asked}": it is taken for "${nearest}".`;
    warnings.push({ type: "compatibility", feature: "reasoning", details });
  }
  return { ...own, effort: nearest };
}
