import type {
  BindToolsInput,
  ToolChoice as GivenChoice,
} from "@langchain/core/language_models/chat_models";
import { convertToOpenAITool, isLangChainTool } from "@langchain/core/utils/function_calling";
import { isPlainObject } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import type { ToolChoice, ToolDefinitionInput } from "../messages/tool-types.js";

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function toolsOf(tools: readonly BindToolsInput[]): ToolDefinitionInput[] {
  return tools.map((tool, index) => {
    if (isLangChainTool(tool)) return convertToOpenAITool(tool) as ToolDefinitionInput;
    if (isPlainObject(tool) && tool.type === "function") return tool as ToolDefinitionInput;
    throw expected(
      'a tool of LangChain\'s, or { type: "function", function: { name, … } },',
      `tools[${index}]`,
      tool,
    );
  });
}

/** LangChain says "any" where OpenAI says "required", and names a tool by its name alone. */
export function choiceOf(choice: GivenChoice): ToolChoice {
  if (typeof choice !== "string") return choice as ToolChoice;
  if (choice === "any" || choice === "required") return "required";
  if (choice === "auto" || choice === "none") return choice;
  return { type: "function", function: { name: choice } };
}
