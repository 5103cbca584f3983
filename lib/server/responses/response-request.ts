import { unsupported } from "../../batch/batch-failures.js";
import {
  anything,
  bodyFields,
  type KnownFields,
  object,
  RequestFields,
} from "../../batch/input/request-fields.js";
import type { ChatPlan } from "../../batch/input/request-plans.js";
import {
  boolean,
  integer,
  isPlainObject,
  list,
  MAX_INT32,
  oneOf,
  string,
} from "../../internal/checks.js";
import { expected } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import { inOwnMessages, type MadeFields, readMadeChat } from "../made-chat.js";
import { messagesOf } from "./response-items.js";

/** A request to `/v1/responses`, read. */
export interface ResponseRequest {
  readonly plan: ChatPlan;
  readonly stream: boolean;
  /** What the answer repeats of the request. */
  readonly echo: Readonly<Record<string, unknown>>;
  /** An error of the chat that was made of it, in its own words. */
  readonly inOwnWords: (error: unknown) => unknown;
}

const BODY: KnownFields = {
  read: [
    ...["model", "input", "instructions", "stream", "tools", "tool_choice", "parallel_tool_calls"],
    ...["temperature", "top_p", "max_output_tokens", "text", "reasoning", "top_logprobs"],
    ...["include", "metadata"],
  ],
  ignored: [
    ...["user", "store", "service_tier", "safety_identifier", "stream_options"],
    ...["prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"],
  ],
  refused: {
    previous_response_id: {
      unless: [],
      why: "cannot be honoured: no answer is kept, send them all",
    },
    conversation: { unless: [], why: "cannot be honoured: no conversation is kept, send it all" },
    background: { unless: [false], why: "cannot be true: an answer is not kept" },
    truncation: {
      unless: ["disabled"],
      why: 'can only be "disabled": leave out what does not fit',
    },
    prompt: { unless: [], why: "cannot be honoured: there are no stored prompts" },
    max_tool_calls: { unless: [], why: "cannot be honoured: there are no built-in tools" },
  },
};
const TOOL: KnownFields = {
  read: ["type", "name", "description", "parameters", "strict"],
  ignored: [],
  refused: {},
};
const TEXT: KnownFields = {
  read: ["format"],
  ignored: [],
  refused: {
    verbosity: { unless: ["medium"], why: "cannot be honoured: say it in the instructions" },
  },
};
const REASONING: KnownFields = {
  read: ["effort"],
  ignored: ["summary", "generate_summary"], // the thoughts themselves are told
  refused: {},
};
/** Those of built-in tools have no meaning here, nor has what is encrypted. */
const INCLUDED = [
  ...["message.output_text.logprobs", "reasoning.encrypted_content"],
  ...["web_search_call.action.sources", "file_search_call.results"],
  ...["code_interpreter_call.outputs", "message.input_image.image_url"],
];

/** What the fields of a chat's body are called here. */
const FIELDS: Readonly<Record<string, string>> = {
  messages: "input",
  instructions: "instructions",
  tools: "tools",
  toolChoice: "tool_choice",
  responseSchema: "text.format",
  maxTokens: "max_output_tokens",
  temperature: "temperature",
  topP: "top_p",
  reasoning: "reasoning.effort",
};

/** The field that became this option. */
export const responseFieldOf = bodyFields(FIELDS);

/** @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED */
export function readResponseBody(body: Record<string, unknown>): ResponseRequest {
  const fields = new RequestFields(body, "body", BODY);
  const asked = fields.needed("input", "a string or an array of items", messagesOf);
  const instructions = fields.get("instructions", string);
  const system = instructions === undefined ? [] : [{ role: "system", content: instructions }];
  const made = {
    places: [...system.map(() => undefined), ...asked.map(({ place }) => place)],
    apart: "instructions",
  };
  const format = fields.get("text", formatOf);
  const effort = fields.get("reasoning", effortOf);
  const included = fields.get("include", includedOf) ?? [];
  const top = fields.get("top_logprobs", (value, name) => integer(value, name, 0, 20));
  const tells = top !== undefined || included.includes("message.output_text.logprobs");
  const limit = fields.get("max_output_tokens", (value, name) =>
    integer(value, name, 1, MAX_INT32),
  );
  const tools = fields.get("tools", (value, name) =>
    list(value, name, "an array of tools", chatTool),
  );
  // What is wrong with it is told by its own names: all that can be is read above.
  const chat = given({
    messages: [...system, ...asked.map(({ message }) => message)],
    model: fields.get("model", anything),
    max_completion_tokens: limit,
    temperature: fields.get("temperature", anything),
    top_p: fields.get("top_p", anything),
    tools,
    tool_choice: fields.get("tool_choice", chatChoice),
    parallel_tool_calls: fields.get("parallel_tool_calls", anything),
    response_format: format && chatFormat(format),
    reasoning_effort: effort,
    logprobs: tells || undefined,
    top_logprobs: top,
  });
  return {
    plan: readMadeChat(chat, MADE, made),
    inOwnWords: (error) => inOwnMessages(error, made),
    stream: fields.get("stream", boolean) ?? false,
    echo: {
      instructions: instructions ?? null,
      max_output_tokens: limit ?? null,
      metadata: fields.get("metadata", object) ?? {},
      parallel_tool_calls: body.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: { effort: effort ?? null, summary: null },
      store: false,
      temperature: body.temperature ?? null,
      text: { format: format ?? { type: "text" } },
      tool_choice: body.tool_choice ?? "auto",
      tools: body.tools ?? [],
      top_p: body.top_p ?? null,
      truncation: "disabled",
    },
  };
}

/** What a chat's body calls the fields that were made of others. */
const MADE: MadeFields = [
  ["body.messages", "body.input"],
  ["body.response_format.json_schema", "body.text.format"],
  ["body.response_format", "body.text.format"],
  ["body.reasoning_effort", "body.reasoning.effort"],
];

/** Flat here, and with a `function` inside in a chat. */
function chatTool(value: unknown, name: string): object {
  if (!isPlainObject(value)) throw expected("an object", name, value);
  const { type } = value;
  if (type !== "function") throw unsupported(`${name}.type`, 'can only be "function"');
  const tool = new RequestFields(value, name, TOOL);
  return {
    type: "function",
    function: given({
      name: tool.needed("name", "a string", string),
      description: tool.get("description", string),
      parameters: tool.get("parameters", object),
      strict: tool.get("strict", boolean),
    }),
  };
}

function chatChoice(value: unknown, name: string): unknown {
  if (!isPlainObject(value)) return value;
  if (value.type !== "function") throw unsupported(`${name}.type`, 'can only be "function"');
  const choice = new RequestFields(value, name, {
    read: ["type", "name"],
    ignored: [],
    refused: {},
  });
  return { type: "function", function: { name: choice.needed("name", "a string", string) } };
}

function formatOf(value: unknown, name: string): Record<string, unknown> | undefined {
  return new RequestFields(value, name, TEXT).get("format", object);
}

/** Flat here, and with a `json_schema` inside in a chat. */
function chatFormat({ type, ...rest }: Record<string, unknown>): object {
  return type === "json_schema" ? { type, json_schema: rest } : { type, ...rest };
}

function effortOf(value: unknown, name: string): unknown {
  return new RequestFields(value, name, REASONING).get("effort", anything);
}

function includedOf(value: unknown, name: string): string[] {
  return list(value, name, "an array of names", (one, at) => oneOf(one, at, INCLUDED));
}
