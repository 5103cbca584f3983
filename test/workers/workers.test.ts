import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Context, Model, Sampler } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";

const prompts = ["The llama", "Once upon", "A"];
const sampler = Sampler.greedy();

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 128 });
});
afterAll(() => model.dispose());

async function generate(): Promise<string[]> {
  const texts: string[] = [];
  for (const prompt of prompts) {
    texts.push((await context.generate(prompt, { sampler, maxTokens: 24 }).result()).text);
  }
  return texts;
}

async function runWorker(): Promise<{ texts: string[]; lines: number; code: number }> {
  const worker = new Worker(join(__dirname, "generate.mjs"), {
    workerData: prompts,
    env: { ...process.env, CRIA_TEST_MODEL: MODEL },
  });
  const exit = once(worker, "exit") as Promise<[number]>;
  const [message] = (await once(worker, "message")) as [{ texts: string[]; lines: number }];
  const [code] = await exit;
  return { ...message, code };
}

test("workers generate what the main thread does, side by side with it, and end by themselves", async () => {
  const expected = await generate();
  const [main, ...workers] = await Promise.all([generate(), runWorker(), runWorker(), runWorker()]);
  expect(main).toEqual(expected);
  for (const { texts, lines, code } of workers) {
    expect(texts).toEqual(expected);
    expect(lines).toBeGreaterThan(0);
    expect(code).toBe(0);
  }
  expect(await generate()).toEqual(expected); // what the workers tore down was theirs alone
});
