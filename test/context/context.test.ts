import { type Context, type Generation, Grammar, Model, Sampler } from "../../lib/index.js";
import { chosen, endTokens, forbidden, question } from "../support/demo.js";
import { MODEL } from "../support/paths.js";

const code = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const greedy = Sampler.greedy();

let model: Model;
let context: Context;
let endless: Sampler;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 4 });
  endless = greedy.with({ logitBias: forbidden(endTokens(model)) });
});
afterAll(() => model.dispose());

async function texts(generation: Generation): Promise<string[]> {
  const seen: string[] = [];
  for await (const { text } of generation) seen.push(text);
  return seen;
}

/** Always this token, as often as it may. */
function only(token: number): Sampler {
  return greedy.with({ logitBias: { [token]: 1e6 } });
}

describe("streaming", () => {
  test("gives the result in pieces, the first long before the last", async () => {
    const generation = context.generate("The", { sampler: endless, maxTokens: 240 });
    const chunks: string[] = [];
    const ids: number[] = [];
    let over = false;
    generation.result().then(() => {
      over = true;
    });
    let early = 0;
    for await (const { text, tokens } of generation) {
      chunks.push(text);
      ids.push(...tokens);
      if (!over) early++;
    }
    const result = await generation.result();
    expect(chunks.join("")).toBe(result.text);
    expect(ids).toEqual([...result.tokens]);
    expect(early).toBeGreaterThan(0);
    expect(result.usage.completionTokens).toBe(240);
    expect(result.stopReason).toBe("max-tokens");
  });

  test("has whole characters in every chunk", async () => {
    const output = "é漢字👩‍🚀🦙ñ";
    const sampler = greedy.with({ grammar: Grammar.gbnf(`root ::= "${output}"`) });
    const generation = context.generate("The", { sampler });
    const chunks = await texts(generation);
    expect(chunks.join("")).toBe(output);
    for (const chunk of chunks) expect(chunk).not.toMatch(/\ufffd|\p{Surrogate}/u);
    expect((await generation.result()).text).toBe(output);
  });

  test("of the text is what the tokens say", async () => {
    const { text, tokens } = await context
      .generate("The", { sampler: endless, maxTokens: 60 })
      .result();
    expect(text).toBe(model.detokenize(tokens));
  });
});

describe("stop reasons", () => {
  test.each([
    ["end-of-message", "<|eom_id|>"],
    ["end-of-turn", "<|eot_id|>"],
    ["end-of-text", "<|end_of_text|>"],
  ] as const)("%s by %s", async (stopReason, control) => {
    const token = model.tokenId(control) as number;
    const result = await context.generate("The", { sampler: only(token) }).result();
    expect(result).toMatchObject({ text: "", stopReason, stopToken: token, stopString: null });
    expect(result.tokens).toHaveLength(0);
    expect(result.usage.completionTokens).toBe(1);
  });

  test("max-tokens, 0 included", async () => {
    for (const maxTokens of [0, 1, 7]) {
      const result = await context.generate("The", { sampler: endless, maxTokens }).result();
      expect(result).toMatchObject({ stopReason: "max-tokens", stopToken: null });
      expect(result.tokens).toHaveLength(maxTokens);
      expect(result.usage.completionTokens).toBe(maxTokens);
    }
  });

  test("context-full, when prompt and output fill contextSize", async () => {
    const result = await context.generate("The", { sampler: endless }).result();
    expect(result.stopReason).toBe("context-full");
    const { promptTokens, completionTokens } = result.usage;
    expect(promptTokens + completionTokens).toBeGreaterThanOrEqual(256);
    expect(promptTokens + completionTokens).toBeLessThanOrEqual(257); // the last is not evaluated
    expect(result.tokens).toHaveLength(completionTokens);
  });

  test("cancelled, with what there was", async () => {
    const generation = context.generate("The", { sampler: endless });
    for await (const _ of generation) generation.cancel();
    const { stopReason, text, tokens } = await generation.result();
    expect(stopReason).toBe("cancelled");
    expect(tokens.length).toBeGreaterThan(0);
    expect(tokens.length).toBeLessThan(250);
    expect(model.detokenize(tokens).startsWith(text)).toBe(true);
  });

  test("a prompt that can never fit is ERR_CONTEXT_FULL, and others go on", async () => {
    const other = context.generate("The", { sampler: endless, maxTokens: 20 });
    const tokens = new Int32Array(257).fill(model.tokenize("a")[0] as number);
    const both = [context.generate(tokens), context.generate("llama ".repeat(300))];
    for (const generation of both) {
      await expect(generation.result()).rejects.toEqual(code("ERR_CONTEXT_FULL", /256/));
      await expect(texts(generation)).rejects.toEqual(code("ERR_CONTEXT_FULL"));
    }
    expect((await other.result()).tokens).toHaveLength(20);
  });
});

describe("stop strings", () => {
  test("end the output before them, wherever tokens end", async () => {
    const { text } = await context.generate("The", { sampler: endless, maxTokens: 60 }).result();
    for (const [start, length] of [
      [0, 1],
      [5, 3],
      [11, 7],
      [20, 2],
    ] as const) {
      const stop = text.slice(start, start + length);
      const generation = context.generate("The", {
        sampler: endless,
        maxTokens: 60,
        stop: [stop, "\0"],
      });
      const chunks = await texts(generation);
      const result = await generation.result();
      expect(result).toMatchObject({
        stopReason: "stop-string",
        stopString: stop,
        stopToken: null,
      });
      expect(result.text).toBe(text.slice(0, text.indexOf(stop)));
      expect(chunks.join("")).toBe(result.text);
    }
  });

  test("that only begin are given out after all", async () => {
    const plain = await context.generate("The", { sampler: endless, maxTokens: 40 }).result();
    const stop = [`${plain.text.slice(-3)}\0never`, `${plain.text.slice(4, 9)}\0never`];
    const result = await context
      .generate("The", { sampler: endless, maxTokens: 40, stop })
      .result();
    expect(result.text).toBe(plain.text);
    expect(result.stopReason).toBe("max-tokens");
  });
});

describe("special", () => {
  test("shows control tokens in the output, or leaves no text for them", async () => {
    const token = model.tokenId("<|python_tag|>") as number;
    const options = { sampler: only(token), maxTokens: 2 };
    const shown = await context.generate("The", { ...options, special: true }).result();
    const hidden = await context.generate("The", options).result();
    expect([shown.text, hidden.text]).toEqual(["<|python_tag|><|python_tag|>", ""]);
    expect([...hidden.tokens]).toEqual([token, token]);
  });
});

describe("prompts", () => {
  test("of a string are the tokens with a BOS, control-token text as text", async () => {
    const text = "a <|eot_id|> b";
    const ids = [model.specialTokens.bos as number, ...model.tokenize(text)];
    const options = { sampler: greedy, maxTokens: 12 };
    const byText = await context.generate(text, options).result();
    const byIds = await context.generate(ids, options).result();
    expect(byText.usage.promptTokens).toBe(ids.length);
    expect(chosen(byText)).toEqual(chosen(byIds));
  });

  test("of segments are those of the segments, one after the other", async () => {
    const prompt = question("What is a llama?");
    const ids = prompt.flatMap((segment) =>
      "control" in segment
        ? [model.tokenId(segment.control) as number]
        : [...model.tokenize((segment as { text: string }).text)],
    );
    const options = { sampler: greedy, maxTokens: 12 };
    const bySegments = await context.generate(prompt, options).result();
    expect(bySegments.usage.promptTokens).toBe(ids.length);
    expect(chosen(bySegments)).toEqual(chosen(await context.generate(ids, options).result()));
  });

  test("with a control token that the model lacks are refused by name", () => {
    expect(() => context.generate([{ control: "<|nope|>" }])).toThrow(
      code("ERR_INVALID_ARGUMENT", /no control token "<\|nope\|>"/),
    );
  });

  test("tell how far they are evaluated", async () => {
    const small = await model.createContext({ contextSize: 256, batchSize: 16 });
    const seen: [number, number][] = [];
    const onProgress = (evaluated: number, total: number) => seen.push([evaluated, total]);
    const prompt = new Int32Array(100).fill(model.tokenize("a")[0] as number);
    await small.generate(prompt, { sampler: greedy, maxTokens: 1, onProgress }).result();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.at(-1)).toEqual([100, 100]);
    expect(seen.map(([evaluated]) => evaluated)).toEqual(
      seen.map(([evaluated]) => evaluated).sort((a, b) => a - b),
    );
    await small.dispose();
  });
});

describe("queue", () => {
  test("holds what exceeds the sequences and takes it in order", async () => {
    const one = await model.createContext({ contextSize: 128 });
    const order: number[] = [];
    const generations = [0, 1, 2, 3].map((index) => {
      const generation = one.generate("The", { sampler: endless, maxTokens: 16 });
      generation.result().then(() => order.push(index));
      return generation;
    });
    const { activeGenerations, queuedGenerations } = one.stats;
    expect(activeGenerations + queuedGenerations).toBe(4);
    expect(activeGenerations).toBeLessThanOrEqual(1);
    const results = await Promise.all(generations.map((generation) => generation.result()));
    expect(order).toEqual([0, 1, 2, 3]);
    expect(results[3]?.timings.queuedMs).toBeGreaterThan(results[0]?.timings.queuedMs as number);
    expect(one.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
    await one.dispose();
  });

  test("takes hundreds at once", async () => {
    const generations = Array.from({ length: 300 }, () =>
      context.generate("The", { sampler: endless, maxTokens: 2 }).result(),
    );
    const results = await Promise.all(generations);
    expect(new Set(results.map(({ text }) => text)).size).toBe(1);
  });
});

describe("usage and timings", () => {
  test("add up", async () => {
    const fresh = await model.createContext({ contextSize: 128 });
    const before = performance.now();
    const { usage, timings } = await fresh
      .generate("The llama", { sampler: endless, maxTokens: 32 })
      .result();
    const elapsed = performance.now() - before;
    expect(usage).toEqual({
      promptTokens: model.tokenize("The llama", { addBos: true }).length,
      cachedTokens: 0,
      completionTokens: 32,
    });
    const { queuedMs, promptMs, generationMs, tokensPerSecond } = timings;
    for (const ms of [queuedMs, promptMs, generationMs]) expect(ms).toBeGreaterThanOrEqual(0);
    expect(queuedMs + promptMs + generationMs).toBeLessThanOrEqual(elapsed + 1);
    expect(tokensPerSecond).toBeCloseTo((32 * 1000) / generationMs, 5);
    await fresh.dispose();
  });

  test("of the context count what was evaluated", async () => {
    const fresh = await model.createContext({ contextSize: 128 });
    expect(fresh.stats).toMatchObject({ decodedTokens: 0, batches: 0 });
    const { usage } = await fresh
      .generate("The llama", { sampler: endless, maxTokens: 10 })
      .result();
    const { decodedTokens, batches } = fresh.stats;
    expect(decodedTokens).toBeGreaterThanOrEqual(usage.promptTokens + 9);
    expect(decodedTokens).toBeLessThanOrEqual(usage.promptTokens + 10);
    expect(batches).toBeGreaterThanOrEqual(10);
    await fresh.dispose();
  });
});

describe.each(["per-sequence", "unified"] as const)("a %s KV cache", (kvCache) => {
  test("serves more generations than sequences", async () => {
    const many = await model.createContext({
      contextSize: 96,
      sequences: 3,
      kvCache,
      ...(kvCache === "unified" && { kvCacheSize: 200 }),
    });
    const results = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        many.generate(`The ${i}`, { sampler: endless, maxTokens: 20 + i }).result(),
      ),
    );
    expect(results.map(({ tokens }) => tokens.length)).toEqual(
      Array.from({ length: 9 }, (_, i) => 20 + i),
    );
    await many.dispose();
  });
});
