import type { ContextStats } from "../context/context.js";
import type { EmbedOptions, Pooling, RankOptions } from "../embedding/embed.js";
import type { Choice, ChooseOptions } from "../generation/choose.js";
import {
  type Generation,
  type GenerationResult,
  RunningGeneration,
} from "../generation/generation.js";
import type { TokenLogprobs } from "../generation/logprobs.js";
import type { ScoreOptions } from "../generation/score.js";
import { asyncDispose } from "../internal/async-dispose.js";
import { disposedError, expected, invalid, originAt } from "../internal/errors.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { PromptInput } from "../model/prompt.js";
import type { Tokens } from "../model/tokens.js";
import { type CallReceiver, type Connection, splitOptions } from "./connection.js";
import type { ChunkNews, ContextFacts, GenerationEnd, ProgressNews } from "./port-protocol.js";
import type { RemoteGenerateOptions } from "./remote-generate-options.js";

/** What a model's file says of it, and how it was loaded. */
export type ModelFacts = {
  readonly [Name in keyof LoadedModel as LoadedModel[Name] extends (...args: never[]) => unknown
    ? never
    : Name extends "disposed"
      ? never
      : Name]: LoadedModel[Name];
};

/** What the rooms around a context need of it. */
export interface RemoteContextInside {
  readonly connection: Connection;
  readonly id: number;
}

const KEY = Symbol("RemoteContext");

/** Set by the class, whose member it reads. */
let peek: (context: unknown) => RemoteContextInside | undefined;
/** Set by the class, whose constructor is private. */
export let makeRemoteContext: (
  inside: RemoteContextInside,
  model: ModelFacts,
  facts: ContextFacts,
) => RemoteContext;

/** @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED */
export function contextInside(context: unknown): RemoteContextInside {
  const inside = peek(context);
  if (inside === undefined) throw expected("a context of a connected Model", "context", context);
  if ((context as RemoteContext).disposed) throw disposedError("The context");
  return inside;
}

/**
 * A context on the other side of a port, with the methods of `Context`. What a local one throws for invalid
 * arguments, this one rejects with: they are checked where the model is.
 */
export class RemoteContext implements AsyncDisposable {
  /** The facts of the model that it was made of. */
  readonly model: ModelFacts;
  /** Tokens that one generation can hold, prompt and output together; for embeddings, one text. */
  readonly contextSize: number;
  /** How many generations are decoded together; for embeddings, texts in one batch. */
  readonly sequences: number;
  /** Tokens that go to the engine in one call. */
  readonly batchSize: number;
  /** Threads that generate. */
  readonly threads: number;
  /** How it makes a text's vector; null for a context that generates. */
  readonly pooling: Pooling | null;
  readonly #inside: RemoteContextInside;
  #closing: Promise<void> | undefined;

  static {
    peek = (context) =>
      typeof context === "object" && context !== null && #inside in context
        ? context.#inside
        : undefined;
    makeRemoteContext = (...parts) => new RemoteContext(KEY, ...parts);
  }

  private constructor(
    key: symbol,
    inside: RemoteContextInside,
    model: ModelFacts,
    facts: ContextFacts,
  ) {
    if (key !== KEY) throw invalid("A context is made by model.createContext(), not by `new`");
    this.#inside = inside;
    this.model = model;
    this.contextSize = facts.contextSize;
    this.sequences = facts.sequences;
    this.batchSize = facts.batchSize;
    this.threads = facts.threads;
    this.pooling = facts.pooling as Pooling | null;
  }

  /**
   * Starts a generation, as `Context.generate`. The signal and `cancel()` work across the port; a slow reader gets
   * bigger chunks.
   *
   * @throws {CriaError} ERR_DISPOSED; ERR_INVALID_ARGUMENT for options that cannot cross a port
   */
  generate(prompt: PromptInput, options?: RemoteGenerateOptions): Generation {
    const { connection, id: target } = contextInside(this);
    const { here, there } = splitOptions(options, ["signal", "onProgress"]);
    const logprobs = there.logprobs === undefined ? undefined : new ReceivedLogprobs();
    let id = 0;
    const generation = new RunningGeneration({
      id,
      native: { cancel: () => connection.cancel(id) },
      signal: here.signal,
      onProgress: here.onProgress,
      logprobs,
      origin: originAt(this.generate),
    });
    if (generation.over) return generation;
    const args = [prompt, there, here.onProgress !== undefined];
    try {
      id = connection.start("generate", target, args, receiverOf(generation, logprobs));
    } catch (error) {
      generation.fail(error); // so that it lets go of the signal
      throw error;
    }
    return generation;
  }

  /**
   * Generates and resolves with the whole result: `generate(prompt, options).result()`.
   *
   * @throws {CriaError} as `Context.generateText`; ERR_CONNECTION_CLOSED
   */
  async generateText(
    prompt: PromptInput,
    options?: RemoteGenerateOptions,
  ): Promise<GenerationResult> {
    return this.generate(prompt, options).result();
  }

  /**
   * Log-probabilities of each candidate as the token after the prompt, as `Context.score`.
   *
   * @throws {CriaError} as `Context.score`; ERR_CONNECTION_CLOSED
   */
  async score(
    prompt: PromptInput,
    candidates: Tokens,
    options?: ScoreOptions,
  ): Promise<Float32Array> {
    const { here, there } = splitOptions(options, ["signal", "onUsage"]);
    const args = [prompt, candidates, there, here.onUsage !== undefined];
    return this.#request("score", args, { signal: here.signal, onNews: here.onUsage });
  }

  /**
   * How likely each of several texts is behind the prompt, as `Context.choose`.
   *
   * @throws {CriaError} as `Context.choose`; ERR_CONNECTION_CLOSED
   */
  async choose(
    prompt: PromptInput,
    choices: readonly string[],
    options?: ChooseOptions,
  ): Promise<Choice[]> {
    const { here, there } = splitOptions(options, ["signal", "onUsage"]);
    const args = [prompt, choices, there, here.onUsage !== undefined];
    return this.#request("choose", args, { signal: here.signal, onNews: here.onUsage });
  }

  /**
   * A text's vector, in a context made with `embeddings: true`, as `Context.embed`.
   *
   * @throws {CriaError} as for many texts
   */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  /**
   * A vector for each text, in their order.
   *
   * @throws {CriaError} as `Context.embed`; ERR_CONNECTION_CLOSED
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(
    input: string | readonly string[],
    options?: EmbedOptions,
  ): Promise<Float32Array | Float32Array[]> {
    const { here, there } = splitOptions(options, ["signal"]);
    return this.#request("embed", [input, there], here);
  }

  /**
   * How well each document answers the query, as `Context.rank`.
   *
   * @throws {CriaError} as `Context.rank`; ERR_CONNECTION_CLOSED
   */
  async rank(
    query: string,
    documents: readonly string[],
    options?: RankOptions,
  ): Promise<Float32Array> {
    const { here } = splitOptions(options, ["signal"]);
    return this.#request("rank", [query, documents], here);
  }

  /**
   * What `Context.stats` says, at the time when the server read it.
   *
   * @throws {CriaError} ERR_DISPOSED, ERR_CONNECTION_CLOSED
   */
  async stats(): Promise<ContextStats> {
    return this.#request("stats", []);
  }

  async #request<T>(
    method: "score" | "choose" | "embed" | "rank" | "stats",
    args: readonly unknown[],
    options: Parameters<Connection["request"]>[3] = {},
  ): Promise<T> {
    const { connection, id } = contextInside(this);
    return connection.request<T>(method, id, args, options);
  }

  /** True from the call of `dispose` on. */
  get disposed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Ends the context: what is pending rejects with ERR_DISPOSED. Resolves when the memory is given back, or
   * the connection is gone. May be called any number of times; never rejects.
   */
  dispose(): Promise<void> {
    const { connection, id } = this.#inside;
    this.#closing ??= connection.request<void>("dispose", id, []).catch(() => {});
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Fed before the chunk that they belong to: the objects were made at the server. */
class ReceivedLogprobs {
  readonly #all: TokenLogprobs[] = [];

  add(more: readonly TokenLogprobs[] = []): void {
    for (const one of more) this.#all.push(one);
  }

  push(): void {}

  slice(start: number, end: number): TokenLogprobs[] {
    return this.#all.slice(start, end);
  }
}

const NO_TOKENS = new Int32Array(0);

function receiverOf(
  generation: RunningGeneration,
  logprobs: ReceivedLogprobs | undefined,
): CallReceiver {
  const plain = { id: 0, text: "", tokens: NO_TOKENS };
  return {
    news: (told) => {
      const {
        text = "",
        tokens = NO_TOKENS,
        logprobs: more,
        progress,
      } = told as ChunkNews & Partial<ProgressNews>;
      if (progress !== undefined) {
        const [evaluated, total] = progress as [number, number];
        generation.receive({ ...plain, evaluated, total });
        return;
      }
      logprobs?.add(more);
      generation.receive({ ...plain, text, tokens });
    },
    result: (value) => {
      const { stopReason, stopToken, stopString, usage, timings, speculation } =
        value as GenerationEnd;
      const { tokensPerSecond: _, ...times } = timings;
      const end = { stopReason, stopToken: stopToken ?? -1, stopString, ...usage, ...times };
      const drafts = speculation && { drafts: speculation };
      generation.receive({ ...plain, result: { ...end, ...drafts } });
    },
    fail: (error) => generation.fail(error),
  };
}
