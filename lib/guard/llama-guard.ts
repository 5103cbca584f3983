import { nativeReuse } from "../generation/generate-options.js";
import type { CachePrompt, GenerationUsage } from "../generation/generation.js";
import { abortSignal, boolean, callback, hasMembers, readOptions } from "../internal/checks.js";
import { disposedError, expected } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import { Places } from "../internal/places.js";
import { inTurns } from "../internal/steps.js";
import { allOf, opener, Windowed, windowWidth } from "../internal/windowed.js";
import type { ChatMessageInput } from "../messages/messages.js";
import { fitTurns, pieces } from "./fit-conversation.js";
import { conversationSteps, type GuardTurn } from "./guard-conversation.js";
import { GuardJudge, type JudgeOptions } from "./guard-judge.js";
import { readGuardOptions } from "./guard-policy.js";
import type { GuardCategory, GuardContext, GuardOptions, GuardVerdict } from "./guard-types.js";
import { guardVariant } from "./recognise-guard.js";

const MODERATE_OPTIONS = optionNames("guard.moderate", [
  "signal",
  "categories",
  "cachePrompt",
  "onUsage",
]);

/** What `LlamaGuard.moderate` and `moderateMany` take besides the conversation. */
export interface ModerateOptions {
  /** Aborts the call, which rejects with its reason at once; the engine is free soon after. Default: none. */
  readonly signal?: AbortSignal;
  /**
   * Whether the model is asked what is violated, which takes a few tokens. Default: where the score
   * says unsafe. `true` asks always, for the reply in `raw`; `false` never.
   */
  readonly categories?: boolean;
  /**
   * How the reply that names categories may take over what is cached, as in `GenerateOptions`. The score
   * is always "exact". Default true.
   */
  readonly cachePrompt?: CachePrompt;
  /** Told how many tokens each evaluation took; a judgement has one, two or three of each piece. */
  readonly onUsage?: (usage: GenerationUsage) => void;
}

/** How many are judged at a time: enough windows that one which waits for its replies leaves none idle. */
const PLACES = 2;

/** A conversation to be judged. A string is one message of the user's. */
export type GuardConversation = string | readonly ChatMessageInput[];

/** What became of a conversation: its verdict or its error. */
export type GuardResult = {
  /** The conversation's place in the iterable, from 0. */
  readonly index: number;
} & (
  | {
      /** What was found about the last message. */
      readonly verdict: GuardVerdict;
      readonly error?: undefined;
    }
  | {
      readonly verdict?: undefined;
      /** What `moderate` rejects with for this conversation. */
      readonly error: unknown;
    }
);

/**
 * Llama Guard 3 as a judge of messages. It fails closed: where the model gives no clear answer there
 * is an error (ERR_GUARD_UNREADABLE) and never a verdict.
 *
 * The score comes from one evaluation of the prompt, without generating: P(unsafe), by the two words
 * that the model can begin its reply with. `threshold` decides on it: a message is unsafe where the
 * score is at least so much. Lower values find more and accuse more; at 0 all is unsafe, at 1 only
 * what the model has no doubt about. Where the threshold says unsafe and the model's own reply would be
 * `safe`, the categories come from a reply that was made to begin with `unsafe`; `raw` is its own.
 *
 * @example
 * const guard = new LlamaGuard(context);
 * const { safe, categories } = await guard.moderate("How do I pick a lock?");
 */
export class LlamaGuard {
  readonly #context: GuardContext;
  readonly #judge: GuardJudge;
  readonly #categories: readonly GuardCategory[];
  /** Pieces of many conversations of many callers would be more than a context takes. */
  readonly #places: Places;

  /**
   * A guard that judges in this context.
   *
   * @param context of a Llama Guard 3. Others are refused at once, unless a `variant` is given
   * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED, with what the model is in the message;
   * ERR_DISPOSED
   */
  constructor(context: GuardContext, options?: GuardOptions) {
    if (
      !hasMembers(context, {
        ...{ score: "function", generate: "function", model: "object", sequences: "number" },
      })
    ) {
      throw expected("a Context", "context", context);
    }
    if (context.disposed) throw disposedError("The context");
    const policy = readGuardOptions(options, () => guardVariant(context.model));
    this.#context = context;
    this.#categories = policy.categories;
    this.#judge = new GuardJudge(context, policy);
    this.#places = new Places(windowWidth(context.sequences) * PLACES);
  }

  /**
   * Judges the last message of a conversation, in the light of what was said before. Messages that
   * follow each other from one side are one; system messages count for nothing; a tool's result is the
   * user's side, its call the assistant's.
   *
   * What does not fit the context loses its oldest turns. A last message that alone does not fit is
   * judged in pieces that overlap: the highest score counts, and all categories.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT (an empty message, nothing to judge), ERR_UNSUPPORTED (a
   * part that is no text), ERR_GUARD_UNREADABLE, ERR_CONTEXT_FULL (the context has no room for the
   * prompt's own text), ERR_DISPOSED, ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_OUT_OF_MEMORY; the signal's reason
   */
  async moderate(
    conversation: GuardConversation,
    options?: ModerateOptions,
  ): Promise<GuardVerdict> {
    return this.#moderate(conversation, "conversation", readModerateOptions(options));
  }

  /**
   * Judges every conversation of an iterable of any length and yields what becomes of each, as they
   * finish. As many are under way as keep the context full; what their prompts begin with, the policy,
   * is evaluated once for all. A conversation that cannot be judged is the `error` of its own result.
   * Reading ahead, the end of the iterable and leaving the loop are as with `Context.generateMany`.
   *
   * @example
   * for await (const { index, verdict, error } of guard.moderateMany(conversations)) {
   *   if (!verdict?.safe) console.log(index, verdict?.categories ?? error);
   * }
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED; the iterator throws ERR_DISPOSED where the
   * context is disposed meanwhile, the signal's reason, the iterable's error
   */
  moderateMany(
    conversations: Iterable<GuardConversation> | AsyncIterable<GuardConversation>,
    options?: ModerateOptions,
  ): AsyncIterableIterator<GuardResult> {
    if (this.#context.disposed) throw disposedError("The context");
    const { signal, ...rest } = readModerateOptions(options);
    return new Windowed<GuardConversation, GuardVerdict, GuardResult>({
      context: this.#context,
      name: "conversations",
      open: opener(conversations, "conversations"),
      start: (conversation, index) =>
        cancellable((signal) =>
          this.#moderate(conversation, `conversations[${index}]`, { ...rest, signal }),
        ),
      report: (index, _, outcome) =>
        "value" in outcome ? { index, verdict: outcome.value } : { index, error: outcome.error },
      signal,
    });
  }

  async #moderate(
    conversation: GuardConversation,
    name: string,
    options: JudgeOptions,
  ): Promise<GuardVerdict> {
    const context = this.#context;
    if (context.disposed) throw disposedError("The context");
    const judge = this.#judge;
    const given = await inTurns(conversationSteps(conversation, name), options.signal);
    const fit = {
      room: context.contextSize - judge.replyTokens,
      model: context.model,
      render: (turns: readonly GuardTurn[]) => judge.prompt(turns),
      signal: options.signal,
    };
    const whole = await fitTurns(given, fit);
    if (whole !== undefined) return this.#judged(whole, options);
    const verdicts = await allOf({
      context,
      name: "pieces",
      open: () => pieces(given.at(-1) as GuardTurn, fit),
      start: (turns: GuardTurn[]) =>
        cancellable((signal) => this.#judged(turns, { ...options, signal })),
      signal: options.signal,
    });
    return worst(verdicts, this.#categories);
  }

  #judged(turns: readonly GuardTurn[], options: JudgeOptions): Promise<GuardVerdict> {
    return this.#places.in(() => this.#judge.judge(turns, options), options.signal);
  }
}

/** The reply is that of the highest score; the categories of all pieces count. */
function worst(verdicts: readonly GuardVerdict[], known: readonly GuardCategory[]): GuardVerdict {
  const first = verdicts.reduce((one, other) => (other.score > one.score ? other : one));
  const named = new Set(verdicts.flatMap(({ categories }) => categories));
  return {
    ...first,
    safe: verdicts.every(({ safe }) => safe),
    categories: known.filter((category) => named.has(category)),
    unknownCodes: [...new Set(verdicts.flatMap(({ unknownCodes }) => unknownCodes))],
  };
}

function cancellable<V>(run: (signal: AbortSignal) => Promise<V>) {
  const controller = new AbortController();
  return { outcome: run(controller.signal), cancel: () => controller.abort() };
}

function readModerateOptions(options: ModerateOptions | undefined): JudgeOptions {
  const o = readOptions(options, "options", MODERATE_OPTIONS);
  const { signal, categories, cachePrompt = true, onUsage } = o;
  nativeReuse(cachePrompt, "options.cachePrompt");
  if (signal !== undefined) abortSignal(signal, "options.signal");
  if (categories !== undefined) boolean(categories, "options.categories");
  if (onUsage !== undefined) callback(onUsage, "options.onUsage");
  return { signal, categories, cachePrompt, onUsage };
}
