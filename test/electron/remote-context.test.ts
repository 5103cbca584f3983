import { CriaError } from "../../lib/electron/electron-client.js";
import type { RemoteContext } from "../../lib/electron/remote-context.js";
import type { RemoteModel } from "../../lib/electron/remote-model.js";
import { type Context, type GenerationChunk, Grammar, Model } from "../../lib/index.js";
import { endTokens, forbidden, PROMPTS } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { type Connected, connected, idle, watched } from "../support/remote.js";

/** Beside the remote ones, what they are compared with. */
let local: Model;
let localContext: Context;
let contexts: Context[];
let all: Connected;
let model: RemoteModel;
let context: RemoteContext;

const OPTIONS = { contextSize: 1024, sequences: 4, threads: 1 };
const GREEDY = { temperature: 0, maxTokens: 40 };

beforeAll(async () => {
  local = await Model.load(MODEL);
  localContext = await local.createContext(OPTIONS);
  const watching = watched(local);
  contexts = watching.contexts;
  all = connected({ demo: watching.model, file: MODEL });
  model = await all.engine.Model.load("demo");
  context = await model.createContext(OPTIONS);
});
afterAll(async () => {
  all.engine.close();
  await all.served.closed;
  await local.dispose();
});

/** Talks until something else ends it. */
const endless = () => ({ temperature: 0, logitBias: forbidden(endTokens(local)) });
/** The context behind the remote one. */
const behind = () => contexts[0] as Context;

describe("a model", () => {
  test("has the facts of the one behind it, under the name that it was asked for by", () => {
    const { path, ...facts } = model;
    expect(path).toBe("demo");
    const { path: _, ...expected } = local;
    expect(facts).toEqual(expected);
    expect(model.metadata.get("general.name")).toBe(local.metadata.get("general.name"));
  });

  test("is loaded with its options and tells its progress", async () => {
    const told: number[] = [];
    const loaded = await all.engine.Model.load("file", {
      vocabOnly: true,
      onProgress: (fraction) => told.push(fraction),
    });
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    await expect(loaded.createContext()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await loaded.dispose();
  });

  test("that the server holds takes no options", async () => {
    const loading = all.engine.Model.load("demo", { gpuLayers: 0 });
    await expect(loading).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      details: { option: "gpuLayers" },
    });
  });

  test("an aborted load rejects with the signal's reason, and leaves nothing", async () => {
    const stop = new AbortController();
    const reason = new Error("changed my mind");
    const loading = all.engine.Model.load("file", { signal: stop.signal });
    stop.abort(reason);
    await expect(loading).rejects.toBe(reason);
    await expect(all.engine.Model.load("file", { signal: stop.signal })).rejects.toBe(reason);
  });

  test("what onProgress throws fails the load", async () => {
    const thrown = new Error("no");
    const onProgress = () => {
      throw thrown;
    };
    await expect(all.engine.Model.load("file", { onProgress })).rejects.toBe(thrown);
  });

  test("tokenizes", async () => {
    const text = "Once upon a time <|eot_id|>";
    const tokens = await model.tokenizeAsync(text, { addBos: true, special: true });
    expect([...tokens]).toEqual([...local.tokenize(text, { addBos: true, special: true })]);
  });

  test("and a context are disposed of, once", async () => {
    const own = await all.engine.Model.load("file");
    const made = await own.createContext({ contextSize: 128, threads: 1 });
    const running = made.generate("Once", endless());
    await Promise.all([own.dispose(), own.dispose()]);
    expect(own.disposed).toBe(true);
    await expect(running.result()).rejects.toMatchObject({ code: "ERR_DISPOSED" });
    await expect(own.createContext()).rejects.toMatchObject({ code: "ERR_DISPOSED" });
    await expect(made.stats()).rejects.toMatchObject({ code: "ERR_DISPOSED" });
    await made.dispose();
    expect(() => made.generate("x")).toThrow(CriaError);
  });
});

describe("a generation", () => {
  test.each(PROMPTS.map((prompt, i) => [i, prompt] as const))(
    "of prompt %i is the local one",
    async (_, prompt) => {
      const chunks: GenerationChunk[] = [];
      const generation = context.generate(prompt, GREEDY);
      for await (const chunk of generation) chunks.push(chunk);
      const result = await generation.result();
      const expected = await localContext.generateText(prompt, GREEDY);
      const { usage, timings, ...same } = result;
      const { usage: localUsage, timings: localTimings, ...sameLocal } = expected;
      expect(same).toEqual(sameLocal);
      expect({ ...usage, cachedTokens: 0 }).toEqual({ ...localUsage, cachedTokens: 0 });
      expect(Object.keys(timings)).toEqual(Object.keys(localTimings));
      expect(chunks.map(({ text }) => text).join("")).toBe(result.text);
      expect(chunks.flatMap(({ tokens }) => [...tokens])).toEqual([...result.tokens]);
    },
  );

  test("counts guesses as the local one", async () => {
    const options = { contextSize: 512, speculation: { type: "ngram" } } as const;
    const [here, there] = [await local.createContext(options), await model.createContext(options)];
    const text = "The llama lives in the mountains. ".repeat(5);
    const asked = { temperature: 0, maxTokens: 40 };
    const expected = await here.generateText(text, asked);
    expect((await there.generateText(text, asked)).speculation).toEqual(expected.speculation);
    expect(expected.speculation?.proposed).toBeGreaterThanOrEqual(0);
    await Promise.all([here.dispose(), there.dispose()]);
  });

  test("tells log-probabilities with each chunk and with the result", async () => {
    const options = { ...GREEDY, logprobs: 3, cachePrompt: false };
    const generation = context.generate("A llama", options);
    const chunks: GenerationChunk[] = [];
    for await (const chunk of generation) chunks.push(chunk);
    const { logprobs } = await generation.result();
    const expected = await localContext.generateText("A llama", options);
    expect(logprobs).toEqual(expected.logprobs);
    expect(chunks.flatMap((chunk) => chunk.logprobs)).toEqual(logprobs);
  });

  test("follows a grammar that came as data", async () => {
    const gbnf = 'root ::= "yes" | "no"';
    const { text } = await context.generateText("A llama", { ...GREEDY, grammar: { gbnf } });
    expect(["yes", "no"]).toContain(text);
    const schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"] };
    const options = { ...GREEDY, maxTokens: 60 };
    const json = await context.generateText("A llama", { ...options, grammar: { schema } });
    const grammar = Grammar.jsonSchema(schema);
    expect(json.text).toBe(
      (await localContext.generateText("A llama", { ...options, grammar })).text,
    );
  });

  test("rejects at once with the signal's reason, and leaves the batch", async () => {
    const stop = new AbortController();
    const left = context.generate("Once upon a time", { ...endless(), signal: stop.signal });
    for await (const _ of left) break;
    expect((await left.result()).stopReason).toBe("cancelled");
    const other = context.generate("Once upon a time", { ...endless(), signal: stop.signal });
    const reader = other[Symbol.asyncIterator]();
    await reader.next();
    const reason = { any: "value" };
    stop.abort(reason);
    await expect(other.result()).rejects.toBe(reason);
    await idle(behind());
    const late = context.generate("Once", { signal: stop.signal });
    await expect(late.result()).rejects.toBe(reason);
  });

  test("is cancelled and keeps what it has", async () => {
    const generation = context.generate("Once upon a time", endless());
    let text = "";
    for await (const chunk of generation) {
      text += chunk.text;
      if (text.length > 20) generation.cancel();
    }
    const result = await generation.result();
    expect(result.stopReason).toBe("cancelled");
    expect(result.text).toBe(text);
    generation.cancel(); // says nothing to nobody
  });

  test("tells its progress; what the callback throws fails it", async () => {
    const told: (readonly [number, number])[] = [];
    const prompt = "A llama walks to the well. ".repeat(30);
    const options = { maxTokens: 1, cachePrompt: false } as const;
    await context.generateText(prompt, { ...options, onProgress: (...now) => told.push(now) });
    const [evaluated, total] = told.at(-1) as readonly [number, number];
    expect(evaluated).toBe(total);
    const thrown = new Error("enough");
    const throws = () => {
      throw thrown;
    };
    await expect(context.generateText(prompt, { ...options, onProgress: throws })).rejects.toBe(
      thrown,
    );
    await idle(behind());
  });

  test.each([
    ["a misspelt option", ["A", { temprature: 1 }], "ERR_INVALID_ARGUMENT", "temperature"],
    ["a wrong value", ["A", { topK: -1 }], "ERR_INVALID_ARGUMENT", "topK"],
    ["a Sampler", ["A", { sampler: { steps: [] } }], "ERR_INVALID_ARGUMENT", "one by one"],
    ["a wrong grammar", ["A", { grammar: { gbnf: "root ::= (" } }], "ERR_GRAMMAR_INVALID", ""],
    ["a grammar of two", ["A", { grammar: { gbnf: "", schema: {} } }], "ERR_INVALID_ARGUMENT", ""],
    ["no prompt", [undefined, {}], "ERR_INVALID_ARGUMENT", "prompt"],
    ["a prompt too long", ["llama ".repeat(2000), {}], "ERR_CONTEXT_FULL", ""],
  ])("rejects %s as a local one does", async (_, [prompt, options], code, part) => {
    const generating = context.generateText(prompt as string, options as object);
    const error = await generating.catch((caught: unknown) => caught);
    expect(CriaError.is(error)).toBe(true);
    expect(error).toMatchObject({ code, message: expect.stringContaining(part) });
  });

  test("what cannot cross a port is refused before it does", () => {
    const options = { temperature: () => 1 } as object;
    expect(() => context.generate("A", options)).toThrow(/^Only plain data can cross a port/);
    expect(() => context.generate("A", { signal: 1 as never })).toThrow(/AbortSignal/);
    expect(() => context.generate("A", [] as never)).toThrow(/plain object/);
  });
});

test("scores as a local context does, and tells the usage", async () => {
  const candidates = [...local.tokenize(" yes no")];
  const usages: unknown[] = [];
  const onUsage = (usage: unknown) => usages.push(usage);
  const options = { cachePrompt: false, onUsage };
  const scores = await context.score("Is a llama an animal?", candidates, options);
  const expected = await localContext.score("Is a llama an animal?", candidates, options);
  expect([...scores]).toEqual([...expected]);
  expect(usages).toHaveLength(2);
  expect(usages[0]).toEqual(usages[1]);
});

test("chooses as a local context does, and tells the usage of each evaluation", async () => {
  const texts = [" the mountains", " the sea", " the mountain air"];
  const usages: unknown[] = [];
  const options = { cachePrompt: false, onUsage: (usage: unknown) => usages.push(usage) };
  const choices = await context.choose("A llama lives in", texts, options);
  const expected = await localContext.choose("A llama lives in", texts, { cachePrompt: false });
  for (const [index, { text, probability, logprob, tokens }] of choices.entries()) {
    expect({ text, tokens }).toEqual({ text: texts[index], tokens: expected[index]?.tokens });
    expect(probability).toBeCloseTo(expected[index]?.probability as number, 1);
    expect(logprob).toBeCloseTo(expected[index]?.logprob as number, 1);
  }
  expect(usages.length).toBeGreaterThan(1);
});

test("embeds as a local context does; ranks where a context can", async () => {
  const made = { embeddings: true, contextSize: 128, threads: 1 };
  const [there, here] = [await model.createContext(made), await local.createContext(made)];
  const texts = ["a llama", "an alpaca"];
  const vectors = await there.embed(texts);
  expect(vectors.map((vector) => [...vector])).toEqual(
    (await here.embed(texts)).map((vector) => [...vector]),
  );
  expect([...(await there.embed("a llama"))]).toEqual([...(vectors[0] as Float32Array)]);
  expect(there.pooling).toBe(here.pooling);
  await expect(there.rank("a", ["b"])).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  const stop = AbortSignal.abort("stop");
  await expect(there.embed(texts, { signal: stop })).rejects.toBe("stop");
  await Promise.all([there.dispose(), here.dispose()]);
});

test("counts as the context behind it does", async () => {
  await idle(behind());
  expect(await context.stats()).toEqual(behind().stats);
});
