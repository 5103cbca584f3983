export { type Device, type EngineInfo, engineInfo, listDevices, setLogHandler } from "./backend.js";
export type {
  BatchChatCompletion,
  BatchCompletion,
  BatchEmbeddings,
  BatchModeration,
} from "./batch/bodies.js";
export { runBatch } from "./batch/run-batch.js";
export type {
  BatchFormat,
  BatchLineError,
  BatchOutputLine,
  BatchProgress,
  BatchSummary,
  RunBatchOptions,
  SequencesMeasured,
} from "./batch/types.js";
export type { BuiltinTool } from "./chat/llama-3.js";
export type { ChatGuard, Moderator } from "./chat/moderation.js";
export type { ChatFormatName } from "./chat/recognise.js";
export {
  type RenderChatAsyncOptions,
  type RenderChatOptions,
  renderChat,
  renderChatAsync,
} from "./chat/render.js";
export { ChatSession } from "./chat/session.js";
export type { ChatSessionOptions, ChatTurnOptions } from "./chat/session-options.js";
export type { ToolDefinitionInput } from "./chat/tool-definitions.js";
export type { ChatEvent, ChatTurn, ChatTurnResult } from "./chat/turn.js";
export { Context, type ContextStats } from "./context.js";
export type { CacheType, ContextOptions, Pooling } from "./context-options.js";
export type { EmbedOptions, EmbedResult, RankOptions } from "./embed.js";
export { CriaError, type CriaErrorCode } from "./errors.js";
export type { BatchRequest, BatchResult, GenerateManyOptions } from "./generate-many.js";
export type {
  CachePrompt,
  GenerateOptions,
  Generation,
  GenerationChunk,
  GenerationResult,
  GenerationTimings,
  GenerationUsage,
} from "./generation.js";
export { type GbnfOptions, Grammar, type JsonSchemaOptions } from "./grammar.js";
export {
  type GuardConversation,
  type GuardResult,
  LlamaGuard,
  type ModerateOptions,
} from "./guard/llama-guard.js";
export { renderGuardPrompt } from "./guard/prompt.js";
export {
  type GuardCategory,
  type GuardOptions,
  type GuardVariant,
  type GuardVerdict,
  LLAMA_GUARD_3_CATEGORIES,
} from "./guard/types.js";
export { parseGuardVerdict } from "./guard/verdict.js";
export type { TokenLogprob, TokenLogprobs } from "./logprobs.js";
export type {
  ChatMessage,
  ChatMessageInput,
  TextPart,
  ToolCallInput,
} from "./messages/messages.js";
export {
  type DetokenizeOptions,
  Model,
  type SpecialTokens,
  type TokenizeAsyncOptions,
  type TokenizeOptions,
} from "./model.js";
export type { LoadModelOptions, ModelLoadOptions } from "./model-options.js";
export type { Flavour, LogLevel, StopReason } from "./native.js";
export { type Prompt, type PromptInput, type PromptSegment, promptToString } from "./prompt.js";
export {
  type AdaptiveP,
  type Dry,
  type DynamicTemperature,
  type Mirostat,
  type Penalties,
  Sampler,
  type SamplerOptions,
  type Xtc,
} from "./sampler.js";
export type { LogitBias, SamplerStep } from "./sampler-step.js";
export type { ScoreOptions } from "./score.js";
export { type EvaluateOptions, Sequence } from "./sequence.js";
export type { Tokens } from "./tokens.js";
export { defineTool, type Tool, type ToolContext, type ToolOptions } from "./tools/define.js";
export type { InferArguments, StandardSchema } from "./tools/infer.js";
export { parseToolCalls, ToolCallParser } from "./tools/parser.js";
export type {
  FinishToolParserOptions,
  ParsedToolCall,
  ParsedToolCalls,
  ParseToolCallsOptions,
  ToolCall,
  ToolChoice,
  ToolDefinition,
  ToolParserEvent,
} from "./tools/types.js";
