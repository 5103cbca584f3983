import {
  type CachePrompt,
  type Context,
  type GenerateOptions,
  Model,
  Sampler,
} from "../lib/index.js";
import {
  type BatchedReferenceOptions,
  decodedTogether,
  gaps,
  NEAR_TIE,
} from "./support/batched-reference.js";
import { chosen, endTokens, forbidden, PROMPTS } from "./support/demo.js";
import { MODEL } from "./support/paths.js";

const TOKENS = 40;
const sampler = Sampler.greedy();
// One: more of them only wait for each other on so small a model, all the more on a busy machine.
const threads = 1;

let model: Model;
let prompts: Int32Array[];

function ids(index: number): Int32Array {
  const prompt = PROMPTS[index % PROMPTS.length] ?? [];
  const tokens = prompt.map((segment) => {
    if ("text" in segment) return [...model.tokenize(segment.text)];
    return "control" in segment ? [model.tokenId(segment.control) as number] : [...segment.tokens];
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
  model = await Model.load(MODEL);
  prompts = PROMPTS.map((_, index) => ids(index));
});
afterAll(() => model.dispose());

async function generate(context: Context, prompt: Int32Array, options: GenerateOptions = {}) {
  const result = await context
    .generate(prompt, { sampler, maxTokens: TOKENS, ...options })
    .result();
  return { result, generated: chosen(result) };
}

/** Forced through the plain loop, no token was chosen that is not nearly the likeliest. */
async function expectNearTies(
  texts: readonly { prompt: Int32Array; generated: number[] }[],
  shape: BatchedReferenceOptions,
) {
  for (const gap of await gaps(texts, shape)) {
    expect(gap).toBeLessThan(NEAR_TIE);
  }
}

test("one sequence, and each of eight, are the plain loop's that decodes the same batches", async () => {
  const context = await model.createContext({ contextSize: 256, sequences: 8, threads });
  const reference = await decodedTogether(prompts, TOKENS, { contextSize: 256 });
  for (const cachePrompt of [false, true]) {
    const texts = await Promise.all(
      prompts.map((prompt) => generate(context, prompt, { cachePrompt })),
    );
    if (!cachePrompt) expect(texts.map(({ generated }) => generated)).toEqual(reference);
    await expectNearTies(
      texts.map(({ generated }, index) => ({ prompt: prompts[index] as Int32Array, generated })),
      { contextSize: 256 },
    );
  }
  const [alone] = await decodedTogether(prompts.slice(0, 1), TOKENS, { contextSize: 256 });
  const first = await generate(context, prompts[0] as Int32Array, { cachePrompt: false });
  expect(first.generated).toEqual(alone);
  await context.dispose();
});

test("they stay so when they end out of step and others take their places", async () => {
  const context = await model.createContext({ contextSize: 256, sequences: 4, threads });
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
    const batches = { ...shape, batchSize: microBatchSize, sequences: 4, threads };

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
        const context = await model.createContext({ ...batches, cacheLayout: "separate" });
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
      const context = await model.createContext({ ...batches, cacheLayout: "separate" });
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

    test("separate streams", async () => {
      const context = await model.createContext({ ...batches, cacheLayout: "separate" });
      for (const { prompt, generated } of await beside(context, false)) {
        expect([generated]).toEqual(await decodedTogether([prompt], 12, shape));
      }
      await context.dispose();
    });

    test.each([false, true])("a shared cache, prefixes reused: %p", async (cachePrompt) => {
      const context = await model.createContext({ ...batches, cacheLayout: "shared" });
      await expectNearTies(await beside(context, cachePrompt), shape);
      await context.dispose();
    });
  },
);

test.each([false, true])(
  "a shared cache differs in near ties only, prefixes reused: %p",
  async (cachePrompt) => {
    const context = await model.createContext({
      contextSize: 256,
      sequences: 8,
      cacheLayout: "shared",
      threads,
    });
    let cached = 0;
    for (let round = 0; round < 2; round++) {
      const texts = await Promise.all(
        prompts.map(async (prompt) => ({
          prompt,
          ...(await generate(context, prompt, { cachePrompt })),
        })),
      );
      await expectNearTies(texts, { contextSize: 256 });
      for (const { result } of texts) cached += result.usage.cachedTokens;
    }
    expect(cached > 0).toBe(cachePrompt);
    await context.dispose();
  },
);
