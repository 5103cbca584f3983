import type { GenerationResult } from "../../lib/index.js";
import { type BatchedReferenceOptions, gaps, NEAR_TIE } from "./batched-reference.js";
import { chosen } from "./demo.js";

/** Each result's tokens are what a plain loop would say behind its prompt. */
export async function expectPlain(
  prompts: readonly Int32Array[],
  results: readonly GenerationResult[],
  options: BatchedReferenceOptions,
): Promise<void> {
  const texts = prompts.map((prompt, index) => ({
    prompt,
    generated: chosen(results[index] as GenerationResult),
  }));
  for (const gap of await gaps(texts, options)) expect(gap).toBeLessThan(NEAR_TIE);
}
