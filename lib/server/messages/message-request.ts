import { unsupported } from "../../batch/batch-failures.js";
import {
  anything,
  bodyFields,
  type KnownFields,
  object,
  RequestFields,
} from "../../batch/input/request-fields.js";
import type { ChatPlan } from "../../batch/input/request-plans.js";
import { boolean, integer, isPlainObject, list, MAX_INT32, string } from "../../internal/checks.js";
import { expected } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import { Grammar } from "../../sampling/grammar.js";
import { inOwnMessages, type MadeFields, readMadeChat } from "../made-chat.js";
import { withSampling } from "../streamed-body.js";
import { messagesOf, systemText } from "./message-blocks.js";

/** A request to `/v1/messages`, read. */
export interface MessageRequest {
  readonly plan: ChatPlan;
  readonly stream: boolean;
  readonly stops: readonly string[];
  /** An error of the chat that was made of it, in its own words. */
  readonly inOwnWords: (error: unknown) => unknown;
}

const BODY: KnownFields = {
  read: [
    ...["model", "messages", "system", "max_tokens", "stop_sequences", "stream", "tools"],
    ...["tool_choice", "temperature", "top_p", "top_k", "thinking"],
    "grammar", // llama-server's own
  ],
  ignored: ["metadata", "service_tier", "cache_control", "inference_geo"],
  refused: {},
};
const TOOL: KnownFields = {
  read: ["type", "name", "description", "input_schema"],
  ignored: ["cache_control", "strict", "eager_input_streaming", "input_examples"],
  refused: {},
};
const CHOICE: KnownFields = {
  read: ["type", "name", "disable_parallel_tool_use"],
  ignored: [],
  refused: {},
};
const THINKING: KnownFields = {
  read: ["type", "budget_tokens"],
  ignored: ["display"],
  refused: {},
};

/** What the fields of a chat's body are called here. */
const FIELDS: Readonly<Record<string, string>> = {
  messages: "messages",
  system: "system",
  tools: "tools",
  toolChoice: "tool_choice",
  maxTokens: "max_tokens",
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  stop: "stop_sequences",
  reasoning: "thinking",
};

/** The field that became this option. */
export const messageFieldOf = bodyFields(FIELDS);

/** @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED */
export function readMessageBody(body: Record<string, unknown>): MessageRequest {
  const fields = new RequestFields(body, "body", BODY);
  const system = fields.get("system", systemText);
  const messages = fields.needed("messages", "an array of messages", messagesOf);
  const before = system === undefined ? [] : [{ role: "system", content: system }];
  const made = {
    places: [...before.map(() => undefined), ...messages.flatMap((own, i) => own.map(() => i))],
    apart: "system",
  };
  const stops = fields.get("stop_sequences", (value, name) =>
    list(value, name, "an array of strings", string),
  );
  const choice = fields.get("tool_choice", choiceOf);
  const topK = fields.get("top_k", (value, name) => integer(value, name, 0, MAX_INT32));
  const grammar = fields.get("grammar", string);
  const limit = fields.get("max_tokens", (value, name) => integer(value, name, 1, MAX_INT32));
  const plan = readMadeChat(
    given({
      messages: [...before, ...messages.flat()],
      model: fields.get("model", anything),
      max_completion_tokens: limit,
      temperature: fields.get("temperature", anything),
      top_p: fields.get("top_p", anything),
      stop: stops,
      tools: fields.get("tools", (value, name) => list(value, name, "an array of tools", toolOf)),
      ...choice,
      reasoning_effort: fields.get("thinking", effortOf),
    }),
    MADE,
    made,
  );
  return {
    plan: withSampling(
      plan,
      given({ topK, grammar: grammar === undefined ? undefined : Grammar.gbnf(grammar) }),
    ),
    stream: fields.get("stream", boolean) ?? false,
    stops: stops ?? [],
    inOwnWords: (error) => inOwnMessages(error, made),
  };
}

/** What a chat's body calls the fields that were made of others. */
const MADE: MadeFields = [
  ["body.stop", "body.stop_sequences"],
  ["body.max_completion_tokens", "body.max_tokens"],
  ["body.reasoning_effort", "body.thinking"],
];

function toolOf(value: unknown, name: string): object {
  if (!isPlainObject(value)) throw expected("an object", name, value);
  if (value.type !== undefined && value.type !== null && value.type !== "custom") {
    throw unsupported(`${name}.type`, 'can only be "custom": no tool runs here');
  }
  const tool = new RequestFields(value, name, TOOL);
  return {
    type: "function",
    function: given({
      name: tool.needed("name", "a string", string),
      description: tool.get("description", string),
      parameters: tool.get("input_schema", object),
    }),
  };
}

function choiceOf(value: unknown, name: string): Record<string, unknown> {
  const choice = new RequestFields(object(value, name), name, CHOICE);
  const alone = choice.get("disable_parallel_tool_use", boolean) ?? false;
  const type = choice.needed("type", "a type", string);
  const called = choice.get("name", string);
  const choices: Readonly<Record<string, unknown>> = {
    auto: "auto",
    any: "required",
    none: "none",
    tool: { type: "function", function: { name: called } },
  };
  if (!Object.hasOwn(choices, type)) {
    throw expected('one of "auto", "any", "tool", "none"', `${name}.type`, type);
  }
  if (type === "tool" && called === undefined) throw expected("a name", `${name}.name`, called);
  return { tool_choice: choices[type], ...(alone && { parallel_tool_calls: false }) };
}

/** How much it thinks is the model's own; a budget is taken for the usual effort. */
function effortOf(value: unknown, name: string): string | undefined {
  const thinking = new RequestFields(object(value, name), name, THINKING);
  const type = thinking.needed("type", "a type", string);
  thinking.get("budget_tokens", (budget, at) => integer(budget, at, 1, MAX_INT32));
  const efforts: Readonly<Record<string, string | undefined>> = {
    ...{ enabled: "medium", disabled: "none", adaptive: undefined },
  };
  if (Object.hasOwn(efforts, type)) return efforts[type];
  throw expected('one of "enabled", "disabled", "adaptive"', `${name}.type`, type);
}
