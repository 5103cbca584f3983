import { nearestEffort, type ReasoningEffort } from "../../chat/formats/reasoning-effort.js";
import {
  boolean,
  integer,
  isPlainObject,
  list,
  MAX_INT32,
  number,
  oneOf,
  string,
} from "../../internal/checks.js";
import { expected, invalid } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import type { ToolChoice, ToolDefinitionInput } from "../../messages/tool-types.js";
import { openAISampling } from "../../sampling/openai-sampling.js";
import type { SamplerOptions } from "../../sampling/sampler.js";
import { unsupported } from "../batch-failures.js";
import { messageList } from "./messages-shape.js";
import {
  anything,
  bodyFields,
  type KnownFields,
  object,
  RequestFields,
  textOrTexts,
} from "./request-fields.js";
import type {
  ChatPlan,
  CompletionPlan,
  EmbeddingPlan,
  GenerationPlan,
  ModerationPlan,
} from "./request-plans.js";

/** What a body calls the options that its fields become. */
const NAMES: Readonly<Record<string, string>> = {
  messages: "messages",
  prompt: "prompt",
  inputs: "input",
  tools: "tools",
  toolChoice: "tool_choice",
  responseSchema: "response_format",
  maxTokens: "max_tokens",
  stop: "stop",
  logprobs: "logprobs",
  temperature: "temperature",
  topP: "top_p",
  logitBias: "logit_bias",
  seed: "seed",
  reasoning: "reasoning_effort",
};

/** The field that became this option. */
export const bodyFieldOf = bodyFields(NAMES);

const SAMPLING = ["temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias"];
const COMMON = ["model", "max_tokens", "stop", "seed", "n", "logprobs", ...SAMPLING];
/** RequestFields about the caller, the bill and OpenAI's machines. */
const ABOUT_THE_CALLER = [
  ...["user", "metadata", "store", "service_tier", "safety_identifier"],
  ...["prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "prediction"],
];

const STREAM = {
  stream: { unless: [false], why: "cannot be true in a batch: a line has one result" },
  stream_options: { unless: [], why: "goes with `stream`, which a batch has not" },
};

const CHAT: KnownFields = {
  read: [
    ...COMMON,
    ...["messages", "max_completion_tokens", "top_logprobs", "response_format"],
    ...["tools", "tool_choice", "parallel_tool_calls", "reasoning_effort"],
  ],
  ignored: ABOUT_THE_CALLER,
  refused: {
    ...STREAM,
    functions: { unless: [[]], why: "is the old form of `tools`: use those" },
    function_call: { unless: ["none"], why: "is the old form of `tool_choice`: use that" },
    modalities: { unless: [["text"]], why: 'can only be ["text"]: this is a text model' },
    audio: { unless: [], why: "cannot be honoured: this is a text model" },
    verbosity: {
      unless: ["medium"],
      why: "cannot be honoured: leave it out, or say it in a message",
    },
    web_search_options: { unless: [], why: "cannot be honoured: there is no search" },
    moderation: { unless: [], why: "cannot be honoured: moderate in lines of their own" },
  },
};

const COMPLETION: KnownFields = {
  read: [...COMMON, "prompt"],
  ignored: ABOUT_THE_CALLER,
  refused: {
    ...STREAM,
    echo: { unless: [false], why: "cannot be honoured: leave it out" },
    suffix: { unless: [""], why: "cannot be honoured: text is only generated at the end" },
    best_of: { unless: [1], why: "cannot be honoured: use `n`, and choose yourself" },
  },
};

const MAX_CHOICES = 128;
const MAX_TOP_LOGPROBS = 20;
const MAX_STOPS = 16;
/** Of prompts, answers to them, or inputs of one request, as OpenAI's API has it. */
const MAX_TOGETHER = 2048;

/** The body of a request for /v1/chat/completions. */
export function readChatBody(body: unknown): ChatPlan {
  const fields = new RequestFields(body, "body", CHAT);
  const top = fields.get("top_logprobs", (value, name) =>
    integer(value, name, 0, MAX_TOP_LOGPROBS),
  );
  const logprobs = fields.get("logprobs", boolean) ?? false;
  if (top !== undefined && !logprobs) {
    throw invalid("`body.top_logprobs` needs `body.logprobs` to be true");
  }
  const limit = (key: string) =>
    fields.get(key, (value, name) => integer(value, name, 1, MAX_INT32));
  return {
    kind: "chat",
    ...commonOf(fields),
    messages: fields.needed("messages", "an array of messages", messageList),
    tools: fields.get("tools", toolList),
    toolChoice: fields.get("tool_choice", toolChoiceOf),
    parallelToolCalls: fields.get("parallel_tool_calls", boolean),
    maxTokens: limit("max_completion_tokens") ?? limit("max_tokens"),
    logprobs: logprobs ? (top ?? 0) : undefined,
    schema: fields.get("response_format", schemaOf),
    effort: fields.get("reasoning_effort", effortOf),
  };
}

function effortOf(value: unknown, name: string): ReasoningEffort {
  return nearestEffort(oneOf(value, name, ["none", "minimal", "low", "medium", "high", "xhigh"]));
}

/** The body of a request for /v1/completions. */
export function readCompletionBody(body: unknown): CompletionPlan {
  const fields = new RequestFields(body, "body", COMPLETION);
  const common = commonOf(fields);
  const prompts = fields.needed("prompt", "a prompt", promptList);
  const answers = prompts.length * common.choices;
  if (answers > MAX_TOGETHER) {
    throw invalid(
      `Expected at most ${MAX_TOGETHER} answers of one request, got ${prompts.length} prompts with ` +
        `${common.choices} for each (\`body.n\`): ask in several`,
      { name: "body.n" },
    );
  }
  return {
    kind: "completion",
    ...common,
    prompts,
    maxTokens: fields.get("max_tokens", (value, name) => integer(value, name, 0, MAX_INT32)),
    logprobs: fields.get("logprobs", (value, name) => integer(value, name, 0, MAX_TOP_LOGPROBS)),
    schema: undefined,
  };
}

function commonOf(
  fields: RequestFields,
): Omit<GenerationPlan, "maxTokens" | "logprobs" | "schema"> {
  return {
    model: fields.get("model", string),
    sampling: samplingOf(fields),
    stop: fields.get("stop", stopsOf),
    choices: fields.get("n", (value, name) => integer(value, name, 1, MAX_CHOICES)) ?? 1,
  };
}

function samplingOf(fields: RequestFields): SamplerOptions {
  const penalty = (value: unknown, name: string) => number(value, name, -2, 2);
  return given({
    temperature: fields.get("temperature", (value, name) => number(value, name, 0, 2)),
    topP: fields.get("top_p", (value, name) => number(value, name, 0, 1)),
    logitBias: fields.get("logit_bias", biasesOf),
    ...openAISampling({
      frequencyPenalty: fields.get("frequency_penalty", penalty),
      presencePenalty: fields.get("presence_penalty", penalty),
      seed: fields.get("seed", seedOf),
    }),
  });
}

function seedOf(value: unknown, name: string): number {
  if (Number.isInteger(value)) return value as number;
  throw expected("an integer", name, value);
}

function biasesOf(value: unknown, name: string): Record<number, number> {
  for (const [token, bias] of Object.entries(object(value, name))) {
    if (!/^\d+$/.test(token)) throw expected("token ids as its keys", name, token);
    number(bias, `${name}["${token}"]`, -100, 100);
  }
  return value as Record<number, number>;
}

function stopsOf(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value) && value.length === 0) return [];
  const stops = textOrTexts(value, name).filter((text) => text !== "");
  if (stops.length <= MAX_STOPS) return stops;
  throw expected(`at most ${MAX_STOPS} strings`, name, value);
}

function toolList(value: unknown, name: string): readonly ToolDefinitionInput[] {
  return list(value, name, "an array of tools", anything) as ToolDefinitionInput[];
}

function toolChoiceOf(value: unknown, name: string): ToolChoice {
  if (!isPlainObject(value)) return oneOf(value, name, ["auto", "none", "required"]);
  const { type, function: named } = value;
  if (type === "function") return { ...value, type, function: named as { name: string } };
  throw unsupported(`${name}.type`, 'can only be "function"');
}

/** The fields of each of OpenAI's formats besides `type`. The `schema` of `json_object` is llama.cpp's. */
const FORMATS = {
  text: [],
  json_object: ["schema"],
  json_schema: ["json_schema"],
} as const;
const JSON_SCHEMA: KnownFields = {
  read: ["schema", "strict"],
  ignored: ["name", "description"], // the answer follows the schema, whatever it is called
  refused: {},
};

function schemaOf(value: unknown, name: string): object | undefined {
  const given = object(value, name);
  const types = Object.keys(FORMATS) as (keyof typeof FORMATS)[];
  const type = oneOf(given.type, `${name}.type`, types);
  const read = ["type", ...FORMATS[type]];
  const fields = new RequestFields(given, name, { read, ignored: [], refused: {} });
  if (type === "text") return undefined;
  if (type === "json_object") return fields.get("schema", object) ?? { type: "object" };
  const format = fields.needed("json_schema", "an object", (inner, at) => {
    return new RequestFields(inner, at, JSON_SCHEMA);
  });
  format.get("strict", boolean);
  return format.needed("schema", "a JSON Schema object", object);
}

function promptList(value: unknown, name: string): readonly (string | readonly number[])[] {
  const isIds = (one: unknown) =>
    Array.isArray(one) && one.length > 0 && one.every((id) => typeof id === "number");
  if (typeof value === "string") return [value];
  if (isIds(value)) return [value as number[]];
  const all = Array.isArray(value) ? (value as unknown[]) : [];
  const texts = all.every((one) => typeof one === "string");
  if (all.length > 0 && (texts || all.every(isIds))) {
    return notTooMany(all as (string | number[])[], name);
  }
  throw expected("a string, token ids, or an array of such", name, value);
}

function notTooMany<T>(all: readonly T[], name: string): readonly T[] {
  if (all.length <= MAX_TOGETHER) return all;
  throw invalid(
    `Expected at most ${MAX_TOGETHER} of one request for \`${name}\`, got ${all.length}: ask in several`,
    { name },
  );
}

const EMBEDDING: KnownFields = {
  read: ["model", "input", "encoding_format", "dimensions"],
  ignored: ["user"],
  refused: {},
};
const MODERATION: KnownFields = { read: ["model", "input"], ignored: [], refused: {} };

/** The body of a request for /v1/embeddings. */
export function readEmbeddingBody(body: unknown): EmbeddingPlan {
  const fields = new RequestFields(body, "body", EMBEDDING);
  const encoding = (value: unknown, name: string) => oneOf(value, name, ["float", "base64"]);
  return {
    kind: "embedding",
    model: fields.get("model", string),
    inputs: fields.needed("input", "a string or an array of strings", embeddingInputs),
    encoding: fields.get("encoding_format", encoding) ?? "float",
    dimensions: fields.get("dimensions", (value, name) => integer(value, name, 1, MAX_INT32)),
  };
}

function embeddingInputs(value: unknown, name: string): readonly string[] {
  const [first] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof first === "number" || Array.isArray(first)) {
    throw unsupported(name, "is given as token ids, which are another model's: give the text");
  }
  return notTooMany(textOrTexts(value, name), name);
}

/** The body of a request for /v1/moderations. */
export function readModerationBody(body: unknown): ModerationPlan {
  const fields = new RequestFields(body, "body", MODERATION);
  return {
    kind: "moderation",
    model: fields.get("model", string),
    inputs: fields.needed("input", "a string or an array of strings", moderationInputs),
  };
}

/** A list of content parts is one input. */
function moderationInputs(value: unknown, name: string): readonly string[] {
  const parts = Array.isArray(value) ? (value as unknown[]) : [];
  if (parts.length === 0 || !parts.every(isPlainObject)) {
    return notTooMany(textOrTexts(value, name), name);
  }
  const texts = parts.map((part, index) => {
    const at = `${name}[${index}]`;
    if (part.type !== "text") throw unsupported(`${at}.type`, 'can only be "text"');
    if (typeof part.text !== "string") throw expected("a string", `${at}.text`, part.text);
    return part.text;
  });
  return [texts.join("\n")];
}
