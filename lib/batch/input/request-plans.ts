import type { ReasoningEffort } from "../../chat/formats/reasoning-effort.js";
import type { ChatMessageInput } from "../../messages/messages.js";
import type { ToolChoice, ToolDefinitionInput } from "../../messages/tool-types.js";
import type { SamplerOptions } from "../../sampling/sampler.js";

/** How answers to chats and completions are generated. */
export interface GenerationPlan {
  /** The line's name for the model, which the answer repeats. */
  readonly model: string | undefined;
  /** Goes before the run's own. */
  readonly sampling: SamplerOptions;
  readonly maxTokens: number | undefined;
  readonly stop: readonly string[] | undefined;
  /** How many of the likeliest tokens to tell with each; undefined: no log-probabilities. */
  readonly logprobs: number | undefined;
  readonly choices: number;
  readonly schema: object | undefined;
}

export interface ChatPlan extends GenerationPlan {
  readonly kind: "chat";
  readonly messages: readonly ChatMessageInput[];
  readonly tools: readonly ToolDefinitionInput[] | undefined;
  readonly toolChoice: ToolChoice | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  readonly effort?: ReasoningEffort | undefined;
}

export interface CompletionPlan extends GenerationPlan {
  readonly kind: "completion";
  readonly prompts: readonly (string | readonly number[])[];
}

export interface EmbeddingPlan {
  readonly kind: "embedding";
  readonly model: string | undefined;
  readonly inputs: readonly string[];
  readonly encoding: "float" | "base64";
  /** How many dimensions the model has to have. */
  readonly dimensions: number | undefined;
}

export interface ModerationPlan {
  readonly kind: "moderation";
  readonly model: string | undefined;
  readonly inputs: readonly string[];
}

/** What a line asks for, whichever format it is in. */
export type BatchPlan = ChatPlan | CompletionPlan | EmbeddingPlan | ModerationPlan;
