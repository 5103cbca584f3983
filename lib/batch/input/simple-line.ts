import { stopStrings } from "../../generation/generate-options.js";
import { integer, list, MAX_INT32, string } from "../../internal/checks.js";
import { invalid } from "../../internal/errors.js";
import type { ToolChoice, ToolDefinitionInput } from "../../messages/tool-types.js";
import { Grammar } from "../../sampling/grammar.js";
import type { SamplerOptions } from "../../sampling/sampler.js";
import { SAMPLER_OPTIONS } from "../../sampling/sampler-options.js";
import { messageList } from "./messages-shape.js";
import { anything, type KnownFields, object, RequestFields } from "./request-fields.js";
import type { ChatPlan, CompletionPlan, GenerationPlan } from "./request-plans.js";

const GENERATION = ["maxTokens", "stop", "logprobs", "schema"];
const CHAT_ONLY = ["tools", "toolChoice"];
const SIMPLE: KnownFields = {
  read: ["id", "prompt", "messages", ...GENERATION, ...CHAT_ONLY, ...SAMPLER_OPTIONS],
  ignored: [],
  refused: {},
};

/** The most that `logprobs` may ask for. */
const MAX_LOGPROBS = 20;

/** The field that became this option. All but one have the same name. */
export function simpleFieldOf(option: string): string {
  return option === "responseSchema" ? "schema" : option;
}

/** A line in cria's own format: a prompt or messages, with the options of a generation. */
export function readSimple(line: Record<string, unknown>): ChatPlan | CompletionPlan {
  const fields = new RequestFields(line, "", SIMPLE);
  if (fields.has("prompt") === fields.has("messages")) {
    throw invalid(
      "Expected a request of OpenAI's batches (`custom_id`, `method`, `url`, `body`), or one of " +
        "`prompt` and `messages`",
    );
  }
  const tools = fields.get("tools", (value, name) =>
    list(value, name, "an array of tools", anything),
  );
  const common: GenerationPlan = {
    model: undefined,
    sampling: samplingOf(fields),
    maxTokens: fields.get("maxTokens", (value, name) => integer(value, name, 0, MAX_INT32)),
    stop: fields.get("stop", stopStrings),
    logprobs: fields.get("logprobs", (value, name) => integer(value, name, 0, MAX_LOGPROBS)),
    choices: 1,
    schema: fields.get("schema", object),
  };
  const chat = {
    tools: tools as readonly ToolDefinitionInput[] | undefined,
    toolChoice: fields.get("toolChoice", anything) as ToolChoice | undefined,
  };
  if (fields.has("messages")) {
    const messages = fields.needed("messages", "an array of messages", messageList);
    return { kind: "chat", ...common, ...chat, messages };
  }
  const prompt = fields.get("prompt", string) as string;
  if (chat.tools === undefined && chat.toolChoice === undefined) {
    return { kind: "completion", ...common, prompts: [prompt] };
  }
  return { kind: "chat", ...common, ...chat, messages: [{ role: "user", content: prompt }] };
}

/** The sampler's options, which it checks itself. A grammar is given as its text. */
function samplingOf(fields: RequestFields): SamplerOptions {
  const options: Record<string, unknown> = {};
  for (const key of SAMPLER_OPTIONS) {
    const value = fields.get(key, anything);
    if (value !== undefined) options[key] = value;
  }
  const grammar = fields.get("grammar", string);
  return (
    grammar === undefined ? options : { ...options, grammar: Grammar.gbnf(grammar) }
  ) as SamplerOptions;
}
