import type { Context } from "../../context/context.js";
import type { GenerateOptions, Generation } from "../../generation/generation.js";
import type { ScoreOptions } from "../../generation/score.js";
import type { GuardOptions, GuardVerdict } from "../../guard/guard-types.js";
import { LlamaGuard } from "../../guard/llama-guard.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import type { Prompt, PromptInput, PromptSegment } from "../../model/prompt.js";
import type { Tokens } from "../../model/tokens.js";
import type { ModerationPlan } from "../input/plans.js";
import type { Spent } from "../output/answers.js";
import type { BatchModeration } from "../output/bodies.js";
import type { Answer } from "./batch-engine.js";

/**
 * OpenAI's categories by Llama Guard's, as near as they come. Those that OpenAI has none for (specialized
 * advice, privacy, intellectual property, elections, code interpreter abuse) flag an input, and stand
 * among the categories under their codes.
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

/** A Llama Guard for the lines of a batch. */
export class Moderator {
  readonly #guard: LlamaGuard;
  readonly #counts: CountingContext;
  readonly #name: string;

  /** @throws {CriaError} ERR_UNSUPPORTED: the model is no guard */
  constructor(context: Context, { name, options }: { name: string; options: GuardOptions }) {
    this.#counts = new CountingContext(context);
    this.#guard = new LlamaGuard(this.#counts as unknown as Context, options);
    this.#name = name;
  }

  async moderate(plan: ModerationPlan, hash: string, signal: AbortSignal): Promise<Answer> {
    const verdicts = await this.#counts.counting(() =>
      Promise.all(plan.inputs.map((input) => this.#guard.moderate(input, { signal }))),
    );
    const model = plan.model ?? this.#name;
    const body: BatchModeration = { id: `modr-${hash}`, model, results: verdicts.map(resultOf) };
    return { body, ...this.#counts.take() };
  }
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

const NOTHING = { promptTokens: 0, completionTokens: 0 };

/** What a guard asks of a context, with the tokens counted. */
class CountingContext {
  readonly #context: Context;
  #spent = NOTHING;
  #lines = 0;
  /** Of the context, as of when they were last counted. */
  #decoded = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  get model() {
    return this.#context.model;
  }

  get contextSize() {
    return this.#context.contextSize;
  }

  get sequences() {
    return this.#context.sequences;
  }

  get disposed() {
    return this.#context.disposed;
  }

  /** The context may be one for generations, too: what it decodes meanwhile is theirs. */
  async counting<T>(work: () => Promise<T>): Promise<T> {
    if (this.#lines === 0) this.#decoded = this.#context.stats.decodedTokens;
    this.#lines += 1;
    try {
      return await work();
    } finally {
      this.#lines -= 1;
    }
  }

  generate(prompt: PromptInput, options?: GenerateOptions): Generation {
    const generation = this.#context.generate(prompt, { ...options, cachePrompt: "exact" });
    generation.result().then(
      ({ usage }) => this.#add(usage.promptTokens, usage.completionTokens),
      () => {},
    );
    return generation;
  }

  async score(
    prompt: PromptInput,
    candidates: Tokens,
    options?: ScoreOptions,
  ): Promise<Float32Array> {
    const exact = { ...options, cachePrompt: "exact" } as const;
    const scores = await this.#context.score(prompt, candidates, exact);
    this.#add(await lengthOf(prompt, this.model), 0);
    return scores;
  }

  /** What was counted since the last time, by whichever line. */
  take(): Spent {
    const { decodedTokens } = this.#context.stats;
    const { promptTokens, completionTokens } = this.#spent;
    // A score does not tell what it found in the cache; the context tells what was evaluated.
    const cachedTokens = promptTokens + completionTokens - (decodedTokens - this.#decoded);
    this.#decoded = decodedTokens;
    this.#spent = NOTHING;
    return { promptTokens, cachedTokens, completionTokens };
  }

  #add(promptTokens: number, completionTokens: number): void {
    this.#spent = {
      promptTokens: this.#spent.promptTokens + promptTokens,
      completionTokens: this.#spent.completionTokens + completionTokens,
    };
  }
}

/** A guard's prompts are segments. */
async function lengthOf(prompt: PromptInput, model: LoadedModel): Promise<number> {
  const count = async (segment: PromptSegment) => {
    if ("control" in segment) return 1;
    return "text" in segment
      ? (await model.tokenizeAsync(segment.text)).length
      : segment.tokens.length;
  };
  const counts = await Promise.all((prompt as Prompt).map(count));
  return counts.reduce((sum, one) => sum + one, 0);
}
