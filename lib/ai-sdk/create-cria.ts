import { type AnyContext, isContext, nameOf } from "../electron/any-context.js";
import { isPlainObject, oneOf, string } from "../internal/checks.js";
import { CriaError, expected, invalid, show } from "../internal/errors.js";
import { CriaEmbeddingModel } from "./cria-embedding-model.js";
import { CriaLanguageModel } from "./cria-language-model.js";
import { CriaRerankingModel } from "./cria-reranking-model.js";
import { type CriaSettings, readSettings } from "./cria-settings.js";
import type {
  EmbeddingModel,
  LanguageModel,
  RerankingModel,
  SpecificationVersion,
} from "./specification.js";

/** What `createCria` takes besides the contexts: settings for all calls, too. */
export interface CriaOptions<V extends SpecificationVersion = SpecificationVersion>
  extends CriaSettings {
  /** Of the AI SDK's provider specification. Default "v3", which AI SDK 6 and 7 take. */
  readonly specification?: V;
}

/** A provider of the AI SDK's, whose models run in this process. */
export interface CriaProvider<V extends SpecificationVersion = SpecificationVersion> {
  readonly specificationVersion: V;
  /**
   * A context that generates, as a language model.
   *
   * @param modelId the context's name, where `createCria` was given several; else what the model is to be called.
   * Default: the only one that generates; the name in the model's file
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED (no context that generates, or not this one)
   */
  languageModel(modelId?: string): LanguageModel<V>;
  /**
   * A context made with `embeddings: true`, as an embedding model.
   *
   * @throws {CriaError} as `languageModel`
   */
  embeddingModel(modelId?: string): EmbeddingModel<V>;
  /** The former name of `embeddingModel`. */
  textEmbeddingModel(modelId?: string): EmbeddingModel<V>;
  /**
   * A context made with `pooling: "rank"`, as a reranking model.
   *
   * @throws {CriaError} as `languageModel`
   */
  rerankingModel(modelId?: string): RerankingModel<V>;
  /** @throws {CriaError} ERR_UNSUPPORTED: cria makes no pictures */
  imageModel(modelId?: string): never;
}

/** What a context is made for. */
interface Purpose {
  readonly verb: string;
  readonly remedy: string;
  readonly serves: (context: AnyContext) => boolean;
}

const GENERATES: Purpose = {
  verb: "generates",
  remedy: "without `embeddings`",
  serves: ({ pooling }) => pooling === null || pooling === undefined,
};
const EMBEDS: Purpose = {
  verb: "embeds",
  remedy: 'with `embeddings: true`, and not with pooling "rank" or "none"',
  serves: ({ pooling }) =>
    !GENERATES.serves({ pooling } as AnyContext) && pooling !== "rank" && pooling !== "none",
};
const RANKS: Purpose = {
  verb: "ranks",
  remedy: 'with `embeddings: true, pooling: "rank"`',
  serves: ({ pooling }) => pooling === "rank",
};

/**
 * Contexts as models of the AI SDK, in this process: `generateText`, `streamText`, `embedMany`, `rerank` and agents
 * take them. The contexts stay the caller's, who disposes them.
 *
 * @param contexts one, or several by the names that the models are asked for by
 * @param options settings for all calls, in the words of `ChatSession`; `providerOptions.cria` has them for one
 * @example
 * const cria = createCria(context, { temperature: 0.5 });
 * const { text } = await generateText({ model: cria.languageModel(), prompt: "Hello" });
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function createCria<V extends SpecificationVersion = "v3">(
  contexts: AnyContext | Readonly<Record<string, AnyContext>>,
  options?: CriaOptions<V>,
): CriaProvider<V> {
  const all = readContexts(contexts);
  const { specification: version = "v3", ...rest } = { ...options };
  if (options !== undefined && !isPlainObject(options))
    throw expected("a plain object", "options", options);
  const specification = oneOf(version, "options.specification", ["v3", "v4"]) as V;
  const settings = readSettings(rest, "options");
  const embeddingModel = (modelId?: string) => {
    const chosen = choose(all, EMBEDS, modelId);
    return new CriaEmbeddingModel(specification, chosen.modelId, chosen.context);
  };
  return {
    specificationVersion: specification,
    languageModel: (modelId) =>
      new CriaLanguageModel({ specification, settings, ...choose(all, GENERATES, modelId) }),
    embeddingModel,
    textEmbeddingModel: embeddingModel,
    rerankingModel(modelId) {
      const chosen = choose(all, RANKS, modelId);
      return new CriaRerankingModel(specification, chosen.modelId, chosen.context);
    },
    imageModel() {
      throw new CriaError(
        "ERR_UNSUPPORTED",
        "cria makes no pictures: use another provider for them",
      );
    },
  };
}

/** One that was given without a name, or all by their names. */
type Contexts = { readonly only: AnyContext } | { readonly named: ReadonlyMap<string, AnyContext> };

function readContexts(contexts: unknown): Contexts {
  if (isContext(contexts)) return { only: contexts };
  if (!isPlainObject(contexts)) {
    throw expected("a Context, or an object of several by their names", "contexts", contexts);
  }
  const named = new Map<string, AnyContext>();
  for (const [name, context] of Object.entries(contexts)) {
    if (!isContext(context)) throw expected("a Context", `contexts.${name}`, context);
    named.set(name, context);
  }
  if (named.size === 0) throw expected("at least one Context", "contexts", contexts);
  return { named };
}

function choose(
  contexts: Contexts,
  purpose: Purpose,
  given: string | undefined,
): { readonly modelId: string; readonly context: AnyContext } {
  if (given !== undefined) string(given, "modelId");
  const { context, modelId } =
    "only" in contexts
      ? { context: contexts.only, modelId: given ?? nameOf(contexts.only) }
      : choseOf(contexts.named, purpose, given);
  if (purpose.serves(context)) return { context, modelId };
  throw new CriaError(
    "ERR_UNSUPPORTED",
    `The context ${show(modelId)} is not one that ${purpose.verb}: create it ${purpose.remedy}`,
    { details: { modelId } },
  );
}

function choseOf(
  named: ReadonlyMap<string, AnyContext>,
  { serves, verb, remedy }: Purpose,
  given: string | undefined,
) {
  const names = [...named.keys()].map(show).join(", ");
  if (given !== undefined) {
    const context = named.get(given);
    if (context !== undefined) return { context, modelId: given };
    throw invalid(`There is no context ${show(given)} in \`contexts\`: there are ${names}`, {
      modelId: given,
    });
  }
  const [first, ...more] = [...named].filter(([, context]) => serves(context));
  if (first === undefined) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `None of the contexts ${names} is one that ${verb}: create one ${remedy}`,
    );
  }
  if (more.length > 0)
    throw invalid(`More than one of the contexts ${names} ${verb}: say which, by its name`);
  return { modelId: first[0], context: first[1] };
}
