import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { abortReason, watchSignal } from "./abort.js";
import { type Context, type ContextOwner, openContext } from "./context.js";
import type { ContextOptions } from "./context-options.js";
import { asyncDispose } from "./dispose.js";
import { engine } from "./engine.js";
import { CriaError, disposedError, fromNative, invalid, show } from "./errors.js";
import { nativeWork } from "./internal/native-work.js";
import { ownInts } from "./internal/realm.js";
import { TokenTexts } from "./logprobs.js";
import {
  type LoadModelOptions,
  loadOptionsOf,
  type ModelLoadOptions,
  nativeModelOptions,
} from "./model-options.js";
import type { NativeContext, NativeModel, NativeModelInfo, NativeModelOptions } from "./native.js";
import { registerNative } from "./natives.js";
import { abortSignal, boolean, filePath, readOptions, string } from "./options.js";
import type { PromptVocabulary } from "./prompt.js";
import { copyTokens, type Tokens, tokenId } from "./tokens.js";

/** Ids of the tokens that mean something to cria, null where the model has none. */
export interface SpecialTokens {
  /** Beginning of text. */
  readonly bos: number | null;
  /** End of text. */
  readonly eos: number | null;
  /** End of turn (`<|eot_id|>`). */
  readonly eot: number | null;
  /** End of message (`<|eom_id|>`): a tool is to run, the turn goes on. */
  readonly eom: number | null;
}

export interface TokenizeOptions {
  /** Whether text that spells a control token becomes it. Default false. */
  readonly special?: boolean;
  /** Whether a BOS goes in front, where the model has one. Default false. */
  readonly addBos?: boolean;
}

export interface TokenizeAsyncOptions extends TokenizeOptions {
  /** Takes effect at once; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface DetokenizeOptions {
  /** Control tokens as text. Default false: they leave none. */
  readonly special?: boolean;
}

const KEY = Symbol("Model");

/**
 * The weights and the vocabulary of one GGUF file, shared by all its contexts.
 *
 * @example
 * await using model = await Model.load("models/cria-demo.gguf");
 * await using context = await model.createContext({ sequences: 4 });
 */
export class Model implements AsyncDisposable {
  /** As it was given to `load`. */
  readonly path: string;
  /** In words, as "llama 8B Q4_K - Medium". */
  readonly description: string;
  /** The family, as "llama". */
  readonly architecture: string;
  readonly parameterCount: number;
  /** Of all tensors. */
  readonly sizeInBytes: number;
  /** Tokens that the model was trained on. */
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly layerCount: number;
  readonly vocabularySize: number;
  /**
   * Tells these weights from others, whatever the file is called: 16 hexadecimal digits, made of the
   * sizes of all the model's files and of blocks sampled from each. Against mix-ups, not forgery.
   */
  readonly fingerprint: string;
  /** What it was loaded with, as far as results depend on it. */
  readonly loadOptions: ModelLoadOptions;
  /** The file's key-value pairs in its order, with `metadataOverrides`, arrays left out. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The file's own chat template (Jinja), or null. */
  readonly chatTemplate: string | null;
  readonly specialTokens: SpecialTokens;
  readonly #native: NativeModel;
  readonly #info: NativeModelInfo;
  readonly #vocabOnly: boolean;
  readonly #texts: TokenTexts;
  readonly #opening = new Set<NativeContext>();
  // Weak, so that a context dropped without dispose is collected while its model lives.
  readonly #contexts = new Set<WeakRef<Context>>();
  #closing: Promise<void> | undefined;

  private constructor(
    key: symbol,
    path: string,
    native: NativeModel,
    info: NativeModelInfo,
    options: NativeModelOptions,
  ) {
    if (key !== KEY) throw invalid("A Model is made by Model.load(), not by `new`");
    this.#native = native;
    registerNative(this, native);
    this.#info = info;
    this.#texts = new TokenTexts((tokens) => native.detokenize(tokens, true));
    this.#vocabOnly = options.vocabOnly;
    this.loadOptions = loadOptionsOf(options);
    this.path = path;
    this.description = info.description;
    this.architecture = info.architecture;
    this.parameterCount = info.parameterCount;
    this.sizeInBytes = info.sizeInBytes;
    this.contextLength = info.contextLength;
    this.embeddingLength = info.embeddingLength;
    this.layerCount = info.layerCount;
    this.vocabularySize = info.vocabularySize;
    this.fingerprint = info.fingerprint;
    this.metadata = pairs(info.metadata);
    this.chatTemplate = info.chatTemplate;
    const { bos, eos, eot, eom } = info.specialTokens;
    this.specialTokens = Object.freeze({
      bos: orNull(bos),
      eos: orNull(eos),
      eot: orNull(eot),
      eom: orNull(eom),
    });
  }

  /**
   * Loads a model off the JS thread.
   *
   * @param path a GGUF file; of a split model the first part
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_INVALID,
   * ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED, ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU; the signal's
   * reason; what `onProgress` threw
   */
  static async load(path: string, options?: LoadModelOptions): Promise<Model> {
    const file = resolve(filePath(path, "path"));
    const { native: checked, signal, onProgress } = nativeModelOptions(file, options);
    const { addon } = engine();
    if (signal?.aborted) throw abortReason(signal);
    await checkFile(file);
    if (signal?.aborted) throw abortReason(signal);
    const native = new addon.Model();
    const stop = new LoadStop(native);
    const unwatch = signal && watchSignal(signal, () => stop.because(abortReason(signal)));
    const report = onProgress && reporter(onProgress, (error) => stop.because(error));
    try {
      const info = await native.load(checked, report ?? null);
      report?.(1);
      stop.check();
      return new Model(KEY, path, native, info, checked);
    } catch (error) {
      await native.close();
      stop.check();
      throw CriaError.is(error) ? error : fromNative(error);
    } finally {
      unwatch?.();
    }
  }

  /**
   * Tokens of a text. By default it is plain text: what spells a control token stays text, and no BOS
   * is added. Half a surrogate pair counts as U+FFFD.
   *
   * At once: the event loop stands still for as long, about a second for a megabyte. Texts that may be
   * long are for `tokenizeAsync`.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  tokenize(text: string, options?: TokenizeOptions): Int32Array {
    const { special, addBos } = this.#readTokenize(text, options);
    return ownInts(this.#call(() => this.#native.tokenize(text, special, addBos)));
  }

  /**
   * The same on a thread of the model's; a short text does not wait for a long one.
   *
   * @example
   * const tokens = await model.tokenizeAsync(document, { signal: AbortSignal.timeout(1000) });
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_OUT_OF_MEMORY; the signal's reason
   */
  async tokenizeAsync(text: string, options?: TokenizeAsyncOptions): Promise<Int32Array> {
    const { signal, ...rest } = readOptions(options, "options", ["special", "addBos", "signal"]);
    const { special, addBos } = this.#readTokenize(text, rest);
    if (signal !== undefined) abortSignal(signal, "options.signal");
    const native = this.#native;
    const start = (id: number) => native.startTokenize(id, text, special, addBos);
    return ownInts(await nativeWork(native, start, signal));
  }

  #readTokenize(text: string, options: TokenizeOptions | undefined): Required<TokenizeOptions> {
    this.#assertAlive();
    string(text, "text");
    const { special = false, addBos = false } = readOptions(options, "options", [
      "special",
      "addBos",
    ]);
    return {
      special: boolean(special, "options.special"),
      addBos: boolean(addBos, "options.addBos"),
    };
  }

  /** @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED */
  detokenize(tokens: Tokens, options?: DetokenizeOptions): string {
    this.#assertAlive();
    const ids = copyTokens(tokens, "tokens", this.vocabularySize);
    const { special = false } = readOptions(options, "options", ["special"]);
    boolean(special, "options.special");
    return this.#call(() => this.#native.detokenize(ids, special));
  }

  /**
   * Id of the control token with exactly this text, or null.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  tokenId(text: string): number | null {
    this.#assertAlive();
    string(text, "text");
    return orNull(this.#call(() => this.#native.tokenId(text)));
  }

  /**
   * Whether generating this token ends a generation.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  isEndOfGeneration(token: number): boolean {
    this.#assertAlive();
    const id = tokenId(token, "token", this.vocabularySize);
    return this.#call(() => this.#native.isEndOfGeneration(id));
  }

  /**
   * Makes a context to generate in. The model may have several.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED; the
   * signal's reason
   */
  async createContext(options?: ContextOptions): Promise<Context> {
    this.#assertAlive();
    if (this.#vocabOnly) {
      throw new CriaError(
        "ERR_UNSUPPORTED",
        "The model was loaded with `vocabOnly`: it has no weights",
      );
    }
    const { addon } = engine();
    const native = this.#call(() => new addon.Context(this.#native));
    this.#opening.add(native);
    try {
      const vocabulary = vocabularyOf(this.#native, this.#info);
      const owner: ContextOwner = {
        model: this,
        addon,
        native,
        info: this.#info,
        vocabulary,
        texts: this.#texts,
      };
      const context = await openContext(owner, options);
      this.#adopt(context);
      if (!this.disposed) return context;
      await context.dispose();
      throw disposedError("The model");
    } finally {
      this.#opening.delete(native);
    }
  }

  /** True from the call of `dispose` on. */
  get disposed(): boolean {
    return this.#closing !== undefined;
  }

  /** Idempotent. Closes its contexts first; resolves when the memory is given back. */
  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #close(): Promise<void> {
    const children = [...this.#contexts].map((ref) => ref.deref()?.dispose());
    const unborn = [...this.#opening].map((native) => native.close());
    await Promise.all([...children, ...unborn, this.#native.closeWork()]);
    await this.#native.close();
  }

  #adopt(context: Context): void {
    for (const ref of this.#contexts) {
      const known = ref.deref();
      if (known === undefined || known.disposed) this.#contexts.delete(ref);
    }
    this.#contexts.add(new WeakRef(context));
  }

  #assertAlive(): void {
    if (this.disposed) throw disposedError("The model");
  }

  #call<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw fromNative(error);
    }
  }
}

/** A load that the user's side stops: the handle is closed, and the load rejects with this reason. */
class LoadStop {
  readonly #native: NativeModel;
  #reason: { readonly error: unknown } | undefined;

  constructor(native: NativeModel) {
    this.#native = native;
  }

  because(error: unknown): void {
    this.#reason ??= { error };
    void this.#native.close();
  }

  check(): void {
    if (this.#reason !== undefined) throw this.#reason.error;
  }
}

/** Rising fractions only, and nothing after an error of the callback's. */
function reporter(
  onProgress: (fraction: number) => void,
  onError: (error: unknown) => void,
): (fraction: number) => void {
  let last = -1;
  return (fraction) => {
    if (fraction <= last) return;
    last = fraction;
    try {
      onProgress(fraction);
    } catch (error) {
      last = Number.POSITIVE_INFINITY;
      onError(error);
    }
  };
}

async function checkFile(path: string): Promise<void> {
  const problem = await fileProblem(path);
  if (problem === undefined) return;
  throw new CriaError(
    "ERR_MODEL_NOT_FOUND",
    `Expected a readable GGUF file at ${show(path)}: ${problem}`,
    {
      details: { path },
    },
  );
}

async function fileProblem(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return "it is a directory";
    if (!found.isFile()) return "it is not a regular file";
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "there is no such file";
    if (code === "EACCES" || code === "EPERM") return "it may not be read";
    return (error as Error).message;
  }
}

/** Not the Model itself, whose methods check more than a prompt needs. */
function vocabularyOf(native: NativeModel, info: NativeModelInfo): PromptVocabulary {
  return {
    vocabularySize: info.vocabularySize,
    addsBos: info.addsBos,
    tokenId: (text) => native.tokenId(text),
  };
}

function pairs(flat: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i] as string, flat[i + 1] as string);
  return map;
}

function orNull(id: number): number | null {
  return id < 0 ? null : id;
}
