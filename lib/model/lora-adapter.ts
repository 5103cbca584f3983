import { resolve } from "node:path";
import { asyncDispose } from "../internal/async-dispose.js";
import {
  abortSignal,
  filePath,
  isPlainObject,
  list,
  number,
  readOptions,
} from "../internal/checks.js";
import { disposedError, expected, invalid } from "../internal/errors.js";
import type { NativeAdapter, NativeAdapterInfo, NativeScaledAdapter } from "../internal/native.js";
import { nativeCall, nativeWork } from "../internal/native-work.js";
import { optionNames } from "../internal/option-names.js";
import { ownInts } from "../internal/realm.js";
import { insideOf, type LoadedModel } from "./loaded-model.js";

/** What `Model.loadLora` takes besides the path. */
export interface LoadLoraOptions {
  /** Aborts the load, which rejects with its reason at once. Default: none. */
  readonly signal?: AbortSignal;
}

const LOAD_OPTIONS = optionNames("model.loadLora", ["signal"]);

/** An adapter that a request is evaluated with. */
export interface ScaledAdapter {
  readonly adapter: LoraAdapter;
  /** How much it changes: 0 nothing, 1 as it was trained; negative is the other way. Default 1. */
  readonly scale?: number;
}

/** Far beyond what any model stands, and finite as a float. */
const SCALE_MAX = 1e6;
/** llama.cpp adds its products to the graph of every evaluation. */
const ADAPTERS_MAX = 64;

const KEY = Symbol("LoraAdapter");

/** Set by the class, whose members they read. */
let makeAdapter: (model: LoadedModel, path: string, info: NativeAdapterInfo) => LoraAdapter;
let peek: (adapter: unknown) => { handle: NativeAdapter; model: LoadedModel } | undefined;

/**
 * A LoRA adapter in memory: changes to a model's weights, for the requests that name it in `adapters`, each with its
 * own scale. Made by `Model.loadLora`; disposed with its model.
 *
 * @example
 * await using style = await model.loadLora("style.gguf");
 * const { text } = await context.generateText("The llama", { adapters: [{ adapter: style, scale: 0.5 }] });
 */
export class LoraAdapter implements AsyncDisposable {
  /** As it was given to `loadLora`. */
  readonly path: string;
  /** Bytes of all its tensors together. */
  readonly sizeInBytes: number;
  /** Tells its file from others, as `Model.fingerprint`. */
  readonly fingerprint: string;
  /**
   * Of an activated LoRA (aLoRA) the tokens from which on it changes the weights: from the last place in the prompt
   * where they stand, and not at all where they do not. Empty for every other one: it changes all of a text.
   */
  readonly invocationTokens: Int32Array;
  readonly #model: LoadedModel;
  readonly #handle: NativeAdapter;
  #disposed = false;

  static {
    makeAdapter = (model, path, info) => new LoraAdapter(KEY, model, path, info);
    peek = (adapter) =>
      typeof adapter === "object" && adapter !== null && #handle in adapter
        ? { handle: adapter.#handle, model: adapter.#model }
        : undefined;
  }

  private constructor(key: symbol, model: LoadedModel, path: string, info: NativeAdapterInfo) {
    if (key !== KEY) throw invalid("A LoraAdapter is made by model.loadLora(), not by `new`");
    this.#model = model;
    this.#handle = info.adapter;
    this.path = path;
    this.sizeInBytes = info.sizeInBytes;
    this.fingerprint = info.fingerprint;
    this.invocationTokens = ownInts(info.invocation);
  }

  /** True from the call of `dispose` on, also of the model's. */
  get disposed(): boolean {
    return this.#disposed || this.#model.disposed;
  }

  /**
   * Nobody can use it from now on; requests that have it already go on to their end, and its memory is given back with
   * the last of them. May be called any number of times; never rejects.
   */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    releaseHandle(this.#model, this.#handle);
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

function releaseHandle(model: LoadedModel, handle: NativeAdapter): void {
  // A closed model has given the memory back itself.
  if (!model.disposed) nativeCall(() => insideOf(model).native.releaseAdapter(handle));
}

/** For `Model.loadLora`, which says what it throws. */
export async function loadLora(
  model: LoadedModel,
  path: string,
  options: LoadLoraOptions | undefined,
): Promise<LoraAdapter> {
  const { native, adapters } = insideOf(model);
  const file = resolve(filePath(path, "path"));
  const { signal } = readOptions(options, "options", LOAD_OPTIONS);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  const load = async () => {
    const info = await nativeWork(native, (id) => native.startAdapter(id, file), signal);
    return makeAdapter(model, path, info);
  };
  const adapter = await adapters.open({ close: async () => {} }, load);
  if (!model.disposed) return adapter;
  await adapter.dispose();
  throw disposedError("The model");
}

/**
 * The option `adapters`, as the addon takes it.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
 */
export function nativeAdapters(
  given: readonly ScaledAdapter[] | undefined,
  name: string,
  model: LoadedModel,
): NativeScaledAdapter[] {
  if (given === undefined) return [];
  const seen = new Set<NativeAdapter>();
  const read = list(given, name, "an array of { adapter, scale }", (value, at) => {
    if (!isPlainObject(value)) throw expected("a plain object { adapter, scale }", at, value);
    const o = readOptions(value as unknown as ScaledAdapter, at, ["adapter", "scale"]);
    const { adapter, scale = 1 } = o;
    const handle = handleOf(adapter, `${at}.adapter`, model);
    if (seen.has(handle)) {
      throw invalid(`\`${at}.adapter\` is in \`${name}\` twice: add up its scales`, { name: at });
    }
    seen.add(handle);
    return { adapter: handle, scale: number(scale, `${at}.scale`, -SCALE_MAX, SCALE_MAX) };
  });
  if (read.length > ADAPTERS_MAX) throw expected(`at most ${ADAPTERS_MAX} adapters`, name, given);
  return read;
}

function handleOf(adapter: unknown, name: string, model: LoadedModel): NativeAdapter {
  const inside = peek(adapter);
  if (inside === undefined)
    throw expected("a LoraAdapter, made by model.loadLora(),", name, adapter);
  if (inside.model !== model) {
    throw invalid(
      `\`${name}\` belongs to another model than the context: load it with the context's own`,
      { name },
    );
  }
  if ((adapter as LoraAdapter).disposed) throw disposedError(`The adapter \`${name}\``);
  return inside.handle;
}
