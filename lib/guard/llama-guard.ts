import type { ChatMessageInput } from "../chat/messages.js";
import type { Context } from "../context.js";
import { CriaError } from "../errors.js";
import { Grammar } from "../grammar.js";
import { abortSignal, boolean, readOptions } from "../options.js";
import { Sampler } from "../sampler.js";
import { readConversation } from "./conversation.js";
import { type GuardPolicy, readGuardOptions } from "./policy.js";
import { guardPrompt } from "./prompt.js";
import { guardVariant } from "./recognise.js";
import type { GuardOptions, GuardVerdict } from "./types.js";
import { readVerdict } from "./verdict.js";

export interface ModerateOptions {
  readonly signal?: AbortSignal;
  readonly categories?: boolean;
}
export interface ModerateManyOptions {
  readonly signal?: AbortSignal;
}
export type GuardResult = { readonly index: number } & (
  | { readonly verdict: GuardVerdict; readonly error?: undefined }
  | { readonly verdict?: undefined; readonly error: unknown }
);

export class LlamaGuard {
  readonly #context: Context;
  readonly #policy: GuardPolicy;

  constructor(context: Context, options?: GuardOptions) {
    this.#context = context;
    this.#policy = readGuardOptions(options, () => guardVariant(context.model));
  }

  async moderate(
    conversation: string | readonly ChatMessageInput[],
    options?: ModerateOptions,
  ): Promise<GuardVerdict> {
    const { signal, categories: wanted } = readOptions(options, "options", [
      "signal",
      "categories",
    ]);
    if (signal !== undefined) abortSignal(signal, "options.signal");
    if (wanted !== undefined) boolean(wanted, "options.categories");
    const turns = readConversation(conversation, "conversation");
    const { model } = this.#context;
    const prompt = [...guardPrompt(turns, this.#policy), { text: "\n\n" }];
    const words = ["safe", "unsafe"].map((word) => model.tokenize(word)[0] as number);
    const given = signal && { signal };
    const [safe = 0, unsafe = 0] = await this.#context.score(prompt, words, given);
    const mass = Math.exp(safe) + Math.exp(unsafe);
    if (!(mass >= 0.5)) throw new CriaError("ERR_GUARD_UNREADABLE", "The model does not judge");
    const score = 1 / (1 + Math.exp(safe - unsafe));
    const judged = turns.at(-1)?.role ?? "user";
    const over = score >= this.#policy.threshold;
    if (!(wanted ?? over)) {
      return { safe: !over, score, categories: [], unknownCodes: [], judged, raw: "" };
    }
    const { categories } = this.#policy;
    const codes = categories.map(({ code }) => `"${code}"`).join(" | ");
    const grammar = Grammar.gbnf(
      `root ::= "safe" | "unsafe\\n" code ("," code)*\ncode ::= ${codes}`,
    );
    const sampler = Sampler.greedy().with({ grammar });
    const { text } = await this.#context
      .generate(prompt, { sampler, maxTokens: 64, ...given })
      .result();
    return { ...readVerdict(text, categories), safe: !over, score, judged };
  }

  async *moderateMany(
    conversations:
      | Iterable<string | readonly ChatMessageInput[]>
      | AsyncIterable<string | readonly ChatMessageInput[]>,
    options?: ModerateManyOptions,
  ): AsyncIterableIterator<GuardResult> {
    let index = 0;
    for await (const conversation of conversations) {
      try {
        yield { index, verdict: await this.moderate(conversation, options) };
      } catch (error) {
        yield { index, error };
      }
      index += 1;
    }
  }
}
