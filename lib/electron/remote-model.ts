import type { ContextOptions } from "../context/context-options.js";
import { asyncDispose } from "../internal/async-dispose.js";
import { string } from "../internal/checks.js";
import { disposedError, invalid } from "../internal/errors.js";
import type { TokenizeAsyncOptions } from "../model/loaded-model.js";
import type { LoadModelOptions } from "../model/model-options.js";
import { type Connection, splitOptions } from "./connection.js";
import type { ContextFacts } from "./port-protocol.js";
import { type ModelFacts, makeRemoteContext, type RemoteContext } from "./remote-context.js";

const KEY = Symbol("RemoteModel");

/**
 * A model on the other side of a port: its facts are here, its weights are there. Made by `Model.load` of
 * a connection.
 */
export class RemoteModel implements AsyncDisposable {
  /** As it was given to `load`. */
  readonly path!: ModelFacts["path"];
  /** In words, as "llama 8B Q4_K - Medium". */
  readonly description!: ModelFacts["description"];
  /** The family, as "llama". */
  readonly architecture!: ModelFacts["architecture"];
  /** Weights, all tensors together. */
  readonly parameterCount!: ModelFacts["parameterCount"];
  /** Bytes of all tensors together. */
  readonly sizeInBytes!: ModelFacts["sizeInBytes"];
  /** Tokens of the longest text that it was trained on; 0 where the file does not say. */
  readonly contextLength!: ModelFacts["contextLength"];
  /** Numbers in a token's hidden state, and in a text's vector. */
  readonly embeddingLength!: ModelFacts["embeddingLength"];
  /** Layers of the network. */
  readonly layerCount!: ModelFacts["layerCount"];
  /** Token ids are 0…vocabularySize - 1. */
  readonly vocabularySize!: ModelFacts["vocabularySize"];
  /** Tells these weights from others: 16 hexadecimal digits. */
  readonly fingerprint!: ModelFacts["fingerprint"];
  /** What it was loaded with, as far as results depend on it. */
  readonly loadOptions!: ModelFacts["loadOptions"];
  /** The file's key-value pairs in its order. */
  readonly metadata!: ModelFacts["metadata"];
  /** The file's own chat template (Jinja), or null. */
  readonly chatTemplate!: ModelFacts["chatTemplate"];
  /** What its projector makes embeddings of. */
  readonly media!: ModelFacts["media"];
  /** Ids of its special tokens. */
  readonly specialTokens!: ModelFacts["specialTokens"];
  readonly #connection: Connection;
  readonly #id: number;
  #closing: Promise<void> | undefined;

  /** For `loadRemoteModel` alone. */
  constructor(key: symbol, connection: Connection, { id, facts }: LoadedFacts) {
    if (key !== KEY) throw invalid("A Model is made by Model.load(), not by `new`");
    Object.assign(this, facts);
    this.#connection = connection;
    this.#id = id;
  }

  /**
   * Makes a context to generate in, as `Model.createContext`.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED,
   * ERR_QUEUE_FULL, ERR_CONNECTION_CLOSED; the signal's reason
   */
  async createContext(options?: ContextOptions): Promise<RemoteContext> {
    this.#assertAlive();
    const { here, there } = splitOptions(options, ["signal"]);
    const connection = this.#connection;
    type Made = { readonly id: number; readonly facts: ContextFacts };
    const { id, facts } = await connection.request<Made>("createContext", this.#id, [there], here);
    return makeRemoteContext({ connection, id }, this, facts);
  }

  /**
   * Tokens of a text, as `Model.tokenizeAsync`.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_OUT_OF_MEMORY, ERR_CONNECTION_CLOSED; the
   * signal's reason
   */
  async tokenizeAsync(text: string, options?: TokenizeAsyncOptions): Promise<Int32Array> {
    this.#assertAlive();
    const { here, there } = splitOptions(options, ["signal"]);
    return this.#connection.request("tokenize", this.#id, [text, there], here);
  }

  #assertAlive(): void {
    if (this.disposed) throw disposedError("The model");
  }

  /** True from the call of `dispose` on. */
  get disposed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Ends the model's contexts and gives its memory back; what other clients loaded stays. May be called any
   * number of times; never rejects.
   */
  dispose(): Promise<void> {
    this.#closing ??= this.#connection.request<void>("dispose", this.#id, []).catch(() => {});
    return this.#closing;
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

interface LoadedFacts {
  readonly id: number;
  readonly facts: ModelFacts;
}

/** @throws {CriaError} as `Model.load`; ERR_QUEUE_FULL, ERR_CONNECTION_CLOSED; what the server's `models` threw */
export async function loadRemoteModel(
  connection: Connection,
  path: string,
  options: LoadModelOptions | undefined,
): Promise<RemoteModel> {
  string(path, "path");
  const { here, there } = splitOptions(options, ["signal", "onProgress"]);
  const { signal, onProgress } = here;
  const args = [path, there, onProgress !== undefined];
  const call = { signal, onNews: onProgress };
  return new RemoteModel(KEY, connection, await connection.request("load", 0, args, call));
}
