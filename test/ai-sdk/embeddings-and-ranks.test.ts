import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  EmbeddingModelV3,
  EmbeddingModelV4,
  RerankingModelV3,
  RerankingModelV4,
} from "@ai-sdk/provider";
import { createCria } from "../../lib/ai-sdk/ai-sdk.js";
import { type Context, Model } from "../../lib/index.js";
import { GENERATIONS } from "../support/ai-sdk.js";
import { MODEL } from "../support/paths.js";
import { connected } from "../support/remote.js";
import { writeBert } from "../support/tiny-models.js";

let directory: string;
let models: Model[];
let contexts: Record<"chat" | "bert" | "ranker", Context>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-ai-sdk-"));
  const [bert, ranker] = ["bert.gguf", "rank.gguf"].map((name) => join(directory, name));
  writeBert(bert as string, { pooling: 2 });
  writeBert(ranker as string, { pooling: 4, ranks: true });
  models = await Promise.all([MODEL, bert, ranker].map((path) => Model.load(path as string)));
  const [chat, embeds, ranks] = await Promise.all(
    models.map((model, index) => model.createContext({ embeddings: index > 0 })),
  );
  contexts = { chat, bert: embeds, ranker: ranks } as typeof contexts;
});
afterAll(async () => {
  await Promise.all(models.map((model) => model.dispose()));
  await rm(directory, { recursive: true });
});

const TEXTS = ["a llama", "an alpaca in the mountains", "llamas"];

describe.each(GENERATIONS)("%s", (_, ai) => {
  test("embed and embedMany give the vectors of the context", async () => {
    const model = createCria(contexts).textEmbeddingModel();
    const values = Array.from({ length: 300 }, (_, index) => TEXTS[index % 3] as string);
    const { embeddings, usage } = await ai.embedMany({ model, values });
    expect(embeddings).toHaveLength(300);
    const wanted = await contexts.bert.embed(TEXTS);
    for (const [index, vector] of embeddings.slice(0, 3).entries()) {
      const cosine = vector.reduce((sum, x, i) => sum + x * (wanted[index]?.[i] as number), 0);
      expect(cosine).toBeCloseTo(1, 4);
    }
    expect(usage.tokens).toBeGreaterThan(600);
    const one = await ai.embed({ model, value: "a llama" });
    expect(one.embedding).toHaveLength(wanted[0]?.length as number);
  });

  test("rerank puts documents in order, texts and objects", async () => {
    const model = createCria(contexts.ranker).rerankingModel();
    const query = "llama";
    const scores = await contexts.ranker.rank(query, TEXTS);
    const { ranking, rerankedDocuments } = await ai.rerank({
      model,
      query,
      documents: TEXTS,
      topN: 2,
    });
    expect(ranking).toHaveLength(2);
    const best = scores.indexOf(Math.max(...scores));
    expect(ranking[0]).toMatchObject({ originalIndex: best, document: TEXTS[best] });
    expect(rerankedDocuments[0]).toBe(TEXTS[best]);
    const documents = TEXTS.map((text) => ({ text }));
    const objects = await ai.rerank({ model, query, documents });
    const told = await contexts.ranker.rank(
      query,
      documents.map((one) => JSON.stringify(one)),
    );
    const sorted = [...told].sort((a, b) => b - a);
    for (const [index, { score }] of objects.ranking.entries()) {
      expect(score).toBeCloseTo(sorted[index] as number, 4); // what else is in the batch rounds it
    }
  });

  test("an abort rejects both", async () => {
    const cria = createCria(contexts);
    const abortSignal = AbortSignal.abort(new Error("enough"));
    const values = TEXTS;
    const embedding = ai.embedMany({ model: cria.embeddingModel("bert"), values, abortSignal });
    await expect(embedding).rejects.toThrow("enough");
    const model = cria.rerankingModel();
    const ranking = ai.rerank({ model, query: "x", documents: TEXTS, abortSignal });
    await expect(ranking).rejects.toThrow("enough");
  });
});

test("models are of both specifications' types", () => {
  const three = createCria(contexts);
  const four = createCria(contexts, { specification: "v4" });
  const all: [EmbeddingModelV3, EmbeddingModelV4, RerankingModelV3, RerankingModelV4] = [
    three.textEmbeddingModel(),
    four.embeddingModel(),
    three.rerankingModel(),
    four.rerankingModel(),
  ];
  expect(all.map((model) => `${model.modelId} ${model.specificationVersion}`)).toEqual([
    ...["bert v3", "bert v4", "ranker v3", "ranker v4"],
  ]);
});

test("settings are checked", async () => {
  const model = createCria(contexts).embeddingModel();
  const raw = await model.doEmbed({
    values: TEXTS,
    dimensions: contexts.bert.model.embeddingLength,
    providerOptions: { cria: { normalize: false } },
  });
  const length = Math.hypot(...(raw.embeddings[0] as number[]));
  expect(Math.abs(length - 1)).toBeGreaterThan(0.01);
  const refused = (options: object) =>
    model.doEmbed({ values: TEXTS, ...options }).catch(({ code, message }) => `${code} ${message}`);
  expect(await refused({ dimensions: 3 })).toMatch(/ERR_UNSUPPORTED .*`dimensions`/);
  const own = (cria: object) => refused({ providerOptions: { cria } });
  expect(await own({ normalise: true })).toMatch(/ERR_INVALID_ARGUMENT .*`normalize`/);
  expect(await own({ normalize: 1 })).toMatch(/ERR_INVALID_ARGUMENT .*boolean/);
  const ranker = createCria(contexts).rerankingModel();
  const documents = { type: "text", values: TEXTS } as const;
  await expect(ranker.doRerank({ query: "x", documents, topN: 0 })).rejects.toThrow(/topN/);
});

test.each([
  ["bert", "languageModel", /not one that generates/],
  ["ranker", "textEmbeddingModel", /not one that embeds/],
  ["chat", "rerankingModel", /not one that ranks/],
] as const)("a context %s is refused as a %s", (name, method, message) => {
  const refused = expect.objectContaining({
    ...{ code: "ERR_UNSUPPORTED", message: expect.stringMatching(message) },
  });
  expect(() => createCria(contexts)[method](name)).toThrow(refused);
});

test("contexts behind a port embed and rank, too", async () => {
  const [, bert, ranker] = models as [Model, Model, Model];
  const { engine, served } = connected({ bert, ranker });
  const [embeds, ranks] = await Promise.all(
    ["bert", "ranker"].map(async (name) =>
      (await engine.Model.load(name)).createContext({ embeddings: true }),
    ),
  );
  const cria = createCria({ embeds, ranks } as never);
  const { embeddings } = await cria.embeddingModel().doEmbed({ values: TEXTS });
  expect(embeddings).toHaveLength(3);
  const documents = { type: "text", values: TEXTS } as const;
  const { ranking } = await cria.rerankingModel().doRerank({ query: "llama", documents });
  expect(ranking).toHaveLength(3);
  engine.close();
  await served.closed;
});
