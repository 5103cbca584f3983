import { resolve } from "node:path";
import { randomSeed } from "../generation/generate-options.js";
import { throwIfAborted, untilAborted, watchSignal } from "../internal/abort.js";
import { asyncDispose } from "../internal/async-dispose.js";
import { abortSignal, filePath, integer, MAX_INT32, readOptions } from "../internal/checks.js";
import {
  CriaError,
  disposedError,
  expected,
  invalid,
  type Origin,
  originAt,
} from "../internal/errors.js";
import type {
  NativeAnswer,
  NativeCommand,
  NativeSamplerStep,
  NativeScaledAdapter,
} from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { ownFloats, ownInts } from "../internal/realm.js";
import { answered, type Command, type Requests } from "../internal/requests.js";
import { TurnQueue } from "../internal/turn-queue.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { nativeAdapters, type ScaledAdapter } from "../model/lora-adapter.js";
import { nativePrompt, type PromptInput, type PromptVocabulary } from "../model/prompt.js";
import { isSampler, nativeSteps, type Sampler } from "../sampling/sampler.js";

/** What `Context.createSequence` takes. */
export interface SequenceOptions {
  /**
   * LoRA adapters that it and its forks are evaluated with, as in `GenerateOptions`, but no activated ones. A saved
   * state goes only where a sequence has the same. Default: none.
   */
  readonly adapters?: readonly ScaledAdapter[];
  /**
   * What is to be evaluated first: as much of it as the context has cached, of a generation for instance, is not
   * evaluated again then. What comes behind may round differently, as with `cachePrompt`. Default: none, all of
   * what is evaluated is computed anew.
   */
  readonly cached?: PromptInput;
}

const SEQUENCE_OPTIONS = optionNames("context.createSequence", ["adapters", "cached"]);

/** What `Sequence.evaluate` takes besides the prompt. */
export interface EvaluateOptions {
  /**
   * Aborts the call, which rejects with its reason at once and leaves the sequence as it was; the engine is
   * free soon after. Default: none.
   */
  readonly signal?: AbortSignal;
}

const EVALUATE_OPTIONS = optionNames("sequence.evaluate", ["signal"]);

const KEY = Symbol("Sequence");

interface Parts {
  readonly context: { readonly disposed: boolean; readonly model: LoadedModel };
  readonly requests: Requests;
  readonly vocabulary: PromptVocabulary;
}

interface State {
  /** The engine's number of the sequence. */
  readonly sequence: number;
  readonly tokens: Int32Array;
  readonly samplers: ReadonlyMap<Sampler, NativeSampler>;
  readonly adapters: readonly NativeScaledAdapter[];
}

/** What stands for a Sampler in this sequence and those forked from it. */
interface NativeSampler {
  readonly sampler: number;
  readonly steps: readonly NativeSamplerStep[];
  readonly seed: number;
}

/** Set by the class, whose constructor is private. */
let makeSequence: (parts: Parts, state: State) => Sequence;

/** One that was dropped without dispose is given back once it is collected, whenever that is. */
const dropped = new FinalizationRegistry<{ requests: Requests; sequence: number }>(
  ({ requests, sequence }) => requests.release(sequence),
);

/**
 * Manual control over one of the context's `sequences`: evaluate, look at the logits, choose, go back,
 * branch. Made by `Context.createSequence` and by `fork`. Its methods are carried out one after the other
 * in the order of their calls, also when they are not awaited; one that fails does not stop the next.
 *
 * Each rejects with ERR_DISPOSED where the sequence or its context is or gets disposed. Dispose what you
 * do not need: a sequence keeps its place in the context until then (one that is dropped is given back
 * when the garbage collector finds it, which may be late).
 *
 * @example
 * await using sequence = await context.createSequence();
 * const greedy = Sampler.greedy();
 * await sequence.evaluate("Once upon a time");
 * for (let i = 0; i < 20; i++) await sequence.evaluate([await sequence.sample(greedy)]);
 * console.log(context.model.detokenize(sequence.tokens));
 */
export class Sequence implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #sequence: number;
  readonly #adapters: readonly NativeScaledAdapter[];
  #evaluated: Int32Array;
  /** Given out, so that whatever is done to it does not reach `#evaluated`. */
  #shown: Int32Array | undefined;
  /** Forgotten when the engine forgets their state, so that one without a seed draws anew. */
  readonly #samplers: Map<Sampler, NativeSampler>;
  readonly #turns = new TurnQueue("The sequence");
  #running: Command | undefined;
  #closing: Promise<void> | undefined;

  private constructor(key: symbol, parts: Parts, state: State) {
    if (key !== KEY) {
      throw invalid("A Sequence is made by context.createSequence(), not by `new`");
    }
    this.#parts = parts;
    this.#sequence = state.sequence;
    this.#adapters = state.adapters;
    this.#evaluated = state.tokens;
    this.#samplers = new Map(state.samplers);
    dropped.register(this, { requests: parts.requests, sequence: state.sequence }, this);
  }

  static {
    makeSequence = (parts, state) => new Sequence(KEY, parts, state);
  }

  /** What is evaluated: a copy, replaced when `evaluate`, `trim` or `restore` resolves. */
  get tokens(): Int32Array {
    this.#shown ??= this.#evaluated.slice();
    return this.#shown;
  }

  /**
   * Appends a prompt. A bare string gets a BOS only where the sequence is empty and the model wants one.
   * Where it fails or is aborted, the sequence is as it was.
   *
   * @example
   * await sequence.evaluate([{ control: "<|eot_id|>" }], { signal: AbortSignal.timeout(1000) });
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_CONTEXT_FULL (more than `contextSize`
   * tokens in all), ERR_DECODE_FAILED, ERR_DEVICE_LOST, ERR_WORKER_UNREACHABLE, ERR_OUT_OF_MEMORY, ERR_INTERNAL (the
   * engine failed); the signal's reason
   */
  async evaluate(prompt: PromptInput, options?: EvaluateOptions): Promise<void> {
    this.#assertAlive();
    const origin = originAt(this.evaluate);
    const { segments, addBos } = nativePrompt(prompt, this.#parts.vocabulary);
    const { signal } = readOptions(options, "options", EVALUATE_OPTIONS);
    if (signal !== undefined) abortSignal(signal, "options.signal");
    const turn = this.#queue(async () => {
      throwIfAborted(signal);
      const first = this.#evaluated.length === 0;
      if (!first && segments.length === 0) {
        throw expected("some text behind what is evaluated", "prompt", prompt);
      }
      const command = { segments, addBos: addBos && first } as const;
      const answer = await this.#run({ type: "evaluate", ...command }, origin, signal);
      if (answer.cancelled !== true && signal?.aborted) await this.#undo(origin);
      throwIfAborted(signal);
      this.#replace(ownInts(answered(answer.tokens)));
    });
    await untilAborted(turn, signal);
  }

  /**
   * The model's raw prediction after the last evaluated token: one logit per token of the vocabulary, an
   * array of your own.
   *
   * @example
   * const logits = await sequence.logits();
   * const likeliest = logits.indexOf(Math.max(...logits));
   * @throws {CriaError} ERR_INVALID_ARGUMENT (nothing is evaluated), ERR_DISPOSED, ERR_DECODE_FAILED
   */
  async logits(): Promise<Float32Array> {
    this.#assertAlive();
    const origin = originAt(this.logits);
    return this.#queue(async () => {
      this.#assertEvaluated();
      return ownFloats(answered((await this.#run({ type: "logits" }, origin)).values));
    });
  }

  /**
   * Chooses the next token, which it does not evaluate. What a sampler remembers (the state of its
   * random numbers, penalties, grammar, mirostat) is kept here for each Sampler object: keep using the
   * same one. `fork` copies it, `trim` and `restore` forget it.
   *
   * @example
   * const token = await sequence.sample(sampler);
   * if (!model.isEndOfGeneration(token)) await sequence.evaluate([token]);
   * @throws {CriaError} ERR_INVALID_ARGUMENT (nothing is evaluated, among others), ERR_GRAMMAR_INVALID,
   * ERR_DISPOSED
   */
  async sample(sampler: Sampler): Promise<number> {
    this.#assertAlive();
    const origin = originAt(this.sample);
    if (!isSampler(sampler)) throw expected("a Sampler", "sampler", sampler);
    const { vocabularySize } = this.#parts.vocabulary;
    const steps = this.#samplers.get(sampler)?.steps ?? nativeSteps(sampler, vocabularySize);
    return this.#queue(async () => {
      this.#assertEvaluated();
      const known = this.#samplers.get(sampler) ?? this.#adopt(sampler, steps);
      return answered((await this.#run({ type: "sample", ...known }, origin)).token);
    });
  }

  /**
   * A second sequence in the same state, which takes another of the context's `sequences`; what is
   * cached is shared or copied, never evaluated again.
   *
   * @example
   * await using other = await sequence.fork();
   * @throws {CriaError} ERR_CONTEXT_FULL at once where no sequence is free, ERR_OUT_OF_MEMORY,
   * ERR_DISPOSED
   */
  async fork(): Promise<Sequence> {
    this.#assertAlive();
    const origin = originAt(this.fork);
    return this.#queue(async () => {
      const { sequence } = await this.#run({ type: "fork" }, origin);
      const adapters = this.#adapters;
      const state = { tokens: this.#evaluated, samplers: this.#samplers, adapters };
      return makeSequence(this.#parts, { sequence: answered(sequence), ...state });
    });
  }

  /**
   * Goes back to the first `length` tokens, 0…`tokens.length` at the time of its turn.
   *
   * @example
   * await sequence.trim(promptLength);
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  async trim(length: number): Promise<void> {
    this.#assertAlive();
    const origin = originAt(this.trim);
    integer(length, "length", 0, MAX_INT32);
    return this.#queue(async () => {
      integer(length, "length", 0, this.#evaluated.length);
      await this.#run({ type: "trim", length }, origin);
      this.#forget(this.#evaluated.slice(0, length));
    });
  }

  /**
   * Writes what is evaluated to a file, which is there completely or as it was before. The state of
   * samplers is not part of it. A relative path counts from the working directory at the call; a link is
   * followed, and a file that is replaced keeps its mode.
   *
   * @example
   * await sequence.save("system-prompt.state");
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_STATE_INVALID (it cannot be
   * written, or is no regular file)
   */
  async save(path: string): Promise<void> {
    this.#assertAlive();
    const origin = originAt(this.save);
    const file = resolve(filePath(path, "path"));
    return this.#queue(async () => {
      await this.#run({ type: "save", path: file }, origin);
    });
  }

  /**
   * Replaces what is evaluated by what a `save` wrote, of the same model in a context of the same
   * `sequences` (with a per-sequence KV cache), `kvCache`, `kvCacheType`, `flashAttention`, `rope`,
   * adapters and control vectors; nothing is evaluated. Where it is refused, the sequence is as it was.
   *
   * @example
   * await sequence.restore("system-prompt.state");
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_STATE_INVALID (no such file, none of
   * cria's, or of another model, cache, adapters or control vectors), ERR_CONTEXT_FULL (longer than this context)
   */
  async restore(path: string): Promise<void> {
    this.#assertAlive();
    const origin = originAt(this.restore);
    const file = resolve(filePath(path, "path"));
    const adapters = this.#adapters;
    return this.#queue(async () => {
      const { tokens } = await this.#run({ type: "restore", path: file, adapters }, origin);
      this.#forget(ownInts(answered(tokens)));
    });
  }

  /** True from the call of `dispose` on, also of the context's. */
  get disposed(): boolean {
    return this.#closing !== undefined || this.#parts.context.disposed;
  }

  /** Gives the sequence back to the context. Idempotent; what is pending rejects with ERR_DISPOSED. */
  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #close(): Promise<void> {
    dropped.unregister(this);
    if (this.#parts.context.disposed) return;
    this.#running?.fail(disposedError("The sequence"));
    try {
      const command = { type: "dispose", sequence: this.#sequence } as const;
      await this.#parts.requests.command(command, originAt(this.dispose)).answer;
    } catch (error) {
      // The context went, and the sequence with it.
      if (!CriaError.is(error) || error.code !== "ERR_DISPOSED") throw error;
    }
  }

  #queue<T>(operation: () => Promise<T>): Promise<T> {
    return this.#turns.add(async (before) => {
      await before;
      this.#assertAlive();
      return operation();
    });
  }

  async #run(
    command: SequenceCommand,
    origin: Origin,
    signal?: AbortSignal,
  ): Promise<NativeAnswer> {
    const complete = { ...command, sequence: this.#sequence } as NativeCommand;
    const running = this.#parts.requests.command(complete, origin);
    const unwatch = signal && watchSignal(signal, () => running.cancel());
    this.#running = running;
    try {
      return await running.answer;
    } finally {
      this.#running = undefined;
      unwatch?.();
    }
  }

  /** The abort came when the evaluation was through already, with its answer on the way. */
  async #undo(origin: Origin): Promise<void> {
    await this.#run({ type: "trim", length: this.#evaluated.length }, origin);
    this.#forget(this.#evaluated);
  }

  #replace(tokens: Int32Array): void {
    this.#evaluated = tokens;
    this.#shown = undefined;
  }

  #forget(tokens: Int32Array): void {
    this.#replace(tokens);
    this.#samplers.clear();
  }

  #adopt(sampler: Sampler, steps: readonly NativeSamplerStep[]): NativeSampler {
    const number = this.#parts.requests.newId();
    const known = { sampler: number, steps, seed: sampler.seed ?? randomSeed() };
    this.#samplers.set(sampler, known);
    return known;
  }

  #assertEvaluated(): void {
    if (this.#evaluated.length > 0) return;
    throw invalid("Nothing is evaluated in this sequence yet: call evaluate() first");
  }

  #assertAlive(): void {
    if (this.#parts.context.disposed) throw disposedError("The context");
    if (this.#closing !== undefined) throw disposedError("The sequence");
  }
}

/** A command for a sequence, without its number. */
type SequenceCommand = DistributiveOmit<Extract<NativeCommand, { sequence: number }>, "sequence">;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An empty one, for the context that asks the engine for it. */
export async function createSequence(
  parts: Parts,
  options: SequenceOptions | undefined,
  origin: Origin,
): Promise<Sequence> {
  const o = readOptions(options, "options", SEQUENCE_OPTIONS);
  const adapters = nativeAdapters(o.adapters, "options.adapters", parts.context.model);
  const cached = o.cached !== undefined;
  const prompt = cached
    ? nativePrompt(o.cached, parts.vocabulary)
    : { segments: [], addBos: false };
  const create = { type: "create", adapters, cached, ...prompt } as const;
  const { sequence } = await parts.requests.command(create, origin).answer;
  const state = { tokens: new Int32Array(), samplers: new Map(), adapters };
  return makeSequence(parts, { sequence: answered(sequence), ...state });
}
