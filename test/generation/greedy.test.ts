import { type Context, Model, Sampler } from "../../lib/index.js";
import { chosen, idsOf, PROMPTS } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { referenceGreedy } from "../support/reference.js";

const TOKENS = 48;
const sampler = Sampler.greedy();
// Of the reference: however many threads cria takes, the results are the same.
const threads = 1;

let model: Model;
let prompts: Int32Array[];

beforeAll(async () => {
  model = await Model.load(MODEL);
  prompts = PROMPTS.map((prompt) => idsOf(model, prompt));
});
afterAll(() => model.dispose());

async function generateAll(context: Context, together: boolean): Promise<number[][]> {
  const start = (index: number) =>
    context.generate(PROMPTS[index] as never, { sampler, maxTokens: TOKENS }).result();
  if (together) return (await Promise.all(prompts.map((_, index) => start(index)))).map(chosen);
  const results: number[][] = [];
  for (const index of prompts.keys()) results.push(chosen(await start(index)));
  return results;
}

describe.each([
  { kvCacheType: "f16", flags: [] },
  { kvCacheType: "f32", flags: ["--type-k", "f32", "--type-v", "f32"] },
  { kvCacheType: "bf16", flags: ["--type-k", "bf16", "--type-v", "bf16"] },
] as const)("greedy with a cache of $kvCacheType", ({ kvCacheType, flags }) => {
  test("is llama.cpp's plain decode loop, token for token", async () => {
    const context = await model.createContext({ contextSize: 256, kvCacheType });
    const reference = await referenceGreedy(prompts, [
      ...["--n", String(TOKENS), "--ctx", "256", "--threads", String(threads)],
      ...flags,
    ]);
    expect(await generateAll(context, false)).toEqual(reference);
    await context.dispose();
  });
});

describe.each([2, 3, 8])("many at once, %d sequences", (sequences) => {
  test("are what each is alone", async () => {
    const one = await model.createContext({ contextSize: 256 });
    const many = await model.createContext({ contextSize: 256, sequences });
    const alone = await generateAll(one, false);
    expect(await generateAll(many, true)).toEqual(alone);
    expect(await generateAll(many, true)).toEqual(alone); // sequences that were used before
    await Promise.all([one.dispose(), many.dispose()]);
  });
});

test("a prompt longer than a micro-batch is evaluated in pieces with the same result", async () => {
  const prompt = prompts[3] as Int32Array;
  const whole = await model.createContext({ contextSize: 256 });
  const pieces = await model.createContext({
    contextSize: 256,
    batchSize: 8,
    microBatchSize: 8,
  });
  const reference = await referenceGreedy(
    [prompt],
    ["--n", String(TOKENS), "--ctx", "256", "--threads", String(threads), "--ubatch", "8"],
  );
  const options = { sampler, maxTokens: TOKENS };
  expect(chosen(await pieces.generate(prompt, options).result())).toEqual(reference[0]);
  expect((await whole.generate(prompt, options).result()).usage.promptTokens).toBe(prompt.length);
  await Promise.all([whole.dispose(), pieces.dispose()]);
});
