import { type BatchRequest, type Context, Model, Sampler } from "../../lib/index.js";
import { endTokens, forbidden, PROMPTS } from "../support/demo.js";
import { MODEL } from "../support/paths.js";

let model: Model;
let context: Context;
let endless: Sampler;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 4 });
  endless = Sampler.greedy().with({ logitBias: forbidden(endTokens(model)) });
});
afterAll(() => model.dispose());

/** Out of step: 4 to 19 tokens each. */
function requests(count: number): (BatchRequest & { id: string })[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: PROMPTS[i % PROMPTS.length] as never,
    maxTokens: 4 + ((i * 7) % 16),
    id: `request ${i}`,
  }));
}

test.each([false, true])("gives what generate() gives, ordered: %p", async (ordered) => {
  const all = requests(24);
  const alone: string[] = [];
  for (const { id, prompt, ...options } of all) {
    alone.push((await context.generate(prompt, { sampler: endless, ...options }).result()).text);
  }
  const texts: string[] = [];
  const order: number[] = [];
  for await (const one of context.generateMany(all, { sampler: endless, ordered })) {
    order.push(one.index);
    texts[one.index] = one.result?.text as string;
    expect(one.request.id).toBe(`request ${one.index}`);
  }
  expect(texts).toEqual(alone);
  const rising = Array.from({ length: 24 }, (_, i) => i);
  expect([...order].sort((a, b) => a - b)).toEqual(rising);
  if (ordered) expect(order).toEqual(rising);
  else expect(order).not.toEqual(rising);
});

test("keeps the context full, without reading the source much further", async () => {
  let read = 0;
  let taken = 0;
  const before = context.stats.batches;
  async function* source() {
    for (; read < 60; read++) {
      expect(read - taken).toBeLessThanOrEqual(6);
      yield { prompt: "The", maxTokens: 12 };
    }
  }
  for await (const { result } of context.generateMany(source(), { sampler: endless })) {
    expect(result?.tokens).toHaveLength(12);
    taken++;
  }
  expect(taken).toBe(60);
  // Four at a time take a quarter of these.
  expect(context.stats.batches - before).toBeLessThan((60 * 12) / 2);
});

test("one that can never fit is the error of its own result", async () => {
  const batch = context.generateMany(
    [{ prompt: "The" }, { prompt: "llama ".repeat(300) }, { prompt: "A" }],
    { sampler: endless, maxTokens: 8, ordered: true },
  );
  const [first, second, third] = [await batch.next(), await batch.next(), await batch.next()];
  expect(second.value?.error).toMatchObject({ code: "ERR_CONTEXT_FULL" });
  for (const { value } of [first, third]) expect(value?.result?.tokens).toHaveLength(8);
  expect(await batch.next()).toEqual({ done: true, value: undefined });
});

async function idle(): Promise<void> {
  const busy = () => context.stats.activeGenerations + context.stats.queuedGenerations > 0;
  while (busy()) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(context.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
}

function* endlessly(): Generator<BatchRequest> {
  for (let i = 0; ; i++) yield { prompt: "The", maxTokens: i === 2 ? 4 : 200 };
}

test("leaving the loop cancels what runs", async () => {
  for await (const { index } of context.generateMany(endlessly(), { sampler: endless })) {
    expect(index).toBe(2);
    break;
  }
  await idle();
});

test("the signal ends all of it with its reason", async () => {
  const controller = new AbortController();
  const options = { sampler: endless, signal: controller.signal };
  const reading = (async () => {
    for await (const _ of context.generateMany(endlessly(), options)) controller.abort("stop");
  })();
  await expect(reading).rejects.toBe("stop");
  await idle();
});

test("disposing the context ends it with ERR_DISPOSED", async () => {
  const own = await model.createContext({ contextSize: 256, sequences: 2 });
  const reading = (async () => {
    for await (const _ of own.generateMany(endlessly(), { sampler: endless })) void own.dispose();
  })();
  await expect(reading).rejects.toMatchObject({ code: "ERR_DISPOSED" });
});
