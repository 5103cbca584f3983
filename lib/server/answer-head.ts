import { randomBytes, randomInt } from "node:crypto";
import type { GenerationUsage } from "../generation/generation.js";
import type { HostedWeights } from "./hosted-model.js";

/** What all pieces of an answer begin with. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

export function answerHead(prefix: string, { settings, model }: HostedWeights): AnswerHead {
  return {
    id: `${prefix}${newId()}`,
    created: now(),
    model: settings.name,
    system_fingerprint: `fp_${model.fingerprint}`,
  };
}

export function newId(): string {
  return randomBytes(12).toString("hex");
}

/** In seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** The sampler's largest is 2^32 - 2. */
export function newSeed(): number {
  return randomInt(2 ** 32 - 1);
}

/** OpenAI's usage, with what the batches leave out. */
export function serverUsage(
  { promptTokens, cachedTokens, completionTokens }: GenerationUsage,
  reasoningTokens = 0,
) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

/** Of several answers to one prompt, whose tokens count once. */
export function choicesUsage(usages: readonly GenerationUsage[]): GenerationUsage {
  const [first] = usages;
  return {
    promptTokens: first?.promptTokens ?? 0,
    cachedTokens: first?.cachedTokens ?? 0,
    completionTokens: usages.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
  };
}
