import type { CachePrompt, GenerationUsage } from "../generation/generation.js";
import { CriaError } from "../internal/errors.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { Prompt } from "../model/prompt.js";
import { Grammar } from "../sampling/grammar.js";
import { Sampler } from "../sampling/sampler.js";
import type { GuardTurn } from "./guard-conversation.js";
import type { GuardPolicy } from "./guard-policy.js";
import { guardPrompt } from "./guard-prompt.js";
import type { GuardContext, GuardVerdict } from "./guard-types.js";
import { readVerdict } from "./guard-verdict.js";

/** The one token that the model says before its verdict. */
const BLANK_LINE = { text: "\n\n" };
/** If the two words together are less likely than this, they are not the model's answer. */
const LEAST_MASS = 0.5;

/** How one conversation is judged. */
export interface JudgeOptions {
  readonly signal: AbortSignal | undefined;
  /** Whether the model is asked for categories; undefined: where the conversation is unsafe. */
  readonly categories: boolean | undefined;
  /** Of the reply that names categories; the score is always exact. */
  readonly cachePrompt: CachePrompt;
  readonly onUsage: ((usage: GenerationUsage) => void) | undefined;
}

/** Asks for a reply behind the prompt and some more of it. */
type Reply = (more: Prompt, sampler: Sampler) => Promise<string>;

/** Asks the model about conversations that fit its context. */
export class GuardJudge {
  readonly #context: GuardContext;
  readonly #policy: GuardPolicy;
  /** The first tokens of `safe` and `unsafe`. */
  readonly #words: readonly number[];
  readonly #verdicts: Sampler;
  readonly #codes: Sampler;
  /** An upper bound, since no token is shorter than a byte. */
  readonly #longestReply: number;
  /** How many tokens the longest reply takes as the tokenizer writes it. */
  readonly replyTokens: number;

  /** @throws {CriaError} ERR_UNSUPPORTED, ERR_DISPOSED */
  constructor(context: GuardContext, policy: GuardPolicy) {
    const { model } = context;
    this.#context = context;
    this.#policy = policy;
    checkControls(model, this.prompt([{ role: "user", text: "" }]));
    this.#words = firstTokens(model);
    const codes = policy.categories.map(({ code }) => code);
    const longest = `unsafe\n${codes.join(",")}`;
    this.#longestReply = longest.length + 1;
    this.replyTokens = model.tokenize(longest).length + 1;
    const rules = codeRules(codes);
    this.#verdicts = greedy(`root ::= "safe" | "unsafe\\n" codes\n${rules}`);
    this.#codes = greedy(`root ::= codes\n${rules}`);
  }

  /** The prompt up to where the model says its first word. */
  prompt(turns: readonly GuardTurn[]): Prompt {
    return [...guardPrompt(turns, this.#policy), BLANK_LINE];
  }

  async judge(turns: readonly GuardTurn[], options: JudgeOptions): Promise<GuardVerdict> {
    const { signal, onUsage } = options;
    const prompt = this.prompt(turns);
    // A score near the threshold must not depend on what was judged before.
    const exact = {
      ...(signal && { signal }),
      ...(onUsage && { onUsage }),
      cachePrompt: "exact",
    } as const;
    const score = unsafeShare(await this.#context.score(prompt, this.#words, exact));
    const unsafe = score >= this.#policy.threshold;
    const judged = turns.at(-1)?.role ?? "user";
    if (!(options.categories ?? unsafe)) {
      return { safe: !unsafe, score, categories: [], unknownCodes: [], judged, raw: "" };
    }
    const reply = this.#replies(prompt, options);
    const { raw, categories, unknownCodes } = await this.#named(reply, unsafe, score);
    const safe = !unsafe && unknownCodes.length === 0;
    return { safe, score, categories, unknownCodes, judged, raw };
  }

  #replies(prompt: Prompt, { signal, cachePrompt, onUsage }: JudgeOptions): Reply {
    const given = { ...(signal && { signal }), cachePrompt, maxTokens: this.#longestReply };
    return async (more, sampler) => {
      const generation = this.#context.generate([...prompt, ...more], { ...given, sampler });
      const { text, usage } = await generation.result();
      onUsage?.(usage);
      return text;
    };
  }

  /** The reply; where it says `safe` and the score does not, its categories follow a forced `unsafe`. */
  async #named(reply: Reply, unsafe: boolean, score: number) {
    const forced = () => reply([{ text: "unsafe\n" }], this.#codes);
    // The score tells that the reply will be `safe`: both are asked for at once, then.
    const early = unsafe && score < 0.5 ? forced() : undefined;
    early?.catch(() => {}); // the reply's error comes first
    const own = readVerdict(await reply([], this.#verdicts), this.#policy.categories);
    if (!unsafe || !own.safe) return own;
    const codes = await (early ?? forced());
    return { ...readVerdict(`unsafe\n${codes}`, this.#policy.categories), raw: own.raw };
  }
}

/**
 * P(unsafe) from the log-probabilities of the two words: a softmax over them alone. It is meaningless for
 * a model that would say something else, so their sum is checked.
 *
 * @throws {CriaError} ERR_GUARD_UNREADABLE
 */
export function unsafeShare([safe = Number.NaN, unsafe = Number.NaN]: ArrayLike<number> &
  Iterable<number>): number {
  const mass = Math.exp(safe) + Math.exp(unsafe);
  if (Number.isFinite(safe) && Number.isFinite(unsafe) && mass >= LEAST_MASS) {
    return 1 / (1 + Math.exp(safe - unsafe));
  }
  throw new CriaError(
    "ERR_GUARD_UNREADABLE",
    "Expected the model to answer `safe` or `unsafe`; the two words together have a probability of " +
      `${Number.isFinite(mass) ? mass.toPrecision(3) : "no known size"}. Take the message for ` +
      "unsafe, and see whether the model is a Llama Guard 3 and its file whole",
    { details: { safe: Math.exp(safe), unsafe: Math.exp(unsafe) } },
  );
}

/** Where a word is several tokens, its first one tells the two words apart, too. */
function firstTokens(model: LoadedModel): number[] {
  const [safe, unsafe] = ["safe", "unsafe"].map((word) => model.tokenize(word)[0]);
  if (safe !== undefined && unsafe !== undefined && safe !== unsafe) return [safe, unsafe];
  throw new CriaError(
    "ERR_UNSUPPORTED",
    "Expected a vocabulary in which `safe` and `unsafe` begin with different tokens: load a Llama " +
      "Guard 3",
  );
}

function checkControls(model: LoadedModel, prompt: Prompt): void {
  for (const segment of prompt) {
    if (!("control" in segment) || model.tokenId(segment.control) !== null) continue;
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `Expected a vocabulary with the control token ${segment.control}, which Llama Guard's prompts ` +
        "are made of: load a Llama Guard 3",
      { details: { control: segment.control } },
    );
  }
}

function codeRules(codes: readonly string[]): string {
  const code = codes.map((one) => `"${one}"`).join(" | ");
  const more = codes.length > 1 ? ` ("," code){0,${codes.length - 1}}` : "";
  return `codes ::= code${more}\ncode ::= ${code}`;
}

function greedy(grammar: string): Sampler {
  return Sampler.greedy().with({ grammar: Grammar.gbnf(grammar) });
}
