import type { AnyContext } from "../electron/any-context.js";
import { integer, list, MAX_INT32, oneOf, readOptions, string } from "../internal/checks.js";
import { given } from "../internal/given.js";
import { jsonText } from "../internal/json-text.js";
import type {
  RerankingCallOptions,
  RerankingModel,
  SpecificationVersion,
} from "./specification.js";

/** A context made with `pooling: "rank"` as a reranking model of the AI SDK. */
export class CriaRerankingModel<V extends SpecificationVersion> implements RerankingModel<V> {
  readonly specificationVersion: V;
  readonly provider = "cria";
  readonly modelId: string;
  readonly #context: AnyContext;

  constructor(specification: V, modelId: string, context: AnyContext) {
    this.specificationVersion = specification;
    this.modelId = modelId;
    this.#context = context;
  }

  /**
   * The documents by how well they answer the query, best first. Objects are read as their JSON text.
   *
   * @throws {CriaError} as `Context.rank`
   */
  readonly doRerank = async ({
    query,
    documents,
    topN,
    abortSignal,
    providerOptions,
  }: RerankingCallOptions) => {
    readOptions(providerOptions?.cria, "providerOptions.cria", []);
    const { type, values } = documents;
    oneOf(type, "documents.type", ["text", "object"]);
    const texts = list(values, "documents.values", "an array", (value, name) =>
      type === "text" ? string(value, name) : jsonText(value, name),
    );
    if (topN !== undefined) integer(topN, "topN", 1, MAX_INT32);
    const scores = await this.#context.rank(query, texts, given({ signal: abortSignal }));
    const ranking = Array.from(scores, (relevanceScore, index) => ({ index, relevanceScore }));
    ranking.sort((a, b) => b.relevanceScore - a.relevanceScore);
    return {
      ranking: ranking.slice(0, topN),
      warnings: [],
      response: { timestamp: new Date(), modelId: this.modelId },
    };
  };
}
