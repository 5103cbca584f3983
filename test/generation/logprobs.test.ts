import {
  type Context,
  type GenerationResult,
  Model,
  Sampler,
  type TokenLogprobs,
} from "../../lib/index.js";
import { endTokens, forbidden, idsOf, PROMPTS } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { logSoftmax, referenceLogits, within } from "../support/reference.js";

/** Rounding differs with what else is in the batch. */
const NEAR = within(0.05);

let model: Model;
let context: Context;
let endless: Sampler;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 4 });
  endless = Sampler.greedy().with({ logitBias: forbidden(endTokens(model)) });
});
afterAll(() => model.dispose());

/** What llama.h says of each generated token's place: one row of log-probabilities. */
async function rows(prompt: Int32Array, tokens: Int32Array): Promise<number[][]> {
  const all = Int32Array.of(...prompt, ...tokens);
  const logits = await referenceLogits(all, ["--threads", "1"]);
  return logits.slice(prompt.length - 1, all.length - 1).map(logSoftmax);
}

function expectNear(entry: TokenLogprobs, row: number[], top: number): void {
  expect(Math.abs(entry.logprob - (row[entry.token] as number))).toBeLessThan(NEAR);
  expect(entry.top).toHaveLength(top);
  const falling = [...row].sort((a, b) => b - a);
  for (const [place, { token, logprob }] of entry.top.entries()) {
    expect(Math.abs(logprob - (row[token] as number))).toBeLessThan(NEAR);
    // Near ties may change places.
    expect(Math.abs(logprob - (falling[place] as number))).toBeLessThan(2 * NEAR);
    if (place > 0) expect(logprob).toBeLessThanOrEqual(entry.top[place - 1]?.logprob as number);
  }
  expect(new Set(entry.top.map(({ token }) => token)).size).toBe(top);
}

test.each([0, 1, 5, 20])("with %d likeliest are llama.h's own", async (logprobs) => {
  for (const prompt of PROMPTS.slice(0, 3)) {
    const ids = idsOf(model, prompt);
    const options = { sampler: endless, maxTokens: 24, logprobs };
    const result = await context.generate(prompt, options).result();
    const expected = await rows(ids, result.tokens);
    expect(result.logprobs?.map(({ token }) => token)).toEqual([...result.tokens]);
    for (const [place, entry] of (result.logprobs ?? []).entries()) {
      expectNear(entry, expected[place] as number[], logprobs);
    }
  }
});

test("are the model's own, whatever the sampler does", async () => {
  const prompt = idsOf(model, PROMPTS[2] as never);
  const rare = model.tokenize("q")[0] as number;
  const samplers = [
    new Sampler({ temperature: 2, topK: 0, seed: 3, logitBias: forbidden(endTokens(model)) }),
    Sampler.greedy().with({ logitBias: { [rare]: 1e6 } }),
    endless.with({ penalties: { repeat: 2 } }),
  ];
  for (const sampler of samplers) {
    const { tokens, logprobs } = await context
      .generate(prompt, { sampler, maxTokens: 12, logprobs: 3 })
      .result();
    const expected = await rows(prompt, tokens);
    expect(logprobs).toHaveLength(12);
    for (const [place, entry] of (logprobs ?? []).entries()) {
      expectNear(entry, expected[place] as number[], 3);
    }
  }
});

test("of a greedy generation have the chosen token first", async () => {
  const { logprobs } = await context
    .generate("The", { sampler: Sampler.greedy(), maxTokens: 20, logprobs: 2 })
    .result();
  for (const { token, logprob, top } of logprobs ?? []) {
    expect(top[0]).toMatchObject({ token, logprob });
  }
});

test("change nothing of the output", async () => {
  const run = (logprobs?: number) => {
    const options = {
      sampler: endless,
      maxTokens: 40,
      ...(logprobs !== undefined && { logprobs }),
    };
    return context.generate("The", options).result();
  };
  const [plain, zero, twenty] = [await run(), await run(0), await run(20)];
  for (const result of [zero, twenty]) {
    expect([result.text, result.tokens]).toEqual([plain.text, plain.tokens]);
  }
  expect(plain.logprobs).toBeUndefined();
});

test("are told for many generations at once, each its own", async () => {
  const run = (prompt: (typeof PROMPTS)[number]) =>
    context.generate(prompt, { sampler: endless, maxTokens: 16, logprobs: 5 }).result();
  const alone: GenerationResult[] = [];
  for (const prompt of PROMPTS) alone.push(await run(prompt));
  const together = await Promise.all(PROMPTS.map(run));
  for (const [i, { logprobs }] of together.entries()) {
    expect(logprobs?.map(({ token }) => token)).toEqual([...(alone[i]?.tokens ?? [])]);
    for (const [place, { logprob }] of (logprobs ?? []).entries()) {
      const other = alone[i]?.logprobs?.[place]?.logprob as number;
      expect(Math.abs(logprob - other)).toBeLessThan(NEAR);
    }
  }
});

test("of the chunks are those of their tokens, together those of the result", async () => {
  const generation = context.generate("The", { sampler: endless, maxTokens: 60, logprobs: 2 });
  const all: TokenLogprobs[] = [];
  for await (const { tokens, logprobs } of generation) {
    expect(logprobs?.map(({ token }) => token)).toEqual([...tokens]);
    all.push(...(logprobs ?? []));
  }
  expect((await generation.result()).logprobs).toEqual(all);
});

test("have each token's text, with that of control tokens", async () => {
  const python = model.tokenId("<|python_tag|>") as number;
  const sampler = Sampler.greedy().with({ logitBias: { [python]: 1e6 } });
  const control = await context.generate("The", { sampler, maxTokens: 1, logprobs: 20 }).result();
  expect(control.logprobs?.[0]?.text).toBe("<|python_tag|>");
  expect(control.text).toBe("");
  for (const { token, text } of control.logprobs?.[0]?.top ?? []) {
    expect(text).toBe(model.detokenize([token], { special: true }));
  }
});

test("cover the tokens of a stop string, and not the token that stopped", async () => {
  const { text } = await context.generate("The", { sampler: endless, maxTokens: 40 }).result();
  const stop = [text.slice(11, 18)];
  const options = { sampler: endless, maxTokens: 40, stop, logprobs: 1 };
  const byString = await context.generate("The", options).result();
  expect(byString.stopReason).toBe("stop-string");
  expect(byString.logprobs).toHaveLength(byString.tokens.length);
  const eot = model.specialTokens.eot as number;
  const ending = Sampler.greedy().with({ logitBias: { [eot]: 1e6 } });
  const byToken = await context.generate("The", { sampler: ending, logprobs: 1 }).result();
  expect(byToken.logprobs).toEqual([]);
});

test("may be read when the model is gone", async () => {
  const own = await Model.load(MODEL);
  const short = await own.createContext({ contextSize: 64 });
  const result = await short.generate("The", { maxTokens: 8, logprobs: 3 }).result();
  await own.dispose();
  for (const { text, token } of result.logprobs ?? []) {
    expect(text).toBe(model.detokenize([token], { special: true }));
  }
});
