import { decimals, embedInputs } from "../batch/engine/embed-inputs.js";
import { moderateInputs } from "../batch/engine/moderate-inputs.js";
import { bodyFieldOf, readEmbeddingBody, readModerationBody } from "../batch/input/openai-body.js";
import { RequestFields } from "../batch/input/request-fields.js";
import {
  boolean,
  integer,
  isPlainObject,
  list,
  MAX_INT32,
  oneOf,
  string,
} from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { newId } from "./answer-head.js";
import type { Exchange } from "./exchange.js";
import type { ServedHost } from "./served-host.js";

/** POST /v1/embeddings */
export async function answerEmbedding(exchange: Exchange, host: ServedHost): Promise<void> {
  exchange.fieldOf = bodyFieldOf;
  const plan = readEmbeddingBody(await exchange.json());
  const hosted = host.named(plan.model, ({ settings }) => settings.pooling !== undefined);
  exchange.model = hosted.name;
  const { signal } = exchange;
  await hosted.use(1, signal, async (weights) => {
    const context = await weights.context("embedding");
    const { body, ...usage } = await embedInputs(context, plan, { name: hosted.name, signal });
    host.metrics.countTokens(hosted.name, usage);
    exchange.sendJson(body);
  });
}

const LOCAL_EMBEDDING = {
  read: ["model", "content", "input", "embd_normalize"],
  ignored: [],
  refused: { encoding_format: { unless: ["float"], why: 'can only be "float" here' } },
};

/** POST /embedding and /embeddings, as llama-server has them: each vector in an array of its own. */
export async function answerLocalEmbedding(exchange: Exchange, host: ServedHost): Promise<void> {
  const fields = new RequestFields(await exchange.json(), "body", LOCAL_EMBEDDING);
  const texts = (value: unknown, name: string) =>
    typeof value === "string" ? [value] : list(value, name, "a string or strings", string);
  const inputs =
    fields.get("input", texts) ?? fields.needed("content", "a string or strings", texts);
  const norm = fields.get("embd_normalize", (value, name) => oneOf(value, name, [-1, 2]));
  const name = fields.get("model", string);
  const hosted = host.named(name, ({ settings }) => settings.pooling !== undefined);
  exchange.model = hosted.name;
  const { signal } = exchange;
  await hosted.use(1, signal, async (weights) => {
    const context = await weights.context("embedding");
    const answers: { index: number; embedding: number[][] }[] = [];
    let promptTokens = 0;
    for await (const one of context.embedMany(inputs, { signal, normalize: norm !== -1 })) {
      if (one.embedding === undefined) throw one.error;
      promptTokens += one.tokens;
      answers[one.index] = { index: one.index, embedding: [decimals(one.embedding)] };
    }
    host.metrics.countTokens(hosted.name, { promptTokens, cachedTokens: 0, completionTokens: 0 });
    exchange.sendJson(answers);
  });
}

/** POST /v1/moderations */
export async function answerModeration(exchange: Exchange, host: ServedHost): Promise<void> {
  exchange.fieldOf = bodyFieldOf;
  const plan = readModerationBody(await exchange.json());
  const hosted = host.named(plan.model, ({ settings }) => settings.guard !== undefined);
  exchange.model = hosted.name;
  const { signal } = exchange;
  await hosted.use(plan.inputs.length, signal, async (weights) => {
    const guard = await weights.guard();
    const told = { name: hosted.name, hash: newId(), signal };
    const { body, ...usage } = await moderateInputs(guard, plan, told);
    host.metrics.countTokens(hosted.name, usage);
    exchange.sendJson(body);
  });
}

const RERANK = {
  read: ["model", "query", "documents", "top_n", "return_documents"],
  ignored: [],
  refused: {},
};

/** POST /v1/rerank, as llama-server and Jina's API have it. */
export async function answerRerank(exchange: Exchange, host: ServedHost): Promise<void> {
  const fields = new RequestFields(await exchange.json(), "body", RERANK);
  const query = fields.needed("query", "a string", string);
  const documents = fields.needed("documents", "an array of documents", (value, name) =>
    list(value, name, "an array of documents", documentText),
  );
  const top = fields.get("top_n", (value, name) => integer(value, name, 1, MAX_INT32));
  const shows = fields.get("return_documents", boolean) ?? false;
  const hosted = host.named(fields.get("model", string));
  exchange.model = hosted.name;
  const { signal } = exchange;
  await hosted.use(1, signal, async (weights) => {
    const context = await weights.context("ranking");
    const scores = await context.rank(query, documents, { signal });
    const results = Array.from(scores, (relevance_score, index) => ({
      index,
      relevance_score,
      ...(shows && { document: { text: documents[index] } }),
    }));
    results.sort((one, other) => other.relevance_score - one.relevance_score);
    const promptTokens = await countTokens(weights.model, [query, ...documents], signal);
    const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
    host.metrics.countTokens(hosted.name, { promptTokens, cachedTokens: 0, completionTokens: 0 });
    exchange.sendJson({
      object: "list",
      model: hosted.name,
      usage,
      results: results.slice(0, top),
    });
  });
}

/** Jina's documents may be objects with a text. */
function documentText(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  if (isPlainObject(value) && typeof value.text === "string") return value.text;
  throw expected("a string, or an object with a `text`,", name, value);
}

/** The query counts once, the marks between texts not at all. */
async function countTokens(
  model: LoadedModel,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const counts = texts.map(async (text) => (await model.tokenizeAsync(text, { signal })).length);
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}
