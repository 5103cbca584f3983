import type { GenerationResult } from "../generation.js";

/** The line under an answer. */
export function summarize({ usage, timings, stopReason }: GenerationResult): string {
  const { promptTokens, completionTokens } = usage;
  const { promptMs, generationMs } = timings;
  const read = `${promptTokens} prompt tokens in ${Math.round(promptMs)} ms`;
  const written = `${completionTokens} tokens in ${Math.round(generationMs)} ms`;
  return `${read}, ${written} (${speed(completionTokens, generationMs)}), ${stopReason}`;
}

export function speed(tokens: number, milliseconds: number): string {
  return `${(milliseconds > 0 ? (tokens * 1000) / milliseconds : 0).toFixed(1)} tokens/s`;
}
