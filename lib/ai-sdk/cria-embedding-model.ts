import type { AnyContext } from "../electron/any-context.js";
import { RemoteContext } from "../electron/remote-context.js";
import type { EmbedOptions } from "../embedding/embed.js";
import { boolean, list, readOptions, string } from "../internal/checks.js";
import { CriaError } from "../internal/errors.js";
import { given } from "../internal/given.js";
import { optionNames } from "../internal/option-names.js";
import type {
  EmbeddingCallOptions,
  EmbeddingModel,
  SpecificationVersion,
} from "./specification.js";

const OPTIONS = optionNames("providerOptions.cria", ["normalize"]);

/** A context made with `embeddings: true` as an embedding model of the AI SDK. */
export class CriaEmbeddingModel<V extends SpecificationVersion> implements EmbeddingModel<V> {
  readonly specificationVersion: V;
  readonly provider = "cria";
  readonly modelId: string;
  /** Texts of all calls share batches, however many there are. */
  readonly maxEmbeddingsPerCall = Number.POSITIVE_INFINITY;
  readonly supportsParallelCalls = true;
  readonly #context: AnyContext;

  constructor(specification: V, modelId: string, context: AnyContext) {
    this.specificationVersion = specification;
    this.modelId = modelId;
    this.#context = context;
  }

  /**
   * A vector for each text, in their order.
   *
   * @throws {CriaError} as `Context.embed`; ERR_UNSUPPORTED for other `dimensions` than the model's
   */
  readonly doEmbed = async ({
    values,
    dimensions,
    abortSignal: signal,
    providerOptions,
  }: EmbeddingCallOptions) => {
    const options = { ...given({ signal }), ...readEmbedding(providerOptions?.cria) };
    const texts = list(values, "values", "an array of strings", string);
    this.#checkDimensions(dimensions);
    const context = this.#context;
    if (context instanceof RemoteContext) {
      const vectors = await context.embed(texts, options);
      return { embeddings: vectors.map(numbersOf), warnings: [] };
    }
    const embeddings: number[][] = [];
    let tokens = 0;
    for await (const one of context.embedMany(texts, options)) {
      if (one.embedding === undefined) throw one.error;
      embeddings[one.index] = numbersOf(one.embedding);
      tokens += one.tokens;
    }
    return { embeddings, usage: { tokens }, warnings: [] };
  };

  #checkDimensions(dimensions: number | undefined): void {
    const { embeddingLength } = this.#context.model;
    if (dimensions === undefined || dimensions === embeddingLength) return;
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `\`dimensions\` can only be the model's own, ${embeddingLength}: leave it out`,
      { details: { name: "dimensions" } },
    );
  }
}

const numbersOf = (vector: Float32Array): number[] => Array.from(vector);

function readEmbedding(own: EmbedOptions | undefined): Pick<EmbedOptions, "normalize"> {
  const { normalize } = readOptions(own, "providerOptions.cria", OPTIONS);
  if (normalize === undefined) return {};
  return { normalize: boolean(normalize, "providerOptions.cria.normalize") };
}
