import type { ChatTurnResult } from "../../chat/chat-turn.js";
import type { GenerationResult } from "../../generation/generation.js";

/** The line under an answer. */
export function summarize({ usage, timings, stopReason }: GenerationResult): string {
  const { promptTokens, completionTokens } = usage;
  const { promptMs, generationMs } = timings;
  const read = `${promptTokens} prompt tokens in ${Math.round(promptMs)} ms`;
  const written = `${completionTokens} tokens in ${Math.round(generationMs)} ms`;
  return `${read}, ${written} (${speed(completionTokens, generationMs)}), ${stopReason}`;
}

/** The same of a turn of a chat, all its rounds together. */
export function summarizeTurn({ usage, stopReason }: ChatTurnResult, writingMs: number): string {
  const { promptTokens, cachedTokens, completionTokens } = usage;
  const read = `${promptTokens} prompt tokens (${cachedTokens} cached)`;
  const written = `${completionTokens} tokens in ${Math.round(writingMs)} ms`;
  return `${read}, ${written} (${speed(completionTokens, writingMs)}), ${stopReason}`;
}

export function speed(tokens: number, milliseconds: number): string {
  return `${(milliseconds > 0 ? (tokens * 1000) / milliseconds : 0).toFixed(1)} tokens/s`;
}
