import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CachePrompt,
  type Context,
  type GenerateOptions,
  Model,
  Sampler,
} from "../../lib/index.js";
import {
  type BatchedReferenceOptions,
  decodedTogether,
  gaps,
  NEAR_TIE,
} from "../support/batched-reference.js";
import { chosen, endTokens, forbidden, PROMPTS } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { writeRandomModel } from "../support/random-model.js";

const TOKENS = 40;
const sampler = Sampler.greedy();
/** Nothing is rounded to fewer than 32 bits, with weights of as many. */
const UNROUNDED = { kvCacheType: "f32", flashAttention: false } as const;

/** For what has to be equal. */
let model: Model;
/** For what comes in another order of sums: of the same vocabulary, with weights of 32 bits. */
let random: Model;
let prompts: Int32Array[];
let directory: string;

function ids(index: number): Int32Array {
  const prompt = PROMPTS[index % PROMPTS.length] ?? [];
  const tokens = prompt.map((segment) => {
    if ("text" in segment) return [...model.tokenize(segment.text)];
    if ("control" in segment) return [model.tokenId(segment.control) as number];
    return "tokens" in segment ? [...segment.tokens] : [];
  });
  return Int32Array.from(tokens.flat());
}

/** A prompt of so many tokens: the demo's one after the other, from a different one each. */
function long(index: number, length: number): Int32Array {
  const tokens: number[] = [];
  for (let i = index; tokens.length < length; i++) tokens.push(...ids(i));
  return Int32Array.from(tokens.slice(0, length));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-exactness-"));
  const file = join(directory, "random.gguf");
  await writeRandomModel(file, 20);
  [model, random] = await Promise.all([Model.load(MODEL), Model.load(file)]);
  prompts = PROMPTS.map((_, index) => ids(index));
});
afterAll(async () => {
  await Promise.all([model.dispose(), random.dispose()]);
  await rm(directory, { recursive: true });
});

async function generate(context: Context, prompt: Int32Array, options: GenerateOptions = {}) {
  const result = await context
    .generate(prompt, { sampler, maxTokens: TOKENS, ...options })
    .result();
  return { result, generated: chosen(result) };
}

/** Forced through the plain loop, each token is the likeliest but for the order of sums. */
async function expectNearTies(
  texts: readonly { prompt: Int32Array; generated: number[] }[],
  shape: BatchedReferenceOptions,
) {
  for (const gap of await gaps(texts, { ...shape, ...UNROUNDED, model: random.path })) {
    expect(gap).toBeLessThan(NEAR_TIE);
  }
}

test("one sequence, and each of eight, are the plain loop's that decodes the same batches", async () => {
  const context = await model.createContext({ contextSize: 256, sequences: 8 });
  const reference = await decodedTogether(prompts, TOKENS, { contextSize: 256 });
  const texts = await Promise.all(
    prompts.map((prompt) => generate(context, prompt, { cachePrompt: false })),
  );
  expect(texts.map(({ generated }) => generated)).toEqual(reference);
  const [alone] = await decodedTogether(prompts.slice(0, 1), TOKENS, { contextSize: 256 });
  const first = await generate(context, prompts[0] as Int32Array, { cachePrompt: false });
  expect(first.generated).toEqual(alone);
  await context.dispose();
});

test("they stay so when they end out of step and others take their places", async () => {
  const context = await model.createContext({ contextSize: 256, sequences: 4 });
  const asked = Array.from({ length: 24 }, (_, index) => ({
    prompt: long(index, 3 + ((index * 37) % 120)),
    maxTokens: 1 + ((index * 11) % 40),
  }));
  const texts = await Promise.all(
    asked.map(({ prompt, maxTokens }) =>
      generate(context, prompt, { maxTokens, cachePrompt: false }),
    ),
  );
  for (const [index, { prompt, maxTokens }] of asked.entries()) {
    const [alone] = await decodedTogether([prompt], maxTokens, { contextSize: 256 });
    expect(texts[index]?.generated).toEqual(alone);
  }
  await context.dispose();
});

describe.each(
  [64, 128, 512].flatMap((microBatchSize) =>
    [true, false].map((flashAttention) => ({ microBatchSize, flashAttention })),
  ),
)(
  "prompts beside generations, micro-batches of $microBatchSize, flash attention $flashAttention",
  ({ microBatchSize, flashAttention }) => {
    const shape = { contextSize: 1024, microBatchSize, flashAttention };
    // Behind 512 cells or more, flash attention divides a row that is alone among the threads, and rows of
    // several sequences not: with one thread they are the same.
    const threads = flashAttention ? { threads: 1 } : {};
    const batches = { ...shape, ...threads, batchSize: microBatchSize, sequences: 4 };

    /** Two generations that have begun and will not end by themselves. */
    async function endlessly(context: Context, cachePrompt: CachePrompt) {
      const options = {
        sampler: new Sampler({ temperature: 0, logitBias: forbidden(endTokens(model)) }),
        cachePrompt,
      };
      const running = [0, 1].map((index) =>
        context.generate(prompts[index] as Int32Array, options),
      );
      for (const generation of running) await generation[Symbol.asyncIterator]().next();
      return running;
    }

    async function beside(context: Context, cachePrompt: boolean) {
      const running = await endlessly(context, cachePrompt);
      const longs = [700, 130, 65, 64, 63, 333].map((length, index) => long(index, length));
      const texts = await Promise.all(
        longs.map(async (prompt) => ({
          prompt,
          ...(await generate(context, prompt, { maxTokens: 12, cachePrompt })),
        })),
      );
      for (const generation of running) generation.cancel();
      return texts;
    }

    // Not a bit may differ: a piece that llama.cpp computes in another way shows here first.
    test.each([false, "exact"] as const)(
      "separate streams give the same logits as alone, prefixes reused: %p",
      async (cachePrompt) => {
        const candidates = Array.from({ length: model.vocabularySize }, (_, token) => token);
        const lengths = [700, 130, 65, 64, 63, 333, 2, 1, 576, 191, 640, 530, 600, 129, 512];
        const score = (context: Context, length: number, index: number, cachePrompt: CachePrompt) =>
          context.score(long(index % 3, length), candidates, { cachePrompt });
        const alone = await model.createContext({ ...batches, sequences: 1 });
        const expected: Float32Array[] = [];
        for (const [index, length] of lengths.entries()) {
          expected.push(await score(alone, length, index, false));
        }
        const context = await model.createContext({ ...batches, kvCache: "per-sequence" });
        const running = await endlessly(context, cachePrompt);
        for (let round = 0; round < 2; round++) {
          const together = await Promise.all(
            lengths.map((length, index) => score(context, length, index, cachePrompt)),
          );
          for (const [index, values] of together.entries()) {
            const { buffer } = expected[index] as Float32Array;
            expect(Buffer.from(values.buffer).equals(Buffer.from(buffer))).toBe(true);
          }
        }
        for (const generation of running) generation.cancel();
        await Promise.all([alone.dispose(), context.dispose()]);
      },
    );

    test("an exact prefix saves what is in common, and the answer is the same", async () => {
      const context = await model.createContext({ ...batches, kvCache: "per-sequence" });
      const lengths = [700, 600, 650, 130, 700];
      const results = await Promise.all(
        lengths.map((length) =>
          generate(context, long(0, length), { maxTokens: 12, cachePrompt: "exact" }),
        ),
      );
      for (const [index, { generated }] of results.entries()) {
        const prompt = long(0, lengths[index] as number);
        expect([generated]).toEqual(await decodedTogether([prompt], 12, shape));
      }
      const cached = results.reduce((sum, { result }) => sum + result.usage.cachedTokens, 0);
      expect(cached).toBeGreaterThan(4 * 600 - 4 * 64 - 600);
      await context.dispose();
    });

    test("a short question behind a long message costs its own tokens, and no logit changes", async () => {
      const candidates = Array.from({ length: model.vocabularySize }, (_, token) => token);
      const end = model.tokenId("<|eot_id|>") as number;
      const system = [...long(0, 220)].filter((token) => !model.isEndOfGeneration(token));
      const asked = [16, 20, 31, 45, 63].map((length, index) =>
        Int32Array.from([...system.slice(0, 191), end, ...long(index, length)]),
      );
      const alone = await model.createContext({ ...batches, sequences: 1 });
      const expected: Float32Array[] = [];
      for (const prompt of asked)
        expected.push(await alone.score(prompt, candidates, { cachePrompt: false }));
      const context = await model.createContext({ ...batches, kvCache: "per-sequence" });
      const cached: number[] = [];
      for (let round = 0; round < 2; round++) {
        const together = await Promise.all(
          asked.map((prompt) =>
            context.score(prompt, candidates, {
              cachePrompt: "exact",
              onUsage: ({ cachedTokens }) => cached.push(cachedTokens),
            }),
          ),
        );
        for (const [index, values] of together.entries()) {
          const { buffer } = expected[index] as Float32Array;
          expect(Buffer.from(values.buffer).equals(Buffer.from(buffer))).toBe(true);
        }
      }
      expect(Math.min(...cached.slice(-asked.length))).toBeGreaterThanOrEqual(192);
      await Promise.all([alone.dispose(), context.dispose()]);
    });

    test("separate streams", async () => {
      const context = await model.createContext({ ...batches, kvCache: "per-sequence" });
      for (const { prompt, generated } of await beside(context, false)) {
        expect([generated]).toEqual(await decodedTogether([prompt], 12, shape));
      }
      await context.dispose();
    });
  },
);

describe.each([64, 512])("another order of sums, micro-batches of %d", (microBatchSize) => {
  const shape = { contextSize: 1024, microBatchSize };
  const batches = { ...shape, ...UNROUNDED, batchSize: microBatchSize, sequences: 4 };

  test.each([
    ["per-sequence", true],
    ["unified", false],
    ["unified", true],
  ] as const)("%s, prefixes reused: %p", async (kvCache, cachePrompt) => {
    const context = await random.createContext({ ...batches, kvCache });
    const asked = [700, 130, 65, 64, 63, 333, 600, 650, 700].map((length, index) => ({
      prompt: long(index % 3, length),
      maxTokens: 12,
    }));
    for (const prompt of prompts) asked.push({ prompt, maxTokens: TOKENS });
    const texts = await Promise.all(
      asked.map(async ({ prompt, maxTokens }) => ({
        prompt,
        ...(await generate(context, prompt, { maxTokens, cachePrompt })),
      })),
    );
    await expectNearTies(texts, shape);
    const cached = texts.reduce((sum, { result }) => sum + result.usage.cachedTokens, 0);
    expect(cached > 0).toBe(cachePrompt);
    await context.dispose();
  });
});
