import {
  type EmbedOptions,
  type EmbedResult,
  embed,
  embedMany,
  type Pooling,
  type RankOptions,
  rank,
} from "../embedding/embed.js";
import { type Choice, type ChooseOptions, choose } from "../generation/choose.js";
import {
  type BatchRequest,
  type BatchResult,
  type GenerateManyOptions,
  generateMany,
} from "../generation/generate-many.js";
import { nativeGenerateOptions } from "../generation/generate-options.js";
import {
  type GenerateOptions,
  type Generation,
  type GenerationResult,
  RunningGeneration,
} from "../generation/generation.js";
import {
  assertInfills,
  type InfillInput,
  infillPrompt,
  LateGeneration,
  readInfill,
} from "../generation/infill.js";
import { LogprobBuffer } from "../generation/logprobs.js";
import { type ScoreOptions, scoreCommand, scoreUsage } from "../generation/score.js";
import { throwIfAborted, untilAborted, watchSignal } from "../internal/abort.js";
import { asyncDispose } from "../internal/async-dispose.js";
import { engine } from "../internal/engine-loader.js";
import { CriaError, disposedError, fromNative, invalid, originAt } from "../internal/errors.js";
import type {
  NativeAnswer,
  NativeCommand,
  NativeContext,
  NativeContextInfo,
  NativeContextOptions,
  NativeMemory,
  NativeModel,
  NativeModelInfo,
} from "../internal/native.js";
import { nativeCall, nativeWork } from "../internal/native-work.js";
import { ownFloats } from "../internal/realm.js";
import { answered, deliverTo, type Pending, Requests } from "../internal/requests.js";
import { insideOf, type LoadedModel } from "../model/loaded-model.js";
import { nativePrompt, type PromptInput, type PromptVocabulary } from "../model/prompt.js";
import type { TokenTexts } from "../model/token-texts.js";
import type { Tokens } from "../model/tokens.js";
import { recommendedSampler, type Sampler } from "../sampling/sampler.js";
import { type ContextOptions, nativeContextOptions } from "./context-options.js";
import { checkFits, sizeContext } from "./memory-estimate.js";
import { createSequence, type Sequence, type SequenceOptions } from "./sequence.js";

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
  readonly model: LoadedModel;
  readonly native: NativeContext;
  readonly options: NativeContextOptions;
  readonly info: NativeContextInfo;
  readonly vocabulary: PromptVocabulary;
  readonly texts: TokenTexts;
  readonly pending: Pending;
}

/** Set by the class, whose constructor is private. */
let makeContext: (parts: Parts) => Context;

/**
 * A model's working memory, with a thread of its own that decodes everything that runs in it in shared
 * batches. Made by `Model.createContext`. A pending generation keeps the process alive, an idle context
 * does not.
 */
export class Context implements AsyncDisposable {
  /** The model that it was made of, without `load` and `createContext`. */
  readonly model: LoadedModel;
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
  readonly #requests: Requests;
  readonly #vocabulary: PromptVocabulary;
  readonly #texts: TokenTexts;
  #recommended: Sampler | undefined;
  #closing: Promise<void> | undefined;

  private constructor(key: symbol, parts: Parts) {
    if (key !== KEY) throw invalid("A Context is made by model.createContext(), not by `new`");
    this.model = parts.model;
    this.contextSize = parts.options.contextSize;
    this.sequences = parts.options.sequences;
    this.batchSize = parts.info.batchSize;
    this.threads = parts.info.threads;
    this.pooling = parts.options.embeddings ? parts.options.pooling : null;
    this.#requests = new Requests(parts.native, parts.pending);
    this.#vocabulary = parts.vocabulary;
    this.#texts = parts.texts;
  }

  static {
    makeContext = (parts) => new Context(KEY, parts);
  }

  /**
   * Starts a generation at once; any number may run at the same time. It throws only for invalid
   * arguments and a disposed context, everything else reaches the generation's readers.
   *
   * @example
   * for await (const { text } of context.generate("The llama", { maxTokens: 32 })) {
   *   process.stdout.write(text);
   * }
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  generate(prompt: PromptInput, options?: GenerateOptions): Generation {
    this.#assertGenerates();
    const native = nativePrompt(prompt, this.#vocabulary);
    return this.#start(native, this.#checkOptions(options), originAt(this.generate));
  }

  #start(
    { segments, addBos }: ReturnType<typeof nativePrompt>,
    { request, signal, onProgress }: ReturnType<typeof nativeGenerateOptions>,
    origin: ReturnType<typeof originAt>,
  ): Generation {
    const id = this.#requests.newId();
    const generation = new RunningGeneration({
      id,
      native: this.#requests.native,
      signal,
      onProgress,
      logprobs: request.logprobs < 0 ? undefined : new LogprobBuffer(this.#texts, request.logprobs),
      origin,
    });
    if (!generation.over) {
      this.#requests.submit(generation, { ...request, id, segments, addBos });
    }
    return generation;
  }

  /**
   * Generates and resolves with the whole result: `generate(prompt, options).result()`.
   *
   * @example
   * const { text } = await context.generateText("The llama", { maxTokens: 32, temperature: 0 });
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_CONTEXT_FULL (the prompt is longer than the
   * context, or sequences hold every place), ERR_QUEUE_FULL, ERR_MEDIA_INVALID, ERR_UNSUPPORTED (media without a
   * projector), ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_WORKER_UNREACHABLE, ERR_OUT_OF_MEMORY, ERR_GRAMMAR_INVALID,
   * ERR_INTERNAL (the engine failed); the signal's reason; what `onProgress` threw
   */
  async generateText(prompt: PromptInput, options?: GenerateOptions): Promise<GenerationResult> {
    return this.generate(prompt, options).result();
  }

  /**
   * Writes what belongs between a prefix and a suffix, as an editor completes code. The prompt is that of
   * llama-server's `/infill`: of the texts around as much is taken as fits, the nearest first.
   *
   * @example
   * const { text } = await context.infill({ prefix: "def add(a, b):\n  return ", suffix: "\n" }).result();
   * @throws {CriaError} ERR_UNSUPPORTED (the model was not trained for it), ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  infill(input: InfillInput, options?: GenerateOptions): Generation {
    this.#assertGenerates();
    const { model } = this;
    const { infillTokens: tokens } = insideOf(model).info;
    assertInfills(tokens);
    const read = readInfill(input);
    const checked = this.#checkOptions(options);
    const { signal, request } = checked;
    const origin = originAt(this.infill);
    const prompt = infillPrompt(read, {
      ...{ tokens, contextSize: this.contextSize, batchSize: this.batchSize },
      maxTokens: request.maxTokens < 0 ? undefined : request.maxTokens,
      bos: this.#vocabulary.addsBos ? (model.specialTokens.bos ?? -1) : -1,
      tokenize: (text) => model.tokenizeAsync(text, signal && { signal }),
    });
    const started = prompt.then((ids) => {
      this.#assertGenerates();
      return this.#start(nativePrompt(ids, this.#vocabulary), checked, origin);
    });
    return new LateGeneration(started);
  }

  /**
   * Generates for every request of an iterable of any length and yields what becomes of each, as they
   * finish or in order. It starts with the first `next()`, keeps the context full whether or not a
   * result is waited for, and reads a bounded number of requests ahead of the results that are taken: a
   * quarter more than `sequences` (two more at least); four times as many with `ordered`.
   *
   * `options` hold for every request that does not say otherwise, but for `signal`, which ends all:
   * the iterator throws its reason at once. An invalid request, or one that fails, is the `error` of its
   * own result. An error of the iterable is thrown after the results of the requests before it. Leaving
   * the loop cancels what runs and closes the iterable.
   *
   * @example
   * const requests = ["One", "Two"].map((prompt) => ({ prompt, maxTokens: 16 }));
   * for await (const { index, result, error } of context.generateMany(requests)) {
   *   console.log(index, error ?? result.text);
   * }
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED; the iterator throws ERR_DISPOSED where the
   * context is disposed meanwhile, the signal's reason, the iterable's error
   */
  generateMany<T extends BatchRequest>(
    requests: Iterable<T> | AsyncIterable<T>,
    options?: GenerateManyOptions,
  ): AsyncIterableIterator<BatchResult<T>> {
    this.#assertGenerates();
    return generateMany(this, requests, options, (defaults) => this.#checkOptions(defaults));
  }

  /**
   * Log-probabilities (natural logarithms, of the model itself, before any sampler) of each candidate as
   * the token after the prompt, in the order given. The prompt is evaluated once, nothing is generated.
   *
   * @example
   * const [yes, no] = ["yes", "no"].map((word) => model.tokenize(word)[0]);
   * const [pYes, pNo] = (await context.score("Is a llama an animal? ", [yes, no])).map(Math.exp);
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_CONTEXT_FULL (the prompt is longer than
   * the context, or sequences hold every place), ERR_QUEUE_FULL, ERR_MEDIA_INVALID, ERR_UNSUPPORTED (media without a
   * projector), ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_WORKER_UNREACHABLE, ERR_OUT_OF_MEMORY, ERR_INTERNAL (the engine
   * failed); the signal's reason
   */
  async score(
    prompt: PromptInput,
    candidates: Tokens,
    options?: ScoreOptions,
  ): Promise<Float32Array> {
    this.#assertGenerates();
    const { command, signal, onUsage } = scoreCommand(prompt, candidates, options, {
      model: this.model,
      vocabulary: this.#vocabulary,
    });
    const answer = await this.#command(command, signal, originAt(this.score));
    onUsage?.(scoreUsage(answer));
    return ownFloats(answered(answer.values));
  }

  /**
   * How likely each of several texts is behind the prompt: classification without generating. Whole texts
   * count, not their first tokens; the prompt is evaluated once, and each text only where it differs from the
   * others. The choices come back in their order; none needs to be likely by itself.
   *
   * @example
   * const labels = await context.choose("Is a llama an animal or a plant? It is", [" an animal", " a plant"]);
   * const best = labels.reduce((a, b) => (b.probability > a.probability ? b : a));
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_CONTEXT_FULL (prompt and text are longer than the
   * context, or sequences hold every place), ERR_QUEUE_FULL, ERR_MEDIA_INVALID, ERR_UNSUPPORTED (media without a
   * projector), ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_WORKER_UNREACHABLE, ERR_OUT_OF_MEMORY, ERR_INTERNAL (the engine
   * failed); the signal's reason
   */
  async choose(
    prompt: PromptInput,
    choices: readonly string[],
    options?: ChooseOptions,
  ): Promise<Choice[]> {
    this.#assertGenerates();
    const { model } = this;
    const origin = originAt(this.choose);
    const ends = Object.values(model.specialTokens).filter((id) => id !== null);
    const context = {
      model,
      sequences: this.sequences,
      vocabulary: this.#vocabulary,
      endTokens: [...new Set(ends)].filter((id) => model.isEndOfGeneration(id)),
      tokenize: (text: string, signal: AbortSignal) => model.tokenizeAsync(text, { signal }),
      score: (command: NativeCommand, signal: AbortSignal) =>
        this.#command(command, signal, origin),
    };
    return choose(context, prompt, choices, options);
  }

  async #command(
    command: NativeCommand,
    signal: AbortSignal | undefined,
    origin: ReturnType<typeof originAt>,
  ): Promise<NativeAnswer> {
    throwIfAborted(signal);
    const running = this.#requests.command(command, origin);
    return untilAborted(running.answer, signal, () => running.cancel());
  }

  /**
   * Takes one of the context's `sequences` for manual control, until it is disposed; generations share
   * the others, and where there is none they are ERR_CONTEXT_FULL: they do not wait for a disposal.
   *
   * @example
   * await using sequence = await context.createSequence();
   * @throws {CriaError} ERR_CONTEXT_FULL at once where no sequence is free, ERR_INVALID_ARGUMENT, ERR_DISPOSED,
   * ERR_UNSUPPORTED (an activated LoRA)
   */
  async createSequence(options?: SequenceOptions): Promise<Sequence> {
    this.#assertGenerates();
    const parts = { context: this, requests: this.#requests, vocabulary: this.#vocabulary };
    return createSequence(parts, options, originAt(this.createSequence));
  }

  /**
   * A text's vector, in a context made with `embeddings: true`. With pooling "none" it holds one vector
   * for each token, one after the other. Text stays text: nothing in it becomes a control token.
   *
   * @example
   * const context = await model.createContext({ embeddings: true });
   * const vector = await context.embed("a llama");
   * @throws {CriaError} as for many texts
   */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  /**
   * A vector for each text, in their order. Texts of any length share batches. The first text that fails
   * rejects all of it.
   *
   * @example
   * const [llama, alpaca] = await context.embed(["a llama", "an alpaca"]);
   * const similarity = llama.reduce((sum, value, i) => sum + value * alpaca[i], 0);
   * @throws {CriaError} ERR_UNSUPPORTED (a context that generates), ERR_INVALID_ARGUMENT, ERR_DISPOSED,
   * ERR_CONTEXT_FULL (a text is longer than `contextSize`), ERR_DECODE_FAILED, ERR_DEVICE_LOST,
   * ERR_WORKER_UNREACHABLE, ERR_OUT_OF_MEMORY, ERR_INTERNAL (the engine failed); the signal's reason
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(
    input: string | readonly string[],
    options?: EmbedOptions,
  ): Promise<Float32Array | Float32Array[]> {
    return embed(this.#embedParts(), input, options, originAt(this.embed));
  }

  /**
   * The same for every text of an iterable of any length, which is read as it is needed: yields each
   * text's vector and number of tokens, or its own error, as they finish. Leaving the loop cancels what
   * runs and closes the iterable; otherwise as `generateMany`.
   *
   * @example
   * for await (const { index, embedding, error } of context.embedMany(lines)) {
   *   console.log(index, error ?? embedding);
   * }
   * @throws {CriaError} ERR_UNSUPPORTED, ERR_INVALID_ARGUMENT, ERR_DISPOSED; the iterator throws
   * ERR_DISPOSED where the context is disposed meanwhile, the signal's reason, the iterable's error
   */
  embedMany(
    inputs: Iterable<string> | AsyncIterable<string>,
    options?: EmbedOptions,
  ): AsyncIterableIterator<EmbedResult> {
    return embedMany(this.#embedParts(), inputs, options, originAt(this.embedMany));
  }

  /**
   * How well each document answers the query, by a reranker's classifier: higher is better, the scale is
   * the model's own. In a context made with `embeddings: true` and pooling "rank".
   *
   * @throws {CriaError} as `embed`
   */
  async rank(
    query: string,
    documents: readonly string[],
    options?: RankOptions,
  ): Promise<Float32Array> {
    return rank(this.#embedParts(), query, documents, options, originAt(this.rank));
  }

  #embedParts() {
    if (this.disposed) throw disposedError("The context");
    return { context: this, requests: this.#requests };
  }

  #assertGenerates(): void {
    if (this.disposed) throw disposedError("The context");
    if (this.pooling === null) return;
    throw new CriaError(
      "ERR_UNSUPPORTED",
      "This context was created with `embeddings`: to generate, create another one on the same model",
    );
  }

  #checkOptions(options: GenerateOptions | undefined): ReturnType<typeof nativeGenerateOptions> {
    return nativeGenerateOptions(options, this.model, (given) => {
      const { metadata } = this.model;
      if (given !== undefined) return recommendedSampler(metadata, given);
      this.#recommended ??= recommendedSampler(metadata);
      return this.#recommended;
    });
  }

  /**
   * Its counters, at the time of reading.
   *
   * @throws {CriaError} ERR_DISPOSED
   */
  get stats(): ContextStats {
    if (this.disposed) throw disposedError("The context");
    const { broken: _, ...stats } = this.#requests.native.stats();
    return stats;
  }

  /**
   * Whether the engine has failed inside (an assertion of llama.cpp's), after which all that is asked of it fails the
   * same way. The model is as good as before: dispose of the context, and make another one.
   */
  get broken(): boolean {
    return !this.disposed && this.#requests.native.stats().broken;
  }

  /** True from the call of `dispose` on. */
  get disposed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Ends the context: what is pending rejects with ERR_DISPOSED. Resolves when the memory is given back. May
   * be called any number of times; never rejects.
   */
  dispose(): Promise<void> {
    this.#closing ??= this.#requests.close();
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** What a context is made of. */
interface ContextOwner {
  readonly model: LoadedModel;
  /** Not opened yet. */
  readonly native: NativeContext;
  readonly measure: (
    options: NativeContextOptions,
    signal: AbortSignal | undefined,
  ) => Promise<NativeMemory>;
  readonly info: NativeModelInfo;
  readonly vocabulary: PromptVocabulary;
  readonly texts: TokenTexts;
}

/**
 * A new context of the model's, which closes it.
 *
 * @throws {CriaError} as `Model.createContext`
 */
export async function createContext(
  model: LoadedModel,
  given: ContextOptions | undefined,
): Promise<Context> {
  const { native: weights, info, options, texts, vocabulary, contexts } = insideOf(model);
  if (options.vocabOnly) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      "The model was loaded with `vocabOnly`: it has no weights",
    );
  }
  const { addon } = engine();
  const native = nativeCall(() => new addon.Context(weights));
  const measure: ContextOwner["measure"] = (context, signal) =>
    nativeWork(weights, (id) => weights.startMeasure(id, context), signal);
  const owner: ContextOwner = { model, native, measure, info, vocabulary, texts };
  const context = await contexts.open(native, () => openContext(owner, given));
  if (!model.disposed) return context;
  await context.dispose();
  throw disposedError("The model");
}

/** A context that ends with another model, too: its guesses come from there. */
async function openBeside(
  draft: LoadedModel,
  native: NativeContext,
  open: (draft: NativeModel) => Promise<Context>,
): Promise<Context> {
  const inside = insideOf(draft, "options.speculation.draft");
  if (inside.options.vocabOnly) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      "The model `options.speculation.draft` was loaded with `vocabOnly`: it has no weights",
    );
  }
  const context = await inside.contexts.open(native, () => open(inside.native));
  if (!draft.disposed) return context;
  await context.dispose();
  throw disposedError("The model `options.speculation.draft`");
}

export async function openContext(
  { model, native, measure, info, vocabulary, texts }: ContextOwner,
  given: ContextOptions | undefined,
): Promise<Context> {
  const checked = nativeContextOptions(given, info);
  const { signal } = checked;
  // Measuring checkpoints lays the model out several times more, and only "auto" leaves room for them.
  const counted = checked.shrinks ? {} : { checkpointMemory: 0 };
  const sized = await sizeContext(checked, "loaded", (options) =>
    measure({ ...options, ...counted }, signal),
  );
  checkFits(sized);
  throwIfAborted(signal);
  const { native: options } = sized;
  const unwatch = signal && watchSignal(signal, () => void native.close());
  const pending: Pending = new Map();
  const open = async (draft: NativeModel | null) => {
    const opened = await native.open(options, deliverTo(pending), draft);
    throwIfAborted(signal);
    return makeContext({ model, native, options, info: opened, vocabulary, texts, pending });
  };
  try {
    return await (checked.draft ? openBeside(checked.draft, native, open) : open(null));
  } catch (error) {
    await native.close();
    throwIfAborted(signal);
    throw CriaError.is(error) ? error : fromNative(error);
  } finally {
    unwatch?.();
  }
}
