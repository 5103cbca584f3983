import { Embeddings, type EmbeddingsParams } from "@langchain/core/embeddings";
import { type AnyContext, isContext } from "../electron/any-context.js";
import { boolean } from "../internal/checks.js";
import { expected } from "../internal/errors.js";

/** What `CriaEmbeddings` takes. */
export interface CriaEmbeddingsFields extends EmbeddingsParams {
  /** Made with `embeddings: true`. It stays the caller's, who disposes it. */
  readonly context: AnyContext;
  /** Scales vectors to length 1 (L2). Default true. */
  readonly normalize?: boolean;
}

/**
 * A context's vectors, for LangChain's vector stores and retrievers.
 *
 * @example
 * const context = await model.createContext({ embeddings: true });
 * const embeddings = new CriaEmbeddings({ context });
 * const vectors = await embeddings.embedDocuments(["a llama", "an alpaca"]);
 */
export class CriaEmbeddings extends Embeddings {
  readonly #context: AnyContext;
  readonly #normalize: boolean;

  /** @throws {CriaError} ERR_INVALID_ARGUMENT */
  constructor({ context, normalize = true, ...params }: CriaEmbeddingsFields) {
    super(params);
    if (!isContext(context)) throw expected("a Context", "context", context);
    this.#context = context;
    this.#normalize = boolean(normalize, "normalize");
  }

  /**
   * A vector for each text, in their order; they share batches.
   *
   * @throws {CriaError} as `Context.embed`
   */
  async embedDocuments(documents: string[]): Promise<number[][]> {
    const vectors = await this.#context.embed(documents, { normalize: this.#normalize });
    return vectors.map((vector) => Array.from(vector));
  }

  /** @throws {CriaError} as `Context.embed` */
  async embedQuery(document: string): Promise<number[]> {
    return Array.from(await this.#context.embed(document, { normalize: this.#normalize }));
  }
}
