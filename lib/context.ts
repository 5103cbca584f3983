import { abortReason, watchSignal } from "./abort.js";
import { type ContextOptions, nativeContextOptions } from "./context-options.js";
import { asyncDispose } from "./dispose.js";
import { CriaError, disposedError, fromNative, invalid, originAt } from "./errors.js";
import { nativeGenerateOptions } from "./generate-options.js";
import { type GenerateOptions, type Generation, RunningGeneration } from "./generation.js";
import type { Model } from "./model.js";
import type {
  NativeAddon,
  NativeContext,
  NativeContextInfo,
  NativeContextOptions,
  NativeModelInfo,
  NativeNews,
} from "./native.js";
import { nativePrompt, type PromptInput, type PromptVocabulary } from "./prompt.js";
import { recommendedSampler, type Sampler } from "./sampler.js";

/** A context's counters, at the time of reading. */
export interface ContextStats {
  /** Generations that are in the batch. */
  readonly activeGenerations: number;
  /** Generations that wait for a sequence. */
  readonly queuedGenerations: number;
  /** Tokens in the KV cache. */
  readonly cachedTokens: number;
  /** Tokens evaluated since the context was created, prompts included. */
  readonly decodedTokens: number;
  /** Calls into the engine since the context was created. */
  readonly batches: number;
}

const KEY = Symbol("Context");

interface Parts {
  readonly model: Model;
  readonly native: NativeContext;
  readonly options: NativeContextOptions;
  readonly info: NativeContextInfo;
  readonly vocabulary: PromptVocabulary;
  readonly pending: Pending;
}

type Pending = Map<number, RunningGeneration>;

/** Set by the class, whose constructor is private. */
let makeContext: (parts: Parts) => Context;

/**
 * A model's working memory, with a thread of its own that decodes everything that runs in it in shared
 * batches. Made by `Model.createContext`. A pending generation keeps the process alive, an idle context
 * does not.
 */
export class Context implements AsyncDisposable {
  readonly model: Model;
  /** Tokens that one generation can hold, prompt and output together. */
  readonly contextSize: number;
  /** How many generations are decoded together. */
  readonly sequences: number;
  /** Tokens that go to the engine in one call. */
  readonly batchSize: number;
  readonly #native: NativeContext;
  readonly #vocabulary: PromptVocabulary;
  readonly #pending: Pending;
  #recommended: Sampler | undefined;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  private constructor(key: symbol, parts: Parts) {
    if (key !== KEY) throw invalid("A Context is made by model.createContext(), not by `new`");
    this.model = parts.model;
    this.contextSize = parts.options.contextSize;
    this.sequences = parts.options.sequences;
    this.batchSize = parts.info.batchSize;
    this.#native = parts.native;
    this.#vocabulary = parts.vocabulary;
    this.#pending = parts.pending;
  }

  static {
    makeContext = (parts) => new Context(KEY, parts);
  }

  /**
   * Starts a generation at once; any number may run at the same time. It throws only for invalid
   * arguments and a disposed context, everything else reaches the generation's readers.
   *
   * @example
   * const { text } = await context.generate("The llama", { maxTokens: 32 }).result();
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  generate(prompt: PromptInput, options?: GenerateOptions): Generation {
    if (this.disposed) throw disposedError("The context");
    const { segments, addBos } = nativePrompt(prompt, this.#vocabulary);
    const { vocabularySize } = this.#vocabulary;
    const { request, signal, onProgress } = nativeGenerateOptions(options, vocabularySize, () => {
      this.#recommended ??= recommendedSampler(this.model.metadata);
      return this.#recommended;
    });
    const id = this.#nextId++;
    const origin = originAt(this.generate);
    const native = this.#native;
    const generation = new RunningGeneration({ id, native, signal, onProgress, origin });
    if (!generation.over) this.#submit(generation, { ...request, id, segments, addBos });
    return generation;
  }

  #submit(generation: RunningGeneration, request: Parameters<NativeContext["submit"]>[0]): void {
    this.#pending.set(generation.id, generation);
    try {
      this.#native.submit(request);
    } catch (error) {
      this.#pending.delete(generation.id);
      const failure = fromNative(error);
      generation.fail(failure);
      if (failure.code === "ERR_INVALID_ARGUMENT" || failure.code === "ERR_DISPOSED") throw failure;
    }
  }

  /** @throws {CriaError} ERR_DISPOSED */
  get stats(): ContextStats {
    if (this.disposed) throw disposedError("The context");
    return this.#native.stats();
  }

  /** True from the call of `dispose` on. */
  get disposed(): boolean {
    return this.#closing !== undefined;
  }

  /** Idempotent. What is pending rejects with ERR_DISPOSED; resolves when the memory is given back. */
  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** What is pending fails at once: nothing may depend on how fast the engine's thread stops. */
  async #close(): Promise<void> {
    for (const generation of this.#pending.values()) generation.fail(disposedError("The context"));
    this.#pending.clear();
    await this.#native.close();
  }
}

/** What a model gives its new context. */
export interface ContextOwner {
  readonly model: Model;
  readonly addon: NativeAddon;
  /** Not opened yet; the model closes it if it is disposed meanwhile. */
  readonly native: NativeContext;
  readonly info: NativeModelInfo;
  readonly vocabulary: PromptVocabulary;
}

export async function openContext(
  { model, addon, native, info, vocabulary }: ContextOwner,
  given: ContextOptions | undefined,
): Promise<Context> {
  const { native: options, signal } = nativeContextOptions(given, info, () => addon.listDevices());
  if (signal?.aborted) throw abortReason(signal);
  const unwatch = signal && watchSignal(signal, () => void native.close());
  const pending: Pending = new Map();
  try {
    const opened = await native.open(options, deliverTo(pending));
    if (signal?.aborted) throw abortReason(signal);
    return makeContext({ model, native, options, info: opened, vocabulary, pending });
  } catch (error) {
    await native.close();
    if (signal?.aborted) throw abortReason(signal);
    throw CriaError.is(error) ? error : fromNative(error);
  } finally {
    unwatch?.();
  }
}

/**
 * The engine holds this function as long as the context lives, so it must lead to the context only
 * while something is pending: one that was dropped could never be collected otherwise.
 */
function deliverTo(pending: Pending): (news: readonly NativeNews[]) => void {
  return (news) => {
    for (const entry of news) {
      const generation = pending.get(entry.id);
      if (entry.result !== undefined || entry.error !== undefined) pending.delete(entry.id);
      generation?.receive(entry);
    }
  };
}
