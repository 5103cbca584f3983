import type { Context } from "../context/context.js";
import type { GenerateOptions } from "../generation/generation.js";
import type { LoadedModel } from "../model/loaded-model.js";

/** One thing that is measured. */
export interface Work {
  readonly kind: "prompt" | "decode" | "batch";
  /** Of the prompt, or of each answer. */
  readonly tokens: number;
  /** Answers at once. */
  readonly sequences: number;
}

export interface BenchPlan {
  /** Lengths of prompts. */
  readonly prompts: readonly number[];
  /** Tokens of an answer. */
  readonly tokens: number;
  /** How many answers at once. */
  readonly batches: readonly number[];
}

/** What an answer stands behind: long enough to be a prompt, too short to count. */
export const SHORT_PROMPT = 16;

export function worksOf({ prompts, tokens, batches }: BenchPlan): Work[] {
  return [
    ...prompts.map((length): Work => ({ kind: "prompt", tokens: length, sequences: 1 })),
    { kind: "decode", tokens, sequences: 1 },
    ...batches.map((sequences): Work => ({ kind: "batch", tokens, sequences })),
  ];
}

/** Tokens that a context has to hold for the plan. */
export function contextSizeFor({ prompts, tokens }: BenchPlan): number {
  return Math.max(...prompts.map((length) => length + 1), SHORT_PROMPT + tokens + 1);
}

/** Runs works in a context, on prompts of random tokens. */
export class Bench {
  readonly #context: Context;
  readonly #signal: AbortSignal;
  readonly #options: GenerateOptions;
  #state = 1;

  constructor(context: Context, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    // Nothing is reused, and no answer ends early: else the figures would be of less work than they say.
    const logitBias = Object.fromEntries(endsOf(context.model).map((id) => [id, -Infinity]));
    const { POSITIVE_INFINITY: maxPause } = Number;
    this.#options = { temperature: 0, cachePrompt: false, maxPause, logitBias, signal };
  }

  /** Tokens per second of one run. */
  run(work: Work): Promise<number> {
    if (work.kind === "prompt") return this.#prompt(work.tokens);
    return work.kind === "decode" ? this.#decode(work.tokens) : this.#together(work);
  }

  /** By the engine's own clock, until the prompt is evaluated. */
  async #prompt(length: number): Promise<number> {
    const generation = this.#context.generate(this.#randomPrompt(length), {
      ...this.#options,
      maxTokens: 1,
    });
    const { timings } = await generation.result();
    return perSecond(length, timings.promptMs);
  }

  /** From the first token, which the prompt gave, to the last one. */
  async #decode(tokens: number): Promise<number> {
    const options = { ...this.#options, maxTokens: tokens + 1 };
    const generation = this.#context.generate(this.#randomPrompt(SHORT_PROMPT), options);
    let began: number | undefined;
    let count = 0;
    let now = 0;
    for await (const chunk of generation) {
      now = performance.now();
      if (began === undefined) began = now;
      else count += chunk.tokens.length;
    }
    return perSecond(count, now - (began ?? now));
  }

  /** From before the first request to the last token of all, their short prompts among it. */
  async #together({ tokens, sequences }: Work): Promise<number> {
    const options = { ...this.#options, maxTokens: tokens };
    const prompts = Array.from({ length: sequences }, () => this.#randomPrompt(SHORT_PROMPT));
    const began = performance.now();
    const results = await Promise.all(
      prompts.map((prompt) => this.#context.generate(prompt, options).result()),
    );
    const count = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
    this.#signal.throwIfAborted();
    return perSecond(count, performance.now() - began);
  }

  /** The same ones on every machine, and others in every run: nothing is cached by chance. */
  #randomPrompt(length: number): number[] {
    const { vocabularySize } = this.#context.model;
    return Array.from({ length }, () => {
      // Numerical Recipes' generator; its high bits are the random ones.
      this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((this.#state / 2 ** 32) * vocabularySize);
    });
  }
}

function perSecond(tokens: number, milliseconds: number): number {
  return (tokens * 1000) / Math.max(milliseconds, 1e-3);
}

function endsOf(model: LoadedModel): number[] {
  const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
  return ids.filter((id) => model.isEndOfGeneration(id));
}

/** What a work's runs gave, in tokens per second. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(rates: readonly number[]): Spread {
  const sorted = [...rates].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] as number;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    least: at(0),
    most: at(sorted.length - 1),
  };
}
