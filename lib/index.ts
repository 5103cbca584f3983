export type {
  BatchFormat,
  BatchLineError,
  BatchOutputLine,
  BatchProgress,
  BatchSummary,
  RunBatchOptions,
  SequencesMeasured,
} from "./batch/batch-types.js";
export type {
  BatchChatCompletion,
  BatchCompletion,
  BatchEmbeddings,
  BatchModeration,
} from "./batch/output/openai-answers.js";
export { runBatch } from "./batch/run-batch.js";
export type { AnswerPart } from "./chat/answer-part.js";
export { ChatSession, type SessionStorageOptions } from "./chat/chat-session.js";
export type { ChatEvent, ChatTurn, ChatTurnResult, ChatUsage } from "./chat/chat-turn.js";
export type { Summarize, SummarizeContext } from "./chat/conversation-summary.js";
export type { BuiltinTool } from "./chat/formats/llama-3.js";
export type { ReasoningEffort, ReasoningOptions } from "./chat/formats/reasoning-effort.js";
export type { ChatFormatName } from "./chat/formats/recognise-format.js";
export type { ToolFallback } from "./chat/formats/template-format.js";
export type { ChatGuard, Moderator } from "./chat/moderated/moderation.js";
export {
  type RenderChatAsyncOptions,
  type RenderChatOptions,
  renderChat,
  renderChatAsync,
} from "./chat/render-chat.js";
export type { ChatSessionOptions, ChatTurnOptions } from "./chat/session-options.js";
export type { SessionState } from "./chat/session-state.js";
export { Context, type ContextStats } from "./context/context.js";
export type {
  CacheType,
  ContextOptions,
  SpeculationOptions,
} from "./context/context-options.js";
export type { ControlVector } from "./context/control-vectors.js";
export type { DeviceMemory, MemoryEstimate } from "./context/memory-estimate.js";
export { type EvaluateOptions, Sequence, type SequenceOptions } from "./context/sequence.js";
export type { EmbedOptions, EmbedResult, Pooling, RankOptions } from "./embedding/embed.js";
export type { Choice, ChooseOptions } from "./generation/choose.js";
export type { BatchRequest, BatchResult, GenerateManyOptions } from "./generation/generate-many.js";
export type {
  CachePrompt,
  GenerateOptions,
  Generation,
  GenerationChunk,
  GenerationResult,
  GenerationTimings,
  GenerationUsage,
  ReasoningBudget,
  SpeculationCounts,
} from "./generation/generation.js";
export type { InfillFile, InfillInput } from "./generation/infill.js";
export type { TokenLogprob, TokenLogprobs } from "./generation/logprobs.js";
export type { ScoreOptions } from "./generation/score.js";
export { renderGuardPrompt } from "./guard/guard-prompt.js";
export {
  type GuardCategory,
  type GuardOptions,
  type GuardVariant,
  type GuardVerdict,
  LLAMA_GUARD_3_CATEGORIES,
} from "./guard/guard-types.js";
export { parseGuardVerdict } from "./guard/guard-verdict.js";
export {
  type GuardConversation,
  type GuardResult,
  LlamaGuard,
  type ModerateOptions,
} from "./guard/llama-guard.js";
export {
  type DownloadModelOptions,
  type DownloadProgress,
  downloadModel,
  type FetchOptions,
} from "./hub/download-model.js";
export type {
  GgufArray,
  GgufScalar,
  GgufTensor,
  GgufValue,
  GgufValueType,
} from "./hub/gguf/gguf-header.js";
export { type GgufInfo, type InspectGgufOptions, inspectGguf } from "./hub/gguf/inspect-gguf.js";
export type { HubOptions } from "./hub/hub-settings.js";
export type { SkippedEngine } from "./internal/engine-files.js";
export { CriaError, type CriaErrorCode } from "./internal/errors.js";
export type { Backend, LogLevel, StopReason } from "./internal/native.js";
export type { MediaPart } from "./messages/media-parts.js";
export type {
  ChatMessage,
  ChatMessageInput,
  TextPart,
  ToolCallInput,
} from "./messages/messages.js";
export type {
  FinishToolParserOptions,
  ParsedToolCall,
  ParsedToolCalls,
  ParseToolCallsOptions,
  ToolCall,
  ToolChoice,
  ToolDefinition,
  ToolDefinitionInput,
  ToolParserEvent,
} from "./messages/tool-types.js";
export {
  type Device,
  type EngineInfo,
  engineInfo,
  listDevices,
  listWorkerDevices,
  setLogHandler,
  type WorkerDevice,
} from "./model/devices.js";
export { estimateMemory } from "./model/estimate-memory.js";
export type {
  DetokenizeOptions,
  LoadedModel,
  MediaAbility,
  SpecialTokens,
  TokenizeAsyncOptions,
  TokenizeOptions,
} from "./model/loaded-model.js";
export { type LoadLoraOptions, LoraAdapter, type ScaledAdapter } from "./model/lora-adapter.js";
export { Model } from "./model/model.js";
export type { LoadModelOptions, ModelLoadOptions } from "./model/model-options.js";
export {
  type Prompt,
  type PromptInput,
  type PromptSegment,
  promptToString,
} from "./model/prompt.js";
export type { Tokens } from "./model/tokens.js";
export { type GbnfOptions, Grammar, type JsonSchemaOptions } from "./sampling/grammar.js";
export {
  type AdaptiveP,
  type Dry,
  type DynamicTemperature,
  type Mirostat,
  type Penalties,
  Sampler,
  type SamplerOptions,
  type Xtc,
} from "./sampling/sampler.js";
export type { LogitBias, SamplerStep } from "./sampling/sampler-step.js";
export { defineTool, type Tool, type ToolContext, type ToolOptions } from "./tools/define-tool.js";
export type { InferArguments, StandardSchema } from "./tools/infer-arguments.js";
export { parseToolCalls, ToolCallParser } from "./tools/parser/tool-call-parser.js";
