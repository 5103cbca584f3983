/**
 * What the AI SDK's provider specifications 3 and 4 have in common, as far as cria reads and writes it. The shapes
 * are written here rather than imported, so that the declarations work with either generation of the SDK and
 * without any; test/ai-sdk compares them with the real ones. What implements a model here has its functions as
 * properties: AI SDK 7 calls some models of specification 3 through a proxy, which is no `this` of theirs.
 */

/** Of the AI SDK's provider specification: 6 takes "v3", 7 takes both. */
export type SpecificationVersion = "v3" | "v4";

/** Any JSON value. */
export type Json = null | string | number | boolean | JsonObject | Json[];
/** A JSON object. */
export type JsonObject = { [key: string]: Json | undefined };

/** What was not honoured, or not as it was meant. */
export type CallWarning =
  | { type: "unsupported"; feature: string; details?: string }
  | { type: "compatibility"; feature: string; details?: string }
  | { type: "other"; message: string };

/** A part of a message; which fields it has depends on its type. */
export interface PromptPart {
  readonly type: string;
}

/** A message of a prompt. */
export interface PromptMessage {
  readonly role: string;
  /** A text for the role "system", parts for all others. */
  readonly content: string | readonly PromptPart[];
}

/** A function that the model may call; cria calls none itself. */
export interface FunctionTool {
  readonly type: "function";
  readonly name: string;
  readonly description?: string | undefined;
  /** A JSON Schema of the arguments. */
  readonly inputSchema: object;
  readonly inputExamples?: readonly unknown[] | undefined;
  readonly strict?: boolean | undefined;
}

/** A tool of another provider's service. */
export interface ProviderTool {
  readonly type: "provider";
  readonly id: string;
  readonly name: string;
}

/** Options of cria's own lie under the name `cria`. */
export type ProviderOptions = Readonly<Record<string, object>>;

/** What `doGenerate` and `doStream` take. */
export interface LanguageCallOptions {
  readonly prompt: readonly PromptMessage[];
  readonly maxOutputTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly stopSequences?: readonly string[] | undefined;
  readonly seed?: number | undefined;
  readonly responseFormat?:
    | { readonly type: "text" }
    | { readonly type: "json"; readonly schema?: unknown }
    | undefined;
  readonly tools?: readonly (FunctionTool | ProviderTool)[] | undefined;
  readonly toolChoice?:
    | { readonly type: "auto" | "none" | "required" }
    | { readonly type: "tool"; readonly toolName: string }
    | undefined;
  /** Of specification 4. */
  readonly reasoning?: string | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
}

/** Why an answer ended: as the SDK names it, and cria's own `stopReason`. */
export interface FinishReason {
  unified: "stop" | "length" | "content-filter" | "tool-calls" | "error" | "other";
  raw: string | undefined;
}

/** How many tokens a call took. */
export interface LanguageUsage {
  inputTokens: {
    total: number | undefined;
    noCache: number | undefined;
    cacheRead: number | undefined;
    cacheWrite: number | undefined;
  };
  outputTokens: {
    total: number | undefined;
    text: number | undefined;
    reasoning: number | undefined;
  };
  raw?: JsonObject;
}

/** A call of a tool; `input` is JSON text. */
export interface ToolCallContent {
  type: "tool-call";
  toolCallId: string;
  toolName: string;
  input: string;
}

/** A part of an answer. */
export type AnswerContent =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | ToolCallContent;

/** What cria tells besides: `stopReason`, and the guard's verdict where it ended the answer. */
export type AnswerMetadata = { cria: JsonObject };

/** How an answer ended. */
export interface AnswerEnd {
  finishReason: FinishReason;
  usage: LanguageUsage;
  providerMetadata?: AnswerMetadata;
}

/** What `doGenerate` resolves with. */
export interface GenerateResult extends AnswerEnd {
  content: AnswerContent[];
  warnings: CallWarning[];
  response: { timestamp: Date; modelId: string };
}

/** A part of a stream. */
export type StreamPart =
  | { type: "stream-start"; warnings: CallWarning[] }
  | { type: "response-metadata"; timestamp: Date; modelId: string }
  | { type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end"; id: string }
  | { type: "text-delta" | "reasoning-delta"; id: string; delta: string }
  | { type: "tool-input-start"; id: string; toolName: string }
  | { type: "tool-input-delta"; id: string; delta: string }
  | { type: "tool-input-end"; id: string }
  | ToolCallContent
  | ({ type: "finish" } & AnswerEnd)
  | { type: "error"; error: unknown };

/** What `doStream` resolves with. */
export interface StreamResult {
  stream: ReadableStream<StreamPart>;
}

/** A language model of the AI SDK's. */
export interface LanguageModel<V extends SpecificationVersion = SpecificationVersion> {
  readonly specificationVersion: V;
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]>;
  doGenerate(options: LanguageCallOptions): Promise<GenerateResult>;
  doStream(options: LanguageCallOptions): Promise<StreamResult>;
}

/** What `doEmbed` takes. */
export interface EmbeddingCallOptions {
  readonly values: readonly string[];
  /** Of specification 4. */
  readonly dimensions?: number | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
}

/** An embedding model of the AI SDK's. */
export interface EmbeddingModel<V extends SpecificationVersion = SpecificationVersion> {
  readonly specificationVersion: V;
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  doEmbed(options: EmbeddingCallOptions): Promise<{
    embeddings: number[][];
    usage?: { tokens: number };
    warnings: CallWarning[];
  }>;
}

/** What `doRerank` takes. */
export interface RerankingCallOptions {
  readonly query: string;
  readonly documents:
    | { readonly type: "text"; readonly values: readonly string[] }
    | { readonly type: "object"; readonly values: readonly object[] };
  readonly topN?: number | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
}

/** A reranking model of the AI SDK's. */
export interface RerankingModel<V extends SpecificationVersion = SpecificationVersion> {
  readonly specificationVersion: V;
  readonly provider: string;
  readonly modelId: string;
  doRerank(options: RerankingCallOptions): Promise<{
    ranking: { index: number; relevanceScore: number }[];
    warnings: CallWarning[];
    response: { timestamp: Date; modelId: string };
  }>;
}
