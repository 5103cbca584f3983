import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Context,
  type ContextOptions,
  type GenerateOptions,
  type GenerationResult,
  Grammar,
  Model,
  type SpeculationCounts,
} from "../../lib/index.js";
import { gaps, NEAR_TIE } from "../support/batched-reference.js";
import { chosen, endTokens, forbidden } from "../support/demo.js";
import { writeModelOfKind } from "../support/model-kinds.js";
import { MODEL } from "../support/paths.js";
import { Random } from "../support/random.js";
import { writeRandomModel } from "../support/random-model.js";

const directory = mkdtempSync(join(tmpdir(), "cria-speculation-"));
/** Nothing is rounded to fewer than 32 bits, with weights of as many. */
const UNROUNDED = { kvCacheType: "f32", flashAttention: false } as const;
const SHAPE = { contextSize: 512, ...UNROUNDED };
const NGRAM = { type: "ngram" } as const;

let model: Model;
let plain: Context;
let guessing: Context;
beforeAll(async () => {
  const path = join(directory, "random.gguf");
  await writeRandomModel(path, 7);
  model = await Model.load(path);
  plain = await model.createContext(SHAPE);
  guessing = await model.createContext({ ...SHAPE, speculation: NGRAM });
});
afterAll(async () => {
  await model.dispose();
  rmSync(directory, { recursive: true });
});

/** A text of some words in any order, so that each stands in many places. */
function repetitive(seed: number, length: number): Int32Array {
  const random = new Random(seed);
  const phrases = Array.from({ length: 4 }, () =>
    Array.from({ length: 6 }, () => random.below(model.vocabularySize - 300)),
  );
  const tokens: number[] = [];
  while (tokens.length < length) tokens.push(...random.pick(phrases));
  return Int32Array.from(tokens.slice(0, length));
}

/** Small models of random weights repeat themselves soon. */
const talks = (options: GenerateOptions = {}): GenerateOptions => ({
  temperature: 0,
  maxTokens: 80,
  logitBias: forbidden(endTokens(model)),
  ...options,
});

/** What does not tell how long it took, and in how many pieces. */
function essence({ text, tokens, stopReason, stopToken, stopString, usage }: GenerationResult) {
  const { promptTokens, completionTokens } = usage;
  const counts = { promptTokens, completionTokens };
  return { text, tokens: [...tokens], stopReason, stopToken, stopString, ...counts };
}

/** Both contexts' results; with how many tokens of drafts. */
async function both(prompt: Int32Array, options: GenerateOptions) {
  const expected = await plain.generate(prompt, options).result();
  const result = await guessing.generate(prompt, options).result();
  expect(expected.speculation).toBeUndefined();
  const { speculation = { proposed: -1, accepted: -1 } } = result;
  expect(speculation.accepted).toBeGreaterThanOrEqual(0);
  expect(speculation.accepted).toBeLessThanOrEqual(speculation.proposed);
  expect(speculation.accepted).toBeLessThanOrEqual(result.usage.completionTokens);
  return { expected, result, ...speculation };
}

test("greedy tokens are a plain loop's, and most of what is proposed is accepted", async () => {
  const texts: { prompt: Int32Array; generated: number[] }[] = [];
  const sum = { proposed: 0, accepted: 0, tokens: 0 };
  for (let seed = 1; seed <= 12; seed++) {
    const prompt = repetitive(seed, 20 + 17 * seed);
    const { result, proposed, accepted } = await both(prompt, talks());
    texts.push({ prompt, generated: chosen(result) });
    sum.proposed += proposed;
    sum.accepted += accepted;
    sum.tokens += result.usage.completionTokens;
  }
  for (const gap of await gaps(texts, { ...SHAPE, model: model.path }))
    expect(gap).toBeLessThan(NEAR_TIE);
  expect(sum.accepted).toBeGreaterThan(sum.tokens / 16);
  expect(sum.accepted).toBeGreaterThan(sum.proposed / 2);
});

/** One draw in many thousands lies so near the border of two tokens that the order of sums decides. */
const BORDERS = 1;

test.each<[string, GenerateOptions]>([
  ["temperature", { temperature: 0.03 }],
  ["penalties", { temperature: 0.03, penalties: { repeat: 1.02, lastN: 32 } }],
  ["dry", { temperature: 0.03, dry: { multiplier: 0.05 } }],
  ["mirostat", { mirostat: { version: 2, tau: 2 } }],
  ["min-p", { temperature: 0.05, minP: 0.05 }],
  ["a grammar", { temperature: 0.5, grammar: Grammar.gbnf('root ::= ("ab" | "abc" | "b ")+') }],
  ["a budget for thoughts", { temperature: 0.03, reasoningBudget: { tokens: 20, open: true } }],
])("what is sampled with %s is the same, seed by seed", async (_name, options) => {
  let different = 0;
  let proposed = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const given = await both(repetitive(seed, 120), talks({ ...options, seed, maxTokens: 60 }));
    proposed += given.proposed;
    const [expected, got] = [essence(given.expected), essence(given.result)];
    if (JSON.stringify(expected) !== JSON.stringify(got)) different += 1;
  }
  expect(different).toBeLessThanOrEqual(BORDERS);
  expect(proposed).toBeGreaterThan(0);
});

describe("text that a grammar forces", () => {
  const FORCED = { ...NGRAM, takeForced: true };
  const grammar = Grammar.jsonSchema({
    type: "object",
    properties: {
      species: { enum: ["llama", "alpaca", "guanaco"] },
      age: { enum: [7, 19] },
    },
    required: ["species", "age"],
    additionalProperties: false,
  });
  const options = (seed: number) => ({ temperature: 1, seed, grammar, maxTokens: 120 });
  let taking: Context;
  beforeAll(async () => {
    taking = await model.createContext({ ...SHAPE, sequences: 4, speculation: FORCED });
  });

  test("is guessed, and sampled as ever", async () => {
    let different = 0;
    let proposed = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const given = await both(repetitive(seed, 30), options(seed));
      proposed += given.proposed;
      const [expected, got] = [essence(given.expected), essence(given.result)];
      if (JSON.stringify(expected) !== JSON.stringify(got)) different += 1;
    }
    expect(different).toBeLessThanOrEqual(BORDERS);
    expect(proposed).toBeGreaterThan(0);
  });

  test("is taken as the tokenizer cuts it where that is wanted", async () => {
    const tokens = { taken: 0, sampled: 0 };
    for (let seed = 1; seed <= 8; seed++) {
      const result = await taking.generate(repetitive(seed, 30), options(seed)).result();
      expect(result.stopReason).toMatch(/^end-/);
      const { species, age } = JSON.parse(result.text) as { species: string; age: number };
      expect(["llama", "alpaca", "guanaco"]).toContain(species);
      expect([7, 19]).toContain(age);
      const sampled = await plain.generate(repetitive(seed, 30), options(seed)).result();
      tokens.taken += result.usage.completionTokens;
      tokens.sampled += sampled.usage.completionTokens;
      const { proposed, accepted } = result.speculation as SpeculationCounts;
      expect(accepted).toBeGreaterThan(proposed / 2);
    }
    expect(tokens.taken).toBeLessThan(tokens.sampled);
  });

  test("is the same beside others, where nothing is guessed", async () => {
    const prompts = Array.from({ length: 4 }, (_, index) => repetitive(50 + index, 40));
    const alone: string[] = [];
    for (const prompt of prompts)
      alone.push((await taking.generateText(prompt, { ...options(1), cachePrompt: false })).text);
    const together = await Promise.all(
      prompts.map((prompt) => taking.generateText(prompt, { ...options(1), cachePrompt: false })),
    );
    const different = together.filter(({ text }, index) => text !== alone[index]);
    expect(different.length).toBeLessThanOrEqual(BORDERS);
  });

  test("ends with the tokens that there are", async () => {
    for (const maxTokens of [1, 2, 3, 5, 8]) {
      const result = await taking.generate([5, 6], { ...options(3), maxTokens }).result();
      expect(result.usage.completionTokens).toBe(maxTokens);
      expect(result.tokens.length).toBe(maxTokens);
    }
  });
});

test("a draft ends where the generation does", async () => {
  const prompt = repetitive(3, 200);
  const whole = await plain.generate(prompt, talks()).result();
  for (const maxTokens of [0, 1, 2, 3, 10, 17, 33]) {
    const { expected, result } = await both(prompt, talks({ maxTokens }));
    expect(essence(result)).toEqual(essence(expected));
    expect(result.usage.completionTokens).toBe(maxTokens);
  }
  for (const at of [20, 37, 50]) {
    const stop = whole.text.slice(at, at + 3);
    const { expected, result } = await both(prompt, talks({ stop }));
    expect(essence(result)).toEqual(essence(expected));
    expect(result.stopReason).toBe("stop-string");
  }
  const end = whole.tokens[40] as number;
  expect(model.isEndOfGeneration(end)).toBe(false);
  const full = repetitive(3, 480);
  const { expected, result } = await both(full, talks());
  expect(essence(result)).toEqual(essence(expected));
  expect(result.stopReason).toBe("context-full");
});

test("what was dropped is nowhere in the cache", async () => {
  for (let seed = 20; seed < 28; seed++) {
    const prompt = repetitive(seed, 100);
    const { result } = await both(prompt, talks({ temperature: 0.7, seed }));
    const next = Int32Array.of(...prompt, ...result.tokens, 5, 6, 7);
    const again = await both(next, talks({ maxTokens: 20 }));
    // The last token of an answer is not evaluated.
    const { cachedTokens } = again.result.usage;
    expect(cachedTokens).toBeGreaterThanOrEqual(prompt.length + result.tokens.length - 1);
    const texts = [{ prompt: next, generated: chosen(again.result) }];
    const [gap] = await gaps(texts, { ...SHAPE, model: model.path });
    expect(gap).toBeLessThan(NEAR_TIE);
  }
});

test("log-probabilities are those of each token's own row", async () => {
  const { expected, result, accepted } = await both(repetitive(5, 150), talks({ logprobs: 2 }));
  expect(accepted).toBeGreaterThan(0);
  expect(result.logprobs?.length).toBe(result.tokens.length);
  for (const [index, { token, logprob, top }] of (result.logprobs ?? []).entries()) {
    const one = expected.logprobs?.[index];
    expect(token).toEqual(one?.token);
    expect(Math.abs(logprob - (one?.logprob ?? 0))).toBeLessThan(NEAR_TIE);
    expect(top.length).toBe(2);
  }
});

test.each<[string, ContextOptions]>([
  ["a cache per sequence", { sequences: 3 }],
  ["one cache for all", { sequences: 3, kvCache: "unified" }],
  ["cells for little more than one", { sequences: 3, kvCache: "unified", kvCacheSize: 512 }],
  [
    "no row of a batch to spare",
    { sequences: 2, kvCache: "unified", batchSize: 4, microBatchSize: 4 },
  ],
  ["batches of a few rows", { sequences: 1, batchSize: 4, microBatchSize: 4 }],
  ["micro-batches of a few rows", { sequences: 2, batchSize: 64, microBatchSize: 2 }],
  ["long drafts", { sequences: 64, speculation: { type: "ngram", maxTokens: 63 } }],
])("beside others, with %s", async (_name, options) => {
  await using context = await model.createContext({ ...SHAPE, speculation: NGRAM, ...options });
  const prompts = Array.from({ length: 6 }, (_, index) => repetitive(30 + index, 60 + 30 * index));
  const results = await Promise.all(
    prompts.map((prompt, index) =>
      context.generate(prompt, talks({ maxTokens: 20 + 30 * index })).result(),
    ),
  );
  const texts = prompts.map((prompt, index) => {
    const result = results[index] as GenerationResult;
    expect(result.usage.completionTokens).toBe(20 + 30 * index);
    return { prompt, generated: chosen(result) };
  });
  for (const gap of await gaps(texts, { ...SHAPE, model: model.path }))
    expect(gap).toBeLessThan(NEAR_TIE);
  const proposed = results.map(({ speculation }) => speculation?.proposed ?? -1);
  expect(Math.max(...proposed)).toBeGreaterThan(0);
});

test("a generation can be stopped between two tokens of a draft's", async () => {
  const generation = guessing.generate(repetitive(3, 200), talks({ maxTokens: 250 }));
  for await (const { tokens } of generation) {
    expect(tokens.length).toBeGreaterThan(0);
    break;
  }
  const { stopReason } = await generation.result();
  expect(["cancelled", "max-tokens"]).toContain(stopReason);
  const { expected, result } = await both(repetitive(3, 200), talks());
  expect(essence(result).tokens.length).toBe(essence(expected).tokens.length);
});

test("the demo model finds its way back in a text that it copies", async () => {
  await using demo = await Model.load(MODEL);
  await using context = await demo.createContext({ contextSize: 1024, speculation: NGRAM });
  const text = "The llama lives in the mountains and eats grass. ".repeat(5);
  const options = { temperature: 0, maxTokens: 200, logitBias: forbidden(endTokens(demo)) };
  const { speculation } = await context.generate(text, options).result();
  expect(speculation?.accepted).toBeGreaterThan(0);
});

test("where states cannot be cut back, it is refused", async () => {
  const recurrent = join(directory, "recurrent.gguf");
  writeModelOfKind(recurrent, "states in the place of a cache");
  await using states = await Model.load(recurrent);
  await expect(states.createContext({ speculation: NGRAM })).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: expect.stringContaining("recurrent layers"),
  });
  const sliding = join(directory, "sliding.gguf");
  writeModelOfKind(sliding, "a sliding window");
  await using window = await Model.load(sliding);
  await expect(
    window.createContext({ contextSize: 1024, swaFull: false, speculation: NGRAM }),
  ).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: expect.stringContaining("`swaFull`"),
  });
  await using context = await window.createContext({ contextSize: 1024, speculation: NGRAM });
  const { usage } = await context.generate([1, 2, 3], { maxTokens: 5 }).result();
  expect(usage.completionTokens).toBeGreaterThan(0);
});

test.each<[unknown, string]>([
  [{}, 'Expected one of "ngram", "draft", "eagle3", "mtp" for `options.speculation.type`'],
  [{ type: "dflash" }, 'for `options.speculation.type`, got "dflash"'],
  ["ngram", 'Expected a plain object for `options.speculation`, got "ngram"'],
  [{ type: "ngram", maxTokens: 0 }, "`options.speculation.maxTokens`"],
  [{ type: "ngram", maxTokens: 64 }, "`options.speculation.maxTokens`"],
  [{ type: "ngram", takeForced: 1 }, "`options.speculation.takeForced`"],
  [{ type: "ngram", tokens: 4 }, 'Unknown option "tokens"'],
])("speculation: %j is refused", async (speculation, message) => {
  const created = model.createContext({ speculation } as ContextOptions);
  await expect(created).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringContaining(message),
  });
});

test("it has no meaning with embeddings", async () => {
  const created = model.createContext({ embeddings: true, speculation: NGRAM });
  await expect(created).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringContaining("no meaning with `embeddings`"),
  });
});
