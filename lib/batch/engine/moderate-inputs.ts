import type { GenerationUsage } from "../../generation/generation.js";
import type { GuardVerdict } from "../../guard/guard-types.js";
import type { LlamaGuard } from "../../guard/llama-guard.js";
import type { ModerationPlan } from "../input/request-plans.js";
import { spentOn } from "../output/answer-bodies.js";
import type { BatchModeration } from "../output/openai-answers.js";
import type { Answer } from "./batch-engine.js";

/**
 * OpenAI's categories by Llama Guard's, as near as they come. Where OpenAI has none (specialized advice,
 * privacy, intellectual property, elections, code interpreter abuse) the input is flagged, and the
 * category goes by Llama Guard's code.
 */
const BY_CODE: Readonly<Record<string, readonly string[]>> = {
  S1: ["violence", "illicit/violent"],
  S2: ["illicit"],
  S3: ["sexual", "illicit"],
  S4: ["sexual/minors"],
  S5: ["harassment"],
  S9: ["illicit/violent"],
  S10: ["hate"],
  S11: ["self-harm"],
  S12: ["sexual"],
};
const CATEGORIES: readonly string[] = [
  ...["harassment", "harassment/threatening", "hate", "hate/threatening", "illicit"],
  ...["illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual"],
  ...["sexual/minors", "violence", "violence/graphic"],
];

/** Judges the inputs of a line. One that cannot be judged is the line's error. */
export async function moderateInputs(
  guard: LlamaGuard,
  plan: ModerationPlan,
  { name, hash, signal }: { name: string; hash: string; signal: AbortSignal },
): Promise<Answer> {
  const usages: GenerationUsage[] = [];
  const onUsage = (usage: GenerationUsage) => void usages.push(usage);
  const options = { signal, cachePrompt: "exact", onUsage } as const;
  const verdicts: GuardVerdict[] = [];
  // Leaving the loop cancels the others. All at once would be in the way of the next lines, and more than fit.
  for await (const { index, verdict, error } of guard.moderateMany(plan.inputs, options)) {
    if (verdict === undefined) throw error;
    verdicts[index] = verdict;
  }
  const model = plan.model ?? name;
  const body: BatchModeration = { id: `modr-${hash}`, model, results: verdicts.map(resultOf) };
  return { body, ...spentOn(usages) };
}

type Category = keyof BatchModeration["results"][number]["categories"];

function resultOf(verdict: GuardVerdict): BatchModeration["results"][number] {
  const codes = [...verdict.categories.map(({ code }) => code), ...verdict.unknownCodes];
  const found = new Set(codes.flatMap((code) => [code, ...(BY_CODE[code] ?? [])]));
  const names = [...CATEGORIES, ...[...found].filter((name) => !CATEGORIES.includes(name))];
  const table = <T>(value: (name: string) => T) =>
    Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Category, T>;
  return {
    flagged: !verdict.safe,
    categories: table((name) => found.has(name)),
    category_scores: table((name) => (found.has(name) ? verdict.score : 0)),
    category_applied_input_types: table(() => ["text" as const]),
  };
}
