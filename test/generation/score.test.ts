import { type Context, Model, Sampler } from "../../lib/index.js";
import { endTokens, forbidden, idsOf, PROMPTS, question } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { distance, logSoftmax, referenceLogits, within } from "../support/reference.js";

const code = (code: string) => expect.objectContaining({ code });
const flags = ["--threads", "1"];
/** Rounding differs with what else is in the batch. */
const NEAR = within(0.02);

let model: Model;
let context: Context;
let vocabulary: Int32Array;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 3 });
  vocabulary = Int32Array.from({ length: model.vocabularySize }, (_, id) => id);
});
afterAll(() => model.dispose());

async function expected(index: number): Promise<number[]> {
  const rows = await referenceLogits(idsOf(model, PROMPTS[index] as never), flags);
  return logSoftmax(rows.at(-1) as Float32Array);
}

describe("the scores", () => {
  test("of the whole vocabulary are the log-softmax of llama.h's logits", async () => {
    for (const [index, prompt] of PROMPTS.slice(0, 4).entries()) {
      const scores = await context.score(prompt, vocabulary);
      expect(distance(scores, await expected(index))).toBeLessThan(NEAR);
      expect(scores.reduce((sum, score) => sum + Math.exp(score), 0)).toBeCloseTo(1, 4);
    }
  });

  test("come in the order of the candidates, repeated ones too", async () => {
    const all = await context.score("The", vocabulary);
    const candidates = [5, 3, 5, model.vocabularySize - 1];
    const scores = await context.score("The", candidates);
    expect(distance(scores, candidates.map((id) => all[id]) as number[])).toBeLessThan(NEAR);
    expect(scores[0]).toBe(scores[2]);
  });

  test("have their highest at the token that a greedy generation takes", async () => {
    for (const prompt of PROMPTS) {
      const scores = await context.score(prompt, vocabulary);
      const { tokens, stopToken } = await context
        .generate(prompt, { sampler: Sampler.greedy(), maxTokens: 1 })
        .result();
      const taken = stopToken ?? (tokens[0] as number);
      expect(Math.max(...scores) - (scores[taken] as number)).toBeLessThan(NEAR);
    }
  });

  test("are the same beside generations and each other", async () => {
    const sampler = Sampler.greedy().with({ logitBias: forbidden(endTokens(model)) });
    const running = context.generate("The", { sampler, maxTokens: 100 });
    const scores = await Promise.all(PROMPTS.map((prompt) => context.score(prompt, vocabulary)));
    for (const index of PROMPTS.keys()) {
      expect(distance(scores[index] as Float32Array, await expected(index))).toBeLessThan(NEAR);
    }
    expect((await running.result()).tokens).toHaveLength(100);
  });
});

describe("evaluates", () => {
  const prompt = question("What is a llama, and why is it called that?");

  test("the prompt once, and generates nothing", async () => {
    const fresh = await model.createContext({ contextSize: 256 });
    const { length } = idsOf(model, prompt);
    await fresh.score(prompt, [1]);
    expect(fresh.stats.decodedTokens).toBe(length);
    await fresh.score(prompt, [1]);
    expect(fresh.stats.decodedTokens - length).toBeLessThanOrEqual(length / 4);
    const before = fresh.stats.decodedTokens;
    await fresh.score(prompt, [1], { cachePrompt: false });
    expect(fresh.stats.decodedTokens - before).toBe(length);
    await fresh.dispose();
  });
});

describe("errors", () => {
  test("a prompt longer than the context is ERR_CONTEXT_FULL, and others go on", async () => {
    const other = context.score("The", [1]);
    await expect(context.score("llama ".repeat(300), [1])).rejects.toEqual(
      code("ERR_CONTEXT_FULL"),
    );
    expect(await other).toHaveLength(1);
  });

  test("an abort rejects at once and leaves the context as it was", async () => {
    const long = new Int32Array(240).fill(model.tokenize("a")[0] as number);
    const small = await model.createContext({ contextSize: 256, batchSize: 16 });
    const before = await small.score("The", vocabulary);
    for (let round = 0; round < 5; round++) {
      const controller = new AbortController();
      const scores = small.score(long, [1], { signal: controller.signal, cachePrompt: false });
      await new Promise((resolve) => setTimeout(resolve, round));
      controller.abort("stop");
      await scores.then(
        (values) => expect(values).toHaveLength(1), // it was faster
        (reason) => expect(reason).toBe("stop"),
      );
      expect(distance(await small.score("The", vocabulary), before)).toBeLessThan(NEAR);
    }
    expect(small.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
    await small.dispose();
  });

  test("disposing the context rejects what is pending", async () => {
    const own = await model.createContext({ contextSize: 256, batchSize: 16 });
    const long = new Int32Array(240).fill(model.tokenize("a")[0] as number);
    const ends = Promise.allSettled([own.score(long, [1]), own.score(long, [1])]);
    await own.dispose();
    for (const end of await ends) {
      expect(end).toMatchObject({ status: "rejected", reason: code("ERR_DISPOSED") });
    }
  });
});
