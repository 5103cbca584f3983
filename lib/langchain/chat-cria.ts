import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import type {
  BaseLanguageModelInput,
  StructuredOutputMethodOptions,
} from "@langchain/core/language_models/base";
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BaseChatModelParams,
  type BindToolsInput,
  type LangSmithParams,
} from "@langchain/core/language_models/chat_models";
import type { ModelProfile } from "@langchain/core/language_models/profile";
import {
  assembleStructuredOutputPipeline,
  createContentParser,
  createFunctionCallingParser,
} from "@langchain/core/language_models/structured_output";
import {
  AIMessage,
  AIMessageChunk,
  type BaseMessage,
  type MessageContent,
} from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import { toJsonSchema } from "@langchain/core/utils/json_schema";
import type { ChatTurnOptions } from "../chat/session-options.js";
import {
  type AnyContext,
  cutConversation,
  isContext,
  nameOf,
  sessionIn,
} from "../electron/any-context.js";
import { isPlainObject, oneOf } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { given } from "../internal/given.js";
import { AnswerChunks } from "./answer-chunks.js";
import { messagesOf } from "./langchain-messages.js";
import { choiceOf, toolsOf } from "./langchain-tools.js";

/** Settings of a `ChatSession`, for all calls or for one. */
export type ChatCriaSettings = Omit<
  ChatTurnOptions,
  | "tools"
  | "toolChoice"
  | "maxToolRounds"
  | "responseSchema"
  | "signal"
  | "builtinTools"
  | "summarize"
>;

/** What `ChatCria` takes: a context, settings for all calls, and what every chat model of LangChain's takes. */
export interface ChatCriaFields extends BaseChatModelParams, ChatCriaSettings {
  /** A context that generates. It stays the caller's, who disposes it. */
  readonly context: AnyContext;
}

/** What one call takes besides LangChain's own options. */
export interface ChatCriaCallOptions extends BaseChatModelCallOptions {
  /** What the model may call; `bindTools` sets them. Default none. */
  readonly tools?: BindToolsInput[];
  /** Whether one answer may have several calls. Default true. */
  readonly parallel_tool_calls?: boolean;
  /** A JSON Schema that the answer follows; `withStructuredOutput` sets it. Default none. */
  readonly responseSchema?: object;
  /** Settings of this call; they go before the model's, one by one. Default none. */
  readonly settings?: ChatCriaSettings;
}

const CHARACTERS_OF_A_TOKEN = 4;

/** What a chat model of LangChain's takes, and a session does not. */
const LANGCHAIN = [
  ...["cache", "callbackManager", "callbacks", "disableStreaming", "maxConcurrency", "maxRetries"],
  ...["metadata", "name", "onFailedAttempt", "outputVersion", "tags", "verbose"],
];

/**
 * A context as a chat model of LangChain: it streams, calls tools (`bindTools`), answers in a schema
 * (`withStructuredOutput`) and is aborted by a signal. It keeps no conversation: each call is a turn of a session of
 * its own, and what its prompt shares with others lies in the context's cache.
 *
 * @example
 * const chat = new ChatCria({ context, temperature: 0.5 });
 * const { content } = await chat.invoke("Hello");
 */
export class ChatCria extends BaseChatModel<ChatCriaCallOptions, AIMessageChunk> {
  readonly #context: AnyContext;
  readonly #settings: ChatTurnOptions;

  static override lc_name(): string {
    return "ChatCria";
  }

  /** @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED */
  constructor(given: ChatCriaFields) {
    if (!isPlainObject(given)) throw expected("an object with a `context`", "fields", given);
    const { context, ...fields } = given;
    const [params, settings] = split(fields);
    super(params);
    if (!isContext(context)) throw expected("a Context", "context", context);
    this.#context = context;
    this.#settings = settings;
    sessionIn(context, settings); // so that wrong settings are told at once
  }

  override _llmType(): string {
    return "cria";
  }

  /** What the model can do, for agents that look: `createAgent` then has its `responseFormat` by a schema. */
  override get profile(): ModelProfile {
    const { contextSize, model } = this.#context;
    const { image, audio } = model.media;
    return {
      ...{ maxInputTokens: contextSize, imageInputs: image, audioInputs: audio },
      ...{ imageUrlInputs: false, pdfInputs: false, videoInputs: false },
      ...{ imageOutputs: false, audioOutputs: false, videoOutputs: false },
      ...{ toolCalling: true, toolChoice: true, structuredOutput: true },
    };
  }

  /**
   * By the model's own tokenizer: LangChain's would be another model's, fetched from the internet. Of a context
   * behind a port it is a guess, a token for four characters.
   */
  override async getNumTokens(content: MessageContent): Promise<number> {
    const text =
      typeof content === "string"
        ? content
        : content.map((part) => (part.type === "text" ? part.text : "")).join("");
    const { model } = this.#context;
    if (!("tokenizeAsync" in model)) return Math.ceil(text.length / CHARACTERS_OF_A_TOKEN);
    return (await model.tokenizeAsync(text)).length;
  }

  override getLsParams(options: this["ParsedCallOptions"]): LangSmithParams {
    const { temperature, maxTokens } = { ...this.#settings, ...options.settings };
    return {
      ...{ ls_provider: "cria", ls_model_name: nameOf(this.#context), ls_model_type: "chat" },
      ...given({ ls_temperature: temperature, ls_max_tokens: maxTokens, ls_stop: options.stop }),
    };
  }

  /**
   * The model with tools, of LangChain's or in OpenAI's shape. It only says what it wants called; an agent carries
   * it out.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  override bindTools(
    tools: BindToolsInput[],
    options: Partial<ChatCriaCallOptions> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, ChatCriaCallOptions> {
    return this.withConfig({ ...options, tools: toolsOf(tools) as BindToolsInput[] });
  }

  /**
   * The model with answers in a schema: Zod's, of another Standard Schema library, or a JSON Schema. The method
   * "jsonSchema" (the default) and "jsonMode" constrain the answer's text, "functionCalling" the arguments of a call.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  override withStructuredOutput(
    // biome-ignore lint/suspicious/noExplicitAny: LangChain's overloads say what comes of which schema
    outputSchema: any,
    options: StructuredOutputMethodOptions<boolean> = {},
    // biome-ignore lint/suspicious/noExplicitAny: as above
  ): Runnable<BaseLanguageModelInput, any> {
    const { method = "jsonSchema", name = "extract", includeRaw } = options;
    oneOf(method, "options.method", ["jsonSchema", "jsonMode", "functionCalling"]);
    const schema = toJsonSchema(outputSchema);
    if (method === "functionCalling") {
      const tool = { type: "function", function: { name, parameters: schema } };
      const bound = this.bindTools([tool], { tool_choice: name });
      const parser = createFunctionCallingParser(outputSchema, name);
      return assembleStructuredOutputPipeline(bound, parser, includeRaw, "StructuredOutput");
    }
    const responseSchema = method === "jsonMode" ? { type: "object" } : schema;
    const bound = this.withConfig({ responseSchema });
    const parser = createContentParser(outputSchema);
    return assembleStructuredOutputPipeline(bound, parser, includeRaw, "StructuredOutput");
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for await (const message of this.#answer(messages, options)) {
      const text = message.text;
      const chunk = new ChatGenerationChunk({ text, message });
      yield chunk;
      const extra = [undefined, undefined, undefined, undefined, { chunk }] as const;
      await runManager?.handleLLMNewToken(text, ...extra);
    }
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
  ): Promise<ChatResult> {
    let whole = new AIMessageChunk("");
    for await (const chunk of this.#answer(messages, options)) whole = whole.concat(chunk);
    const { content, tool_calls, invalid_tool_calls, usage_metadata } = whole;
    const { additional_kwargs, response_metadata } = whole;
    const message = new AIMessage({
      ...{ content, additional_kwargs, response_metadata },
      ...given({ tool_calls, invalid_tool_calls, usage_metadata }),
    });
    return { generations: [{ text: whole.text, message }] };
  }

  async *#answer(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
  ): AsyncGenerator<AIMessageChunk> {
    const { before, input } = cutConversation(messagesOf(messages));
    const session = sessionIn(this.#context, { ...this.#settings, messages: before });
    const answer = new AnswerChunks(nameOf(this.#context));
    for await (const event of session.send(input, turnOf(options))) yield* answer.of(event);
  }
}

function split(fields: object): readonly [BaseChatModelParams, ChatTurnOptions] {
  const entries = Object.entries(fields);
  const own = (wanted: boolean) =>
    Object.fromEntries(entries.filter(([name]) => LANGCHAIN.includes(name) === wanted));
  return [own(true), own(false)];
}

function turnOf(options: ChatCriaCallOptions): ChatTurnOptions {
  const { tools = [], tool_choice, stop, signal, settings } = options;
  return {
    ...settings,
    ...given({
      stop,
      signal,
      responseSchema: options.responseSchema,
      parallelToolCalls: options.parallel_tool_calls,
    }),
    ...(tools.length > 0 && { tools: toolsOf(tools) }),
    ...(tool_choice !== undefined && { toolChoice: choiceOf(tool_choice) }),
    maxToolRounds: 0, // an agent carries out all calls itself
  };
}
