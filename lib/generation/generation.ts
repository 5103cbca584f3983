import { abortReason, watchSignal } from "../internal/abort.js";
import { asyncDispose } from "../internal/async-dispose.js";
import { Channel } from "../internal/channel.js";
import { deferred } from "../internal/deferred.js";
import { fromNative, type Origin } from "../internal/errors.js";
import type { NativeContext, NativeNews, NativeResult, StopReason } from "../internal/native.js";
import type { Receiver } from "../internal/requests.js";
import type { ScaledAdapter } from "../model/lora-adapter.js";
import { TokenBuffer } from "../model/tokens.js";
import type { Sampler, SamplerOptions } from "../sampling/sampler.js";
import type { LogprobBuffer, TokenLogprobs } from "./logprobs.js";

/**
 * What `Context.generate` takes besides the prompt. Sampling options are given one by one (`temperature`,
 * `grammar`, `seed`…) or as a `sampler`, not both. One by one they change the settings that the model's
 * file recommends: with `temperature: 0.5` alone, topK and the others stay as recommended.
 */
export interface GenerateOptions extends SamplerOptions {
  /**
   * How the next token is chosen, in place of the sampling options. Default: the settings that the
   * model's file recommends, else temperature 0.8, topK 40, topP 0.95, minP 0.05.
   */
  readonly sampler?: Sampler;
  /** How many tokens to generate at most, 0…2^31 - 1. Default: until the context is full. */
  readonly maxTokens?: number;
  /** A text, or texts, that end the generation; they are never part of the output. Default: none. */
  readonly stop?: string | readonly string[];
  /**
   * Shows control tokens that the model generates as text in the output: all, or those with these texts.
   * Default false: they leave no text.
   */
  readonly special?: boolean | readonly string[];
  /**
   * Aborts the generation, which rejects with the signal's reason at once; the engine is free soon after,
   * also while it evaluates the prompt. Default: none.
   */
  readonly signal?: AbortSignal;
  /**
   * Tells the log-probability of each token, and of so many of the likeliest in its place, 0…20. They are
   * the model's own, before any sampler. Default: none.
   */
  readonly logprobs?: number;
  /**
   * Prefix caching: whether the longest cached prefix of the prompt is reused. Default true. false evaluates
   * the whole prompt anew, which may choose another token where two are nearly equal. "exact" reuses only
   * what leaves every logit the same to the last bit: at least 16 tokens of the prompt are evaluated then.
   * It needs a per-sequence KV cache; with a unified one it is the same as `true`.
   */
  readonly cachePrompt?: CachePrompt;
  /**
   * Milliseconds for which the prompts of others in the context may hold this generation up between two of
   * its tokens, as far as that can be: pieces have at least 4 tokens, and 16 where those take no longer
   * than 3.5 times this. Default 50. Infinity: prompts go first and together, which is fastest for all;
   * `generateMany` and `runBatch` do so.
   */
  readonly maxPause?: number;
  /**
   * Called while the prompt is evaluated, with the tokens that are done and those there are. What it throws
   * fails the generation. Default: none.
   */
  readonly onProgress?: (evaluated: number, total: number) => void;
  /**
   * LoRA adapters of the model's, each once, that it is evaluated with. Requests with different ones run in the same
   * context, but not in the same batch, and share no cached prefix. Default: none.
   */
  readonly adapters?: readonly ScaledAdapter[];
  /** How many tokens the model's thoughts may take. Chat sessions set it themselves. Default: any number. */
  readonly reasoningBudget?: ReasoningBudget;
}

/**
 * Where the thoughts in an output lie, and how long they may be. Where they reach that, their end is written for
 * the model. A lazy grammar is not triggered by what stands in them.
 */
export interface ReasoningBudget {
  /** How many tokens, 0…2^31 - 1; 0: the thoughts end where they begin. Default: any number. */
  readonly tokens?: number;
  /** What they begin with. Default "<think>". */
  readonly start?: string;
  /** What ends them; the first is what is written. Default "</think>". */
  readonly ends?: readonly string[];
  /** Whether the prompt has begun them already. Default false. */
  readonly open?: boolean;
}

/** Whether a prompt may reuse a cached prefix, or only where that changes nothing ("exact"). */
export type CachePrompt = boolean | "exact";

/** A chunk of the output: the longer the reader takes, the bigger. */
export interface GenerationChunk {
  /** Whole characters; empty only in the last chunk, where the last tokens have no text. */
  readonly text: string;
  /** The tokens behind it. A token that is part of a character comes with the character's chunk. */
  readonly tokens: Int32Array;
  /** One for each of `tokens`; only where `options.logprobs` asks for them. */
  readonly logprobs?: TokenLogprobs[];
}

/** How many tokens a generation took. */
export interface GenerationUsage {
  /** Tokens of the prompt, a BOS included. */
  readonly promptTokens: number;
  /** Those of the prompt that were not evaluated again. */
  readonly cachedTokens: number;
  /** Generated, the stop token included. */
  readonly completionTokens: number;
}

/** Where a generation's time went, in milliseconds. */
export interface GenerationTimings {
  /** Before its turn came. */
  readonly queuedMs: number;
  /** Evaluating the prompt. */
  readonly promptMs: number;
  /** Generating. */
  readonly generationMs: number;
  /** `usage.completionTokens` per second of `generationMs`. */
  readonly tokensPerSecond: number;
}

/** How well speculative decoding guessed. */
export interface SpeculationCounts {
  /** Tokens that were evaluated before it was known that they come. */
  readonly proposed: number;
  /** Those of them that came. */
  readonly accepted: number;
}

/** All of a finished generation. */
export interface GenerationResult {
  /** The output, without the stop token and the stop string. */
  readonly text: string;
  /** Without the stop token; those that spell a stop string are among them. */
  readonly tokens: Int32Array;
  /**
   * One for each of `tokens` (the stop token has none); only where `options.logprobs` asks for them.
   * The objects are made when it is first read.
   */
  readonly logprobs?: TokenLogprobs[];
  /**
   * Why it ended. Of the end-of-generation tokens, the end of a message (`<|eom_id|>`: a tool is to
   * run) is told from the end of a turn (`<|eot_id|>`) and the end of text.
   */
  readonly stopReason: StopReason;
  /** The token that ended it, or null. */
  readonly stopToken: number | null;
  /** The stop string that ended it, or null. */
  readonly stopString: string | null;
  /** How many tokens it took. */
  readonly usage: GenerationUsage;
  /** Where its time went. */
  readonly timings: GenerationTimings;
  /** Only in a context with `speculation`. */
  readonly speculation?: SpeculationCounts;
}

/**
 * A running generation. Iterate it for chunks (once; leaving the loop early cancels), or await
 * `result()`, or both, in any order. Errors reach whichever side is used (both if both are), and are
 * never an unhandled rejection.
 *
 * Errors: ERR_DISPOSED (the context was disposed), ERR_CONTEXT_FULL (the prompt is longer than the context, or
 * sequences hold every place), ERR_QUEUE_FULL, ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_OUT_OF_MEMORY,
 * ERR_GRAMMAR_INVALID (the grammar takes too long, or the model lacks a token of it); the signal's reason; what `onProgress` threw.
 *
 * @example
 * for await (const { text } of context.generate("Once upon a time")) process.stdout.write(text);
 */
export interface Generation extends AsyncIterable<GenerationChunk>, AsyncDisposable {
  /**
   * Resolves with the whole output when the generation has ended. May be called any number of times.
   *
   * @throws {CriaError} ERR_DISPOSED, ERR_CONTEXT_FULL, ERR_QUEUE_FULL, ERR_MEDIA_INVALID, ERR_UNSUPPORTED (media
   * without a projector), ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_WORKER_UNREACHABLE, ERR_OUT_OF_MEMORY,
   * ERR_GRAMMAR_INVALID, ERR_INTERNAL (the engine failed); the signal's reason; what `onProgress` threw
   */
  result(): Promise<GenerationResult>;
  /** Ends it with stopReason "cancelled"; what was generated is kept. Never throws. */
  cancel(): void;
}

/** Keeps a generation's log-probabilities until somebody reads them. */
export type Logprobs = Pick<LogprobBuffer, "push" | "slice">;

/** What a generation needs to run. */
export interface GenerationParts {
  readonly id: number;
  readonly native: Pick<NativeContext, "cancel">;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((evaluated: number, total: number) => void) | undefined;
  /** Undefined where none were asked for. */
  readonly logprobs: Logprobs | undefined;
  readonly origin: Origin;
}

/**
 * The JS side of one request. News come in by `receive`; what no reader has taken yet is one string and
 * a mark in the token buffer, so nothing piles up however slow the reader is.
 */
export class RunningGeneration implements Generation, Receiver {
  readonly id: number;
  readonly #native: Pick<NativeContext, "cancel">;
  readonly #onProgress: GenerationParts["onProgress"];
  readonly #origin: Origin;
  readonly #unwatch: () => void;
  readonly #result = deferred<GenerationResult>();
  #over = false;
  readonly #tokens = new TokenBuffer();
  readonly #logprobs: Logprobs | undefined;
  #text = "";
  #unreadText = "";
  #readTokens = 0;
  readonly #chunks = new Channel<GenerationChunk>({
    take: () => this.#takeChunk(),
    over: () => this.over,
    leave: () => this.cancel(),
  });

  constructor({ id, native, signal, onProgress, logprobs, origin }: GenerationParts) {
    this.id = id;
    this.#native = native;
    this.#onProgress = onProgress;
    this.#logprobs = logprobs;
    this.#origin = origin;
    this.#result.promise.catch(() => {}); // whoever awaits it still gets the error
    this.#unwatch =
      signal === undefined || signal.aborted
        ? () => {}
        : watchSignal(signal, () => this.#abandon(abortReason(signal)));
    if (signal?.aborted) this.fail(abortReason(signal));
  }

  /** No news will change it any more. */
  get over(): boolean {
    return this.#over;
  }

  result(): Promise<GenerationResult> {
    return this.#result.promise;
  }

  cancel(): void {
    if (!this.over) this.#native.cancel(this.id);
  }

  async [asyncDispose](): Promise<void> {
    this.cancel();
    await this.result().catch(() => {}); // the error belongs to the one who asked for output
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<GenerationChunk, undefined> {
    return this.#chunks[Symbol.asyncIterator]();
  }

  receive(news: NativeNews): void {
    if (this.over) return;
    this.#tellProgress(news);
    if (this.over) return; // the callback threw, or aborted
    try {
      if (news.logprobs !== undefined) this.#logprobs?.push(news.logprobs);
    } catch (error) {
      this.#abandon(fromNative(error, this.#origin)); // the model's texts are gone
      return;
    }
    this.#tokens.push(news.tokens);
    this.#text += news.text;
    this.#unreadText += news.text;
    if (news.error !== undefined) this.fail(fromNative(news.error, this.#origin));
    else if (news.result !== undefined) this.#finish(news.result);
    else this.#chunks.serve();
  }

  /** Ends it with an error, after the text that came before it. */
  fail(error: unknown): void {
    if (this.over) return;
    this.#end();
    this.#result.reject(error);
    this.#chunks.fail(error);
  }

  #tellProgress({ evaluated, total }: NativeNews): void {
    if (evaluated === undefined || total === undefined) return;
    try {
      this.#onProgress?.(evaluated, total);
    } catch (error) {
      this.#abandon(error);
    }
  }

  /** Ends it at once, unread text and all, while the engine still lets go of it. */
  #abandon(error: unknown): void {
    if (this.over) return;
    this.#native.cancel(this.id);
    this.#dropUnread();
    this.fail(error);
  }

  #finish(native: NativeResult): void {
    const result = resultOf(native, this.#text, this.#tokens.from(0), this.#logprobs);
    this.#end();
    this.#result.resolve(result);
    this.#chunks.serve();
  }

  #end(): void {
    this.#over = true;
    this.#unwatch();
  }

  #dropUnread(): void {
    this.#unreadText = "";
    this.#readTokens = this.#tokens.length;
  }

  #takeChunk(): GenerationChunk | undefined {
    const pendingTokens = this.#tokens.length > this.#readTokens;
    if (this.#unreadText === "" && !(this.over && pendingTokens)) return undefined;
    const [start, end] = [this.#readTokens, this.#tokens.length];
    const chunk = { text: this.#unreadText, tokens: this.#tokens.from(start) };
    this.#dropUnread();
    return this.#logprobs ? { ...chunk, logprobs: this.#logprobs.slice(start, end) } : chunk;
  }
}

function resultOf(
  native: NativeResult,
  text: string,
  tokens: Int32Array,
  buffer: Logprobs | undefined,
): GenerationResult {
  const { promptTokens, cachedTokens, completionTokens } = native;
  const { queuedMs, promptMs, generationMs } = native;
  const result: GenerationResult = {
    text,
    tokens,
    stopReason: native.stopReason,
    stopToken: native.stopToken < 0 ? null : native.stopToken,
    stopString: native.stopString,
    usage: { promptTokens, cachedTokens, completionTokens },
    timings: {
      queuedMs,
      promptMs,
      generationMs,
      tokensPerSecond: generationMs > 0 ? (completionTokens * 1000) / generationMs : 0,
    },
    ...(native.drafts && { speculation: { ...native.drafts } }),
  };
  return buffer === undefined ? result : withLogprobs(result, buffer);
}

/** Thousands of tokens have 21 objects each: they are made for those who look at them only. */
function withLogprobs(result: GenerationResult, buffer: Logprobs): GenerationResult {
  let logprobs: TokenLogprobs[] | undefined;
  return Object.defineProperty(result, "logprobs", {
    enumerable: true,
    configurable: true,
    get(): TokenLogprobs[] {
      logprobs ??= buffer.slice(0, result.tokens.length);
      return logprobs;
    },
  });
}
