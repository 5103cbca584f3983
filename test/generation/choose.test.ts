import { type Context, Model } from "../../lib/index.js";
import { question } from "../support/demo.js";
import { MODEL } from "../support/paths.js";

const refused = (words: string) =>
  expect.objectContaining({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringContaining(words) as string,
  });
/** Rounding differs with what else is in the batch. */
const NEAR = 0.02;

let model: Model;
let context: Context;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 3 });
});
afterAll(() => model.dispose());

/** Token by token, each behind all before it; then any of `ends`, if there are some. */
async function logprobOf(prompt: string, text: string, ends: readonly number[] = []) {
  const bos = model.tokenize(prompt, { addBos: true });
  const tokens = [...bos];
  let sum = 0;
  for (const token of model.tokenize(text)) {
    const [logprob] = await context.score(tokens, [token], { cachePrompt: false });
    sum += logprob as number;
    tokens.push(token);
  }
  if (ends.length === 0) return sum;
  const last = await context.score(tokens, ends, { cachePrompt: false });
  return sum + Math.log(last.reduce((all, logprob) => all + Math.exp(logprob), 0));
}

describe("the choices", () => {
  test("have the probability of the whole text, whatever they share", async () => {
    const prompt = "A llama lives in";
    const texts = [
      " the mountains",
      " the mountain air",
      " the sea",
      " a house",
      " the mountains of Peru",
    ];
    const some = texts.slice(0, 4);
    const choices = await context.choose(prompt, some);
    expect(choices.map(({ text }) => text)).toEqual(some);
    const expected = await Promise.all(some.map((text) => logprobOf(prompt, text)));
    const all = expected.reduce((sum, logprob) => sum + Math.exp(logprob), 0);
    for (const [index, { logprob, probability, tokens }] of choices.entries()) {
      const wanted = expected[index] as number;
      expect(Math.abs(logprob - wanted)).toBeLessThan(NEAR * tokens);
      expect(probability).toBeCloseTo(Math.exp(wanted) / all, 1);
      expect(tokens).toBe(model.tokenize(some[index] as string).length);
    }
    expect(choices.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 10);
  });

  test("end where that is asked, and may then begin with one another", async () => {
    const { eos, eot, eom } = model.specialTokens;
    const ends = [...new Set([eos, eot, eom])].filter((id) => id !== null);
    const texts = ["A llama", "A llama is an animal"];
    const [short, long] = await context.choose("The ", texts, { ends: true });
    const expected = await Promise.all(texts.map((text) => logprobOf("The ", text, ends)));
    expect(Math.abs((short?.logprob ?? 0) - (expected[0] as number))).toBeLessThan(NEAR * 3);
    expect(Math.abs((long?.logprob ?? 0) - (expected[1] as number))).toBeLessThan(NEAR * 8);
    await expect(context.choose("The ", texts)).rejects.toEqual(
      refused("the beginning of another"),
    );
  });

  test("are told apart behind a chat's prompt, which is evaluated once", async () => {
    const prompt = question("What is a llama?");
    const usages: number[] = [];
    const onUsage = ({
      promptTokens,
      cachedTokens,
    }: {
      promptTokens: number;
      cachedTokens: number;
    }) => usages.push(promptTokens - cachedTokens);
    const fresh = await model.createContext({ contextSize: 256, sequences: 1 });
    const texts = ["A llama is an animal with wool.", "A llama is a plant with leaves."];
    const [animal, plant] = await fresh.choose(prompt, texts, { onUsage });
    expect(animal?.probability).toBeGreaterThan(0.9);
    expect(plant?.logprob).toBeLessThan(animal?.logprob ?? 0);
    const [first, ...rest] = usages;
    expect(first).toBeGreaterThan(10);
    for (const evaluated of rest) expect(evaluated).toBeLessThan(10);
    await fresh.dispose();
  });

  test.each(["per-sequence", "unified"] as const)(
    "are many long ones, in many sequences (%s)",
    async (kvCache) => {
      await using fresh = await model.createContext({ contextSize: 256, sequences: 32, kvCache });
      const words = "the old llama went over the high mountain to look for some green grass";
      const texts = Array.from(
        { length: 40 },
        (_, i) => ` ${String.fromCharCode(65 + (i % 26))}${i} ${words}`,
      );
      const choices = await fresh.choose("Once:", texts);
      expect(choices.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
      await fresh.generate("still alive", { maxTokens: 1 }).result();
    },
  );

  test("take an evaluation each at most, of no more than where they differ", async () => {
    const fresh = await model.createContext({ contextSize: 256, sequences: 1 });
    const texts = [" an animal", " an animated film", " a plant", " a planet", " an answer"];
    const lengths = texts.map((text) => model.tokenize(text).length);
    expect(Math.max(...lengths)).toBeLessThan(9);
    expect(Math.min(...lengths)).toBeGreaterThan(1);
    await fresh.choose("A llama is", texts);
    const before = fresh.stats;
    await fresh.choose("A llama is", texts);
    const { batches, decodedTokens } = fresh.stats;
    expect(batches - before.batches).toBeLessThanOrEqual(texts.length);
    const all = lengths.reduce((sum, length) => sum + length, 0);
    expect(decodedTokens - before.decodedTokens).toBeLessThan(all);
    await fresh.dispose();
  });

  test("are many, and long", async () => {
    const texts = Array.from(
      { length: 300 },
      (_, i) => ` number ${i}${i % 3 === 0 ? " and more".repeat(8) : ""}.`,
    );
    const choices = await context.choose("This is", texts);
    expect(choices.map(({ text }) => text)).toEqual(texts);
    expect(choices.every(({ logprob }) => Number.isFinite(logprob) && logprob < 0)).toBe(true);
  });
});

describe("refused", () => {
  test.each([
    ["one alone", ["yes"], "2 to 1024 strings"],
    ["none", [], "2 to 1024 strings"],
    ["too many", Array.from({ length: 1025 }, (_, i) => `a${i}`), "2 to 1024 strings"],
    ["an empty one", ["yes", ""], "a non-empty string"],
    ["the same twice", ["yes", "no", "yes"], "are the same"],
    ["no text", ["yes", 5], "a string"],
    ["no list", "yes", "an array of texts"],
  ])("%s", async (_, choices, words) => {
    await expect(context.choose("x", choices as string[])).rejects.toEqual(refused(words));
  });

  test("options that there are not, and a context that is gone", async () => {
    const options = { end: true } as object;
    await expect(context.choose("x", ["a", "b"], options)).rejects.toEqual(refused("ends"));
    const gone = await model.createContext({ contextSize: 64 });
    await gone.dispose();
    await expect(gone.choose("x", ["a", "b"])).rejects.toMatchObject({ code: "ERR_DISPOSED" });
  });

  test("texts that do not fit, all of them at once", async () => {
    const texts = ["a", "b ".repeat(300)];
    await expect(context.choose("x", texts)).rejects.toMatchObject({ code: "ERR_CONTEXT_FULL" });
    expect((await context.choose("x", ["a", "b"])).length).toBe(2);
  });

  test("a signal that is aborted, before and meanwhile", async () => {
    const before = context.choose("x", ["a", "b"], { signal: AbortSignal.abort("enough") });
    await expect(before).rejects.toBe("enough");
    const controller = new AbortController();
    const texts = Array.from({ length: 500 }, (_, i) => ` ${i} ${"llama ".repeat(9)}`);
    const running = context.choose("x", texts, {
      signal: controller.signal,
      onUsage: () => controller.abort("enough"),
    });
    await expect(running).rejects.toBe("enough");
  });
});
