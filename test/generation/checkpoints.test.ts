import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CachePrompt,
  type Context,
  type ContextOptions,
  Model,
  Sampler,
} from "../../lib/index.js";
import { decodedTogether, logitsBehind, NEAR_TIE } from "../support/batched-reference.js";
import { chosen, endTokens, forbidden } from "../support/demo.js";
import { type ModelKind, writeModelOfKind } from "../support/model-kinds.js";
import { Random } from "../support/random.js";
import { distance } from "../support/reference.js";

const directory = mkdtempSync(join(tmpdir(), "cria-checkpoints-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Nothing is rounded to fewer than 32 bits, so a row is the same in every piece of two rows or more. */
const UNROUNDED = { kvCacheType: "f32", flashAttention: false } as const;
const SHAPE = { contextSize: 1024, microBatchSize: 64, ...UNROUNDED };
/** Some more than a small window cache can be cut back by: its 128 tokens, a micro-batch, rounded up to 256. */
const LONG_ANSWER = 300;

interface Kind {
  readonly kind: ModelKind;
  readonly path: string;
  /** Whether a state is what the layers keep; otherwise a window. */
  readonly recurrent: boolean;
}

const KINDS: readonly Kind[] = (
  [
    ["states in the place of a cache", true],
    ["states in some layers, a cache in others", true],
    ["a sliding window", false],
  ] as const
).map(([kind, recurrent]) => ({
  kind,
  recurrent,
  path: join(directory, `${kind.replaceAll(/\W+/g, "-")}.gguf`),
}));

describe.each(KINDS)("a model with $kind", ({ kind, path, recurrent }) => {
  let model: Model;
  let end: number;
  let talks: Sampler;
  beforeAll(async () => {
    writeModelOfKind(path, kind);
    model = await Model.load(path);
    [end] = endTokens(model) as [number];
    talks = new Sampler({ temperature: 0, logitBias: forbidden(endTokens(model)) });
  });
  afterAll(() => model.dispose());

  const create = (options: ContextOptions = {}) =>
    model.createContext({ ...SHAPE, threads: 1, ...options });

  /** Tokens that end nothing. */
  function words(seed: number, length: number): number[] {
    const random = new Random(seed);
    const all = Array.from({ length: model.vocabularySize }, (_, id) => id);
    const some = all.filter((id) => !model.isEndOfGeneration(id));
    return Array.from({ length }, () => random.pick(some));
  }
  const message = (seed: number, length: number) => [...words(seed, length - 1), end];
  const opening = () => words(99, 4);
  const everyToken = () => Array.from({ length: model.vocabularySize }, (_, id) => id);

  async function answer(
    context: Context,
    prompt: readonly number[],
    maxTokens = 12,
    cachePrompt: CachePrompt = true,
  ) {
    const before = context.stats.decodedTokens;
    const ids = Int32Array.from(prompt);
    const result = await context.generate(ids, { sampler: talks, maxTokens, cachePrompt }).result();
    const { cachedTokens, promptTokens, completionTokens } = result.usage;
    // The last token of an answer is not evaluated.
    const evaluated = context.stats.decodedTokens - before - (completionTokens - 1);
    expect(evaluated).toBe(promptTokens - cachedTokens);
    return { tokens: chosen(result), cachedTokens, evaluated };
  }

  /** What a new context says, which evaluates all of it; and the plain loop. */
  async function fresh(prompt: readonly number[], maxTokens = 12): Promise<number[]> {
    await using context = await create();
    const { tokens, cachedTokens } = await answer(context, prompt, maxTokens);
    expect(cachedTokens).toBe(0);
    return tokens;
  }

  const scored = async (context: Context, prompt: readonly number[], cachePrompt: CachePrompt) => {
    let cached = 0;
    const values = await context.score(Int32Array.from(prompt), everyToken(), {
      cachePrompt,
      onUsage: ({ cachedTokens }) => {
        cached = cachedTokens;
      },
    });
    return { bytes: Buffer.from(values.buffer), values, cached };
  };

  test("is evaluated as by a plain loop over llama.h", async () => {
    const prompts = [message(1, 100), message(2, 40), [...message(3, 470), ...words(4, 33)]];
    await using context = await create({ sequences: 2 });
    await using sequence = await context.createSequence();
    const reference = await logitsBehind(prompts, { ...SHAPE, model: path, swaFull: false });
    for (const [index, prompt] of prompts.entries()) {
      await sequence.trim(0);
      await sequence.evaluate(Int32Array.from(prompt));
      expect(distance(await sequence.logits(), reference[index] as Float32Array)).toBe(0);
    }
    // The prompt in pieces, cut behind its messages.
    for (const prompt of prompts) {
      const options = { ...SHAPE, model: path };
      const open = prompt.map((token) => (token === end ? (words(5, 1)[0] as number) : token));
      const [whole] = await decodedTogether([open], 1, options);
      expect((await answer(context, open, 1)).tokens).toEqual(whole);
    }
  });

  describe.each([true, "exact"] as const)("cachePrompt %p", (cachePrompt) => {
    const windowExactly = cachePrompt === "exact" && !recurrent;

    test("edits, regenerated answers and stripped thoughts evaluate what lies behind the last border", async () => {
      await using context = await create();
      const [system, one, two] = [message(1, 100), message(2, 40), message(3, 30)];
      // Behind a window that has gone on, cells come back in another order: not exactly.
      const back = (length: number) => (windowExactly ? system.length : length);
      const history = [...system, ...one, ...two];
      const asked = [...history, ...opening()];
      const first = await answer(context, asked, LONG_ANSWER, cachePrompt);
      expect(first.evaluated).toBe(asked.length);

      const again = await answer(context, asked, LONG_ANSWER, cachePrompt);
      expect(again.evaluated).toBe(asked.length - back(history.length));
      expect(again.tokens).toEqual(first.tokens);

      const edited = [...system, ...one, ...message(4, 25), ...opening()];
      const other = await answer(context, edited, LONG_ANSWER, cachePrompt);
      expect(other.evaluated).toBe(edited.length - back(system.length + one.length));
      expect(other.tokens).toEqual(await fresh(edited, LONG_ANSWER));

      // Of a long answer, the last words are kept: the next turn has them behind what was asked.
      const kept = [...edited, ...other.tokens.slice(-20), end, ...message(5, 30), ...opening()];
      const next = await answer(context, kept, 12, cachePrompt);
      const border = edited.length - opening().length;
      expect(next.evaluated).toBe(kept.length - back(border));
      expect(next.tokens).toEqual(await fresh(kept));

      const rewritten = [...kept.slice(0, -34), ...message(6, 40), ...opening()];
      const last = await answer(context, rewritten, 12, cachePrompt);
      if (recurrent) expect(last.evaluated).toBe(44);
      expect(last.tokens).toEqual(await fresh(rewritten));
    });

    test("a system prompt is evaluated once for all who have it", async () => {
      await using context = await create({ sequences: 4 });
      const system = message(1, 300);
      const asked = [7, 8, 9, 10, 11, 12].map((seed) => [
        ...system,
        ...message(seed, 30),
        ...opening(),
      ]);
      const answers = await Promise.all(
        asked.map(async (prompt) => {
          const ids = Int32Array.from(prompt);
          const options = { sampler: talks, maxTokens: 12, cachePrompt };
          const result = await context.generate(ids, options).result();
          return { tokens: chosen(result), cached: result.usage.cachedTokens };
        }),
      );
      for (const [index, { tokens }] of answers.entries()) {
        expect(tokens).toEqual(await fresh(asked[index] as number[]));
      }
      // Less than a tile before its end, what another has so far is taken over without waiting.
      const sharing = answers.filter(({ cached }) => cached >= system.length - 64);
      expect(sharing).toHaveLength(windowExactly ? 0 : asked.length - 1);
    });
  });

  // Prompts that share beginnings of any length, also in the middle of messages, in any order.
  test.each([
    [true, 64],
    [false, 64],
    [true, 128],
  ])(
    "whatever was cached, an exact prefix changes no bit (flash attention %p, micro-batches of %d)",
    async (flashAttention, microBatchSize) => {
      const rounded = { flashAttention, microBatchSize, kvCacheType: "f16" } as const;
      await using context = await create({ ...rounded, sequences: 3 });
      await using alone = await create({ ...rounded });
      const random = new Random(5);
      const base = [...message(1, 90), ...message(2, 35), ...message(3, 150), ...message(4, 20)];
      let reused = 0;
      for (let round = 0; round < 24; round++) {
        const kept = base.slice(0, random.below(base.length));
        const more = random.pick([1, 20, 63, 64, 130]);
        const prompt = [...kept, ...message(100 + random.below(3), more), ...opening()];
        await answer(context, prompt, 1 + random.below(20), random.pick([true, "exact", false]));
        const expected = await scored(alone, prompt, false);
        const exact = await scored(context, prompt, "exact");
        expect(exact.bytes.equals(expected.bytes)).toBe(true);
        await scored(context, prompt, true); // leaves pieces of other borders in the cache
        reused += exact.cached;
      }
      expect(reused).toBeGreaterThan(0);
    },
  );

  test.each([
    { kvCache: "per-sequence" },
    { kvCache: "per-sequence", swaFull: true },
    { kvCache: "unified" },
    { kvCache: "unified", swaFull: false },
    { kvCache: "per-sequence", checkpointMemory: 0 },
    { kvCache: "per-sequence", checkpointMemory: 200_000 },
  ] as const)("whatever was cached, only the order of sums changes: %j", async (options) => {
    await using context = await create({ ...options, sequences: 3 });
    await using alone = await create();
    const random = new Random(6);
    const base = [...message(1, 90), ...message(2, 35), ...message(3, 150), ...message(4, 20)];
    for (let round = 0; round < 10; round++) {
      const prompts = [0, 1, 2, 3].map(() => {
        const kept = base.slice(0, random.below(base.length));
        return [...kept, ...message(100 + random.below(3), random.pick([16, 20, 130]))];
      });
      const all = await Promise.all(
        prompts.map((prompt) =>
          context.score(Int32Array.from(prompt), everyToken(), { cachePrompt: true }),
        ),
      );
      await answer(context, prompts[0] as number[], 1 + random.below(200), false);
      for (const [index, prompt] of prompts.entries()) {
        const { values } = await scored(alone, prompt, false);
        expect(distance(all[index] as Float32Array, values)).toBeLessThan(NEAR_TIE);
      }
    }
  });

  test("a sequence is trimmed to where it was evaluated to, forked, saved and restored", async () => {
    await using context = await create({ sequences: 3 });
    const prompt = message(1, 300);
    const more = words(2, LONG_ANSWER);
    const behind = words(3, 20);
    const whole = [...prompt, ...behind];
    const [expected] = await logitsBehind([whole], { ...SHAPE, model: path, swaFull: false });
    const near = async (sequence: { logits(): Promise<Float32Array> }) =>
      expect(distance(await sequence.logits(), expected as Float32Array)).toBeLessThan(NEAR_TIE);

    await using sequence = await context.createSequence();
    await sequence.evaluate(Int32Array.from(prompt));
    const file = join(directory, "state");
    await sequence.save(file);
    for (const token of more) await sequence.evaluate(Int32Array.of(token));
    await sequence.trim(prompt.length);
    await using fork = await sequence.fork();
    const before = context.stats.decodedTokens;
    await sequence.evaluate(Int32Array.from(behind));
    await fork.evaluate(Int32Array.from(behind));
    expect(context.stats.decodedTokens - before).toBe(2 * behind.length);
    await near(sequence);
    await near(fork);
    // In the middle of what was evaluated at once, a state cannot be had: it is evaluated anew.
    await sequence.trim(prompt.length - 7);
    await sequence.evaluate(Int32Array.from(whole.slice(prompt.length - 7)));
    await near(sequence);

    await using restored = await context.createSequence();
    await restored.restore(file);
    expect(restored.tokens).toEqual(Int32Array.from(prompt));
    const then = context.stats.decodedTokens;
    await restored.evaluate(Int32Array.from(behind));
    expect(context.stats.decodedTokens - then).toBe(behind.length);
    await near(restored);
  });
});
