// The routes that OpenAI's client has no words for.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { errorShape, eventsOf, type ServedHttp, served } from "../support/served.js";
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

test("pieces are spelt once for each kind of token, and what has no end is refused", async () => {
  const spelling = jest.spyOn(model, "detokenize");
  const answer = await here.post("/tokenize", { content: "ab ".repeat(1000), with_pieces: true });
  const { tokens } = (await answer.json()) as { tokens: { piece: string }[] };
  expect(tokens.map(({ piece }) => piece).join("")).toBe("ab ".repeat(1000));
  expect(tokens.length).toBeGreaterThan(100);
  expect(spelling.mock.calls.length).toBeLessThan(20);
  spelling.mockRestore();
  const many = JSON.stringify({ tokens: Array(2 ** 20 + 1).fill(0) });
  const refused = await here.post("/detokenize", many);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toEqual(errorShape({ code: "too_many_tokens" }));
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

describe("llama-server's own routes", () => {
  const ask = { model: "demo", prompt: "Once upon a time", n_predict: 4, temperature: 0 };
  const json = async (path: string, body: object) =>
    (await (await here.post(path, body)).json()) as Record<string, unknown>;

  test("/completion, whole and in pieces", async () => {
    const whole = await json("/completion", { ...ask, n_probs: 1, seed: -1, cache_prompt: true });
    expect(whole).toMatchObject({
      ...{ stop: true, stop_type: "limit", stopping_word: "", tokens_predicted: 4, model: "demo" },
      timings: { predicted_n: 4, predicted_per_second: expect.any(Number) },
    });
    const probabilities = whole.completion_probabilities as {
      id: number;
      top_logprobs: object[];
    }[];
    expect(probabilities.map(({ id }) => id)).toEqual(whole.tokens);
    const [{ top_logprobs: top }] = probabilities as [(typeof probabilities)[number]];
    const id = (whole.tokens as number[])[0];
    expect(top).toMatchObject([{ id, token: expect.any(String), logprob: expect.any(Number) }]);
    const streamed = await (await here.post("/completion", { ...ask, stream: true })).text();
    const pieces = eventsOf(streamed).map(({ data }) => data as Record<string, unknown>);
    expect(pieces.map(({ content }) => content).join("")).toBe(whole.content);
    expect(pieces.flatMap(({ tokens }) => tokens)).toEqual(whole.tokens);
    expect(pieces.map(({ stop }) => stop)).toEqual([...pieces.slice(1).map(() => false), true]);
    const [word] = String(whole.content).trim().split(" ");
    const stopped = await json("/completion", { ...ask, stop: [word] });
    expect(stopped).toMatchObject({ stop_type: "word", stopping_word: word });
    const first = (whole.tokens as number[])[0];
    const biased = await json("/completion", { ...ask, logit_bias: [[first, false]] });
    expect((biased.tokens as number[])[0]).not.toBe(first);
    const several = await json("/completion", { ...ask, prompt: ["Once", "The"] });
    expect(several).toMatchObject([{ index: 0 }, { index: 1 }]);
    const schema = { enum: ["yes"] };
    const held = await json("/completion", { ...ask, json_schema: schema, n_predict: 20 });
    expect(held.content).toBe('"yes"');
    const unknown = await json("/completion", { ...ask, mirostat: 2 });
    expect(unknown).toEqual(
      errorShape({ type: "invalid_request_error", param: expect.any(String) }),
    );
  });

  test("/infill and `suffix` want a model that was trained for it", async () => {
    const text = { input_prefix: "a", input_suffix: "b", input_extra: [{ text: "c" }] };
    const infill = await json("/infill", { model: "demo", ...text, n_predict: 2 });
    expect(infill).toMatchObject({ error: { code: "ERR_UNSUPPORTED" } });
    const suffix = await json("/v1/completions", { model: "demo", prompt: "a", suffix: "b" });
    expect(suffix).toMatchObject({ error: { code: "ERR_UNSUPPORTED" } });
  });

  test("/apply-template, also with what the template is told besides", async () => {
    const messages = [{ role: "user", content: "Hi" }];
    const { prompt } = await json("/apply-template", { model: "demo", messages });
    expect(prompt).toMatch(/Hi<\|eot_id\|>/);
    const kwargs = { enable_thinking: false, reasoning_effort: "low" };
    const told = { model: "demo", messages, chat_template_kwargs: kwargs };
    expect(await json("/apply-template", told)).toHaveProperty("prompt");
    const unknown = { model: "demo", messages, chat_template_kwargs: { colour: "red" } };
    expect(await json("/apply-template", unknown)).toMatchObject({
      error: { param: "chat_template_kwargs.colour" },
    });
  });

  test.each(["/embedding", "/embeddings"])("%s gives each vector in an array", async (path) => {
    const texts = ["a llama", "an alpaca"];
    const { data } = (await json("/v1/embeddings", { model: "demo", input: texts })) as {
      data: { embedding: number[] }[];
    };
    expect(await json(path, { model: "demo", content: texts })).toEqual(
      data.map(({ embedding }, index) => ({ index, embedding: [embedding] })),
    );
    const [raw] = (await json(path, {
      model: "demo",
      input: "a llama",
      embd_normalize: -1,
    })) as unknown as [{ embedding: number[][] }];
    const length = Math.hypot(...(raw.embedding[0] ?? []));
    expect(raw.embedding[0]?.map((value) => value / length)[0]).toBeCloseTo(
      data[0]?.embedding[0] ?? 0,
      4,
    );
    expect(length).not.toBeCloseTo(1, 3);
    const refused = await json(path, { model: "demo", content: "x", embd_normalize: 1 });
    expect(refused).toMatchObject({ error: { param: "embd_normalize" } });
    expect(await json(path, { model: "demo" })).toMatchObject({ error: { param: "content" } });
  });

  test("the tokens of a prompt are counted as its answer does", async () => {
    const messages = [{ role: "user", content: "What is a baby llama called?" }];
    const chat = { model: "demo", messages, max_tokens: 1 };
    const { usage } = (await json("/v1/chat/completions", chat)) as {
      usage: { prompt_tokens: number };
    };
    const counted = { object: "response.input_tokens", input_tokens: usage.prompt_tokens };
    expect(await json("/v1/chat/completions/input_tokens", chat)).toEqual(counted);
    expect(await json("/chat/completions/input_tokens", chat)).toEqual(counted);
    const response = { model: "demo", input: "What is a baby llama called?" };
    expect(await json("/v1/responses/input_tokens", response)).toEqual(counted);
    const image_url = { url: "data:image/png;base64,iVBORw0KGgo=" };
    const seen = [{ role: "user", content: [{ type: "image_url", image_url }] }];
    expect(
      await json("/v1/chat/completions/input_tokens", { model: "demo", messages: seen }),
    ).toMatchObject({
      error: { code: "ERR_UNSUPPORTED" },
    });
  });

  test("names without /v1 that llama-server has as well", async () => {
    const messages = [{ role: "user", content: "Hi" }];
    const chat = await json("/chat/completions", { model: "demo", messages, max_tokens: 1 });
    expect(chat).toMatchObject({ object: "chat.completion" });
    const response = await json("/responses", { model: "demo", input: "Hi", max_output_tokens: 1 });
    expect(response).toMatchObject({ object: "response" });
    expect(await (await here.get("/models")).json()).toMatchObject({ object: "list" });
    expect(await (await here.get("/v1/health")).json()).toEqual({ status: "ok" });
  });

  test("/props and /slots", async () => {
    const props = await (await here.get("/props")).json();
    expect(props).toMatchObject({
      ...{
        total_slots: 4,
        model_alias: "demo",
        model_path: "demo",
        bos_token: "<|begin_of_text|>",
      },
      ...{ default_generation_settings: { n_ctx: 256 }, is_sleeping: false },
    });
    const slots = await (await here.get("/slots?model=demo")).json();
    expect(slots).toEqual(
      Array.from({ length: 4 }, (_, id) => ({ id, n_ctx: 256, is_processing: false })),
    );
    expect((await here.get("/slots?model=none")).status).toBe(404);
  });
});

describe("completions with", () => {
  const ask = { model: "demo", prompt: "Once upon a time", max_tokens: 4, temperature: 0 };
  const complete = async (more: object) =>
    (await (await here.post("/v1/completions", { ...ask, ...more })).json()) as {
      choices: { text: string; logprobs: object | null }[];
      usage: { completion_tokens: number };
      timings: object;
    };

  test("echo: the prompt in front, whole and in pieces", async () => {
    const plain = await complete({});
    expect(plain.timings).toMatchObject({ predicted_n: 4 });
    const echoed = ask.prompt + plain.choices[0]?.text;
    expect((await complete({ echo: true })).choices[0]?.text).toBe(echoed);
    const answer = await here.post("/v1/completions", { ...ask, echo: true, stream: true });
    const events = eventsOf(await answer.text()).slice(0, -1);
    const pieces = events.map(({ data }) => data as Awaited<ReturnType<typeof complete>>);
    expect(pieces.map(({ choices }) => choices[0]?.text).join("")).toBe(echoed);
    expect(pieces.at(-1)?.timings).toMatchObject({ predicted_n: 4 });
    expect(await complete({ echo: true, logprobs: 1 })).toMatchObject({ error: { param: "echo" } });
  });

  test("best_of: the likeliest of those that were generated", async () => {
    const varied = { temperature: 1.5, seed: 3, logprobs: 0 };
    const mean = ({ logprobs }: { logprobs: object | null }) => {
      const { token_logprobs: all } = logprobs as { token_logprobs: number[] };
      return all.reduce((sum, one) => sum + one, 0) / all.length;
    };
    const all = await complete({ ...varied, n: 5 });
    const best = await complete({ ...varied, n: 2, best_of: 5 });
    const sorted = all.choices.map(mean).sort((one, other) => other - one);
    expect(best.choices.map(mean)).toEqual(sorted.slice(0, 2));
    expect(best.usage).toEqual(all.usage);
    const silent = await complete({ ...varied, logprobs: undefined, best_of: 3 });
    expect(silent.choices).toMatchObject([{ logprobs: null }]);
    for (const wrong of [{ n: 3, best_of: 2 }, { best_of: 2, stream: true }, { best_of: 21 }]) {
      expect(await complete(wrong)).toMatchObject({ error: { param: "best_of" } });
    }
  });
});
