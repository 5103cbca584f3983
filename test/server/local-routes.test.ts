// The routes that OpenAI's client has no words for.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { errorShape, type ServedHttp, served } from "../support/served.js";
import { writeBert } from "../support/tiny-models.js";

let folder: string;
let model: Model;
let here: ServedHttp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-served-"));
  const ranker = join(folder, "ranker.gguf");
  writeBert(ranker, { pooling: 4, ranks: true });
  model = await Model.load(MODEL);
  here = await served({
    models: { demo: { model, context: { contextSize: 256 } }, "a/ranker": ranker },
  });
});
afterAll(async () => {
  await here.close();
  await model.dispose();
  await rm(folder, { recursive: true });
});

describe("rerank", () => {
  const ask = {
    model: "a/ranker",
    query: "the llama lives",
    documents: ["a small cria", "mountains", { text: "the alpaca lives in the mountains" }],
  };

  test.each(["/v1/rerank", "/v1/reranking", "/rerank", "/reranking"])("%s", async (path) => {
    const answer = await here.post(path, { ...ask, return_documents: true });
    const { results, ...rest } = (await answer.json()) as {
      results: { index: number; relevance_score: number; document: { text: string } }[];
      usage: { prompt_tokens: number };
    };
    expect(rest).toMatchObject({ object: "list", model: "a/ranker" });
    expect(rest.usage.prompt_tokens).toBeGreaterThan(9);
    const scores = results.map(({ relevance_score }) => relevance_score);
    expect(scores).toEqual([...scores].sort((one, other) => other - one));
    expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
    for (const { index, document } of results) {
      const given = ask.documents[index];
      expect(document.text).toBe(typeof given === "string" ? given : given?.text);
    }
    const first = await here.post(path, { ...ask, top_n: 1 });
    const { results: best } = (await first.json()) as { results: object[] };
    expect(best).toEqual([{ index: results[0]?.index, relevance_score: expect.any(Number) }]);
  });

  test("by a model that does not rank", async () => {
    const refused = await here.post("/rerank", { ...ask, model: "demo" });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toEqual(
      errorShape({ type: "invalid_request_error", code: "ERR_UNSUPPORTED" }),
    );
  });
});

test("tokenize and detokenize", async () => {
  const content = "A llama<|eot_id|>";
  const tokens = async (more: object) =>
    ((await (await here.post("/tokenize", { content, ...more })).json()) as { tokens: unknown })
      .tokens;
  const ids = (await tokens({})) as number[];
  expect(ids).toEqual([...model.tokenize(content, { special: true })]);
  expect(await tokens({ parse_special: false })).toEqual([...model.tokenize(content)]);
  expect(await tokens({ add_special: true })).toEqual([
    ...model.tokenize(content, { special: true, addBos: true }),
  ]);
  const pieces = (await tokens({ with_pieces: true })) as { id: number; piece: string }[];
  expect(pieces.map(({ id }) => id)).toEqual(ids);
  expect(pieces.map(({ piece }) => piece).join("")).toBe(content);
  expect(await (await here.post("/detokenize", { tokens: ids })).json()).toEqual({ content });
  const wrong = await here.post("/detokenize", { tokens: [1e9] });
  expect(wrong.status).toBe(400);
});

test("health, models and metrics", async () => {
  expect(await (await here.get("/health")).json()).toEqual({ status: "ok" });
  await here.post("/tokenize", { content: "x" });
  const { data } = (await (await here.get("/v1/models")).json()) as { data: { id: string }[] };
  expect(data[0]).toMatchObject({ id: "demo", meta: { n_vocab: model.vocabularySize } });
  expect(await (await here.get("/v1/models/a%2Franker")).json()).toMatchObject({ id: "a/ranker" });
  expect(await (await here.get("/v1/models/a/ranker")).json()).toMatchObject({ id: "a/ranker" });
  expect((await here.get("/v1/models/%ff")).status).toBe(404);
  await here.post("/v1/completions", { prompt: "The", max_tokens: 3, temperature: 0 });
  const metrics = await here.get("/metrics");
  expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = (await metrics.text()).split("\n");
  expect(lines.pop()).toBe("");
  for (const line of lines) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) cria_\w+ .+|cria_\w+\{(\w+="(\\.|[^"\\])*",?)+\} \d+(\.\d+)?)$/,
    );
  }
  expect(lines).toContain('cria_completion_tokens_total{model="demo"} 3');
  expect(lines).toContain('cria_requests_total{route="/v1/models/",status="404"} 1');
});

test("what is not there", async () => {
  const unknown = await here.get("/v1/nothing?x=1");
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toEqual(
    errorShape({ type: "not_found_error", code: "unknown_url" }),
  );
  const wrong = await here.get("/v1/embeddings");
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
  expect(await wrong.json()).toEqual(errorShape({ code: "method_not_allowed" }));
  const head = await fetch(`${here.url}/v1/models`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  for (const path of ["/constructor", "/__proto__", "//", "/v1/models/"]) {
    expect({ path, status: (await here.get(path)).status }).toEqual({ path, status: 404 });
  }
});
