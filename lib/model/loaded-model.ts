import { asyncDispose } from "../internal/async-dispose.js";
import { abortSignal, boolean, readOptions, string } from "../internal/checks.js";
import { Children } from "../internal/children.js";
import { disposedError, expected, invalid } from "../internal/errors.js";
import type { NativeModel, NativeModelInfo, NativeModelOptions } from "../internal/native.js";
import { nativeCall, nativeWork } from "../internal/native-work.js";
import { optionNames } from "../internal/option-names.js";
import { ownInts } from "../internal/realm.js";
import { loadOptionsOf, type ModelLoadOptions } from "./model-options.js";
import type { PromptVocabulary } from "./prompt.js";
import { TokenTexts } from "./token-texts.js";
import { copyTokens, type Tokens, tokenId } from "./tokens.js";

const TOKENIZE_OPTIONS = optionNames("model.tokenize", ["special", "addBos"]);
const DETOKENIZE_OPTIONS = optionNames("model.detokenize", ["special"]);

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

/** Which media prompts for a model may have. */
export interface MediaAbility {
  /** Pictures. */
  readonly image: boolean;
  /** Sounds. */
  readonly audio: boolean;
}

/** What `tokenize` takes besides the text. */
export interface TokenizeOptions {
  /** Whether text that spells a control token becomes it. Default false. */
  readonly special?: boolean;
  /** Whether a BOS goes in front, where the model has one. Default false. */
  readonly addBos?: boolean;
}

/** What `tokenizeAsync` takes besides the text. */
export interface TokenizeAsyncOptions extends TokenizeOptions {
  /** Aborts the call, which rejects with its reason at once. Default: none. */
  readonly signal?: AbortSignal;
}

/** What `detokenize` takes besides the tokens. */
export interface DetokenizeOptions {
  /** Control tokens as text. Default false: they leave none. */
  readonly special?: boolean;
}

/** What a loaded model is made of. */
export interface ModelParts {
  readonly path: string;
  readonly native: NativeModel;
  readonly info: NativeModelInfo;
  readonly options: NativeModelOptions;
}

/** What the rooms above need of a model beyond what users do. */
export interface ModelInside extends ModelParts {
  /** Shared by all its contexts. */
  readonly texts: TokenTexts;
  readonly vocabulary: PromptVocabulary;
  /** Closed before it, and these before the adapters. */
  readonly contexts: Children;
  readonly adapters: Children;
}

/** Whoever has it may construct: `Model`. */
export const MODEL_KEY = Symbol("LoadedModel");

/** Set by the class, whose member it reads; undefined for what is none. */
let peek: (model: unknown) => ModelInside | undefined;

/**
 * A model as contexts, chats and guards know theirs: its facts and its vocabulary. `Model` adds loading
 * and making contexts.
 */
export class LoadedModel implements AsyncDisposable {
  /** As it was given to `load`. */
  readonly path: string;
  /** In words, as "llama 8B Q4_K - Medium". */
  readonly description: string;
  /** The family, as "llama". */
  readonly architecture: string;
  /** Weights, all tensors together. */
  readonly parameterCount: number;
  /** Bytes of all tensors together. */
  readonly sizeInBytes: number;
  /** Tokens of the longest text that it was trained on; 0 where the file does not say. */
  readonly contextLength: number;
  /** Numbers in a token's hidden state, and in a text's vector. */
  readonly embeddingLength: number;
  /** Layers of the network. */
  readonly layerCount: number;
  /** Token ids are 0…vocabularySize - 1. */
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
  /** What its projector makes embeddings of: none without one. */
  readonly media: MediaAbility;
  /** Ids of its special tokens. */
  readonly specialTokens: SpecialTokens;
  readonly #inside: ModelInside;
  #closing: Promise<void> | undefined;

  static {
    peek = (model) =>
      typeof model === "object" && model !== null && #inside in model ? model.#inside : undefined;
  }

  /** For `Model` alone. */
  constructor(key: symbol, parts: ModelParts) {
    if (key !== MODEL_KEY) throw invalid("A Model is made by Model.load(), not by `new`");
    const { native, info } = parts;
    this.#inside = {
      ...parts,
      texts: new TokenTexts((tokens) => native.detokenize(tokens, true)),
      vocabulary: vocabularyOf(native, info),
      contexts: new Children(),
      adapters: new Children(),
    };
    this.loadOptions = loadOptionsOf(parts.options);
    this.path = parts.path;
    this.description = described(info);
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
    this.media = Object.freeze({ image: info.sees, audio: info.hears });
    const { bos, eos, eot, eom } = info.specialTokens;
    this.specialTokens = Object.freeze({
      bos: orNull(bos),
      eos: orNull(eos),
      eot: orNull(eot),
      eom: orNull(eom),
    });
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
    return ownInts(nativeCall(() => this.#inside.native.tokenize(text, special, addBos)));
  }

  /**
   * The same on a thread of the model's; a short text does not wait for a long one.
   *
   * @example
   * const tokens = await model.tokenizeAsync(document, { signal: AbortSignal.timeout(1000) });
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_OUT_OF_MEMORY; the signal's reason
   */
  async tokenizeAsync(text: string, options?: TokenizeAsyncOptions): Promise<Int32Array> {
    const { signal, ...rest } = readOptions(options, "options", [...TOKENIZE_OPTIONS, "signal"]);
    const { special, addBos } = this.#readTokenize(text, rest);
    if (signal !== undefined) abortSignal(signal, "options.signal");
    const native = this.#inside.native;
    const start = (id: number) => native.startTokenize(id, text, special, addBos);
    return ownInts(await nativeWork(native, start, signal));
  }

  #readTokenize(text: string, options: TokenizeOptions | undefined): Required<TokenizeOptions> {
    this.#assertAlive();
    string(text, "text");
    const { special = false, addBos = false } = readOptions(options, "options", TOKENIZE_OPTIONS);
    return {
      special: boolean(special, "options.special"),
      addBos: boolean(addBos, "options.addBos"),
    };
  }

  /**
   * The text of tokens. Bytes that are no text become U+FFFD.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  detokenize(tokens: Tokens, options?: DetokenizeOptions): string {
    this.#assertAlive();
    const ids = copyTokens(tokens, "tokens", this.vocabularySize);
    const { special = false } = readOptions(options, "options", DETOKENIZE_OPTIONS);
    boolean(special, "options.special");
    return nativeCall(() => this.#inside.native.detokenize(ids, special));
  }

  /**
   * Id of the control token with exactly this text, or null.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  tokenId(text: string): number | null {
    this.#assertAlive();
    string(text, "text");
    return orNull(nativeCall(() => this.#inside.native.tokenId(text)));
  }

  /**
   * Whether generating this token ends a generation.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
   */
  isEndOfGeneration(token: number): boolean {
    this.#assertAlive();
    const id = tokenId(token, "token", this.vocabularySize);
    return nativeCall(() => this.#inside.native.isEndOfGeneration(id));
  }

  /** True from the call of `dispose` on. */
  get disposed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Closes its contexts, then itself. Resolves when the memory is given back. May be called any number of
   * times; never rejects.
   */
  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #close(): Promise<void> {
    const { native, contexts } = this.#inside;
    await Promise.all([contexts.close(), native.closeWork()]);
    await native.close();
  }

  #assertAlive(): void {
    if (this.disposed) throw disposedError("The model");
  }
}

/**
 * What a model of cria's is made of.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
 */
export function insideOf(model: LoadedModel, name = "model"): ModelInside {
  const inside = peek(model);
  if (inside === undefined) throw expected("a Model that cria has loaded", name, model);
  if (model.disposed) throw disposedError(name === "model" ? "The model" : `The model \`${name}\``);
  return inside;
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

/** llama.cpp calls the size of what it does not know by name "?B". */
function described({ description, parameterCount }: NativeModelInfo): string {
  const size =
    parameterCount >= 1e9
      ? `${(parameterCount / 1e9).toFixed(1)}B`
      : `${(parameterCount / 1e6).toFixed(1)}M`;
  return description.replace("?B", size);
}
