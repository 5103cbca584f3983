import { moderateInputs } from "../../../lib/batch/engine/moderate-inputs.js";
import type { ModerationPlan } from "../../../lib/batch/input/request-plans.js";
import { type Context, LlamaGuard, Model } from "../../../lib/index.js";
import { MODEL } from "../../support/paths.js";

const signal = new AbortController().signal;
const plan = (inputs: readonly string[]) => ({ kind: "moderation", inputs }) as ModerationPlan;

let model: Model;
let context: Context;
let guard: LlamaGuard;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 400, sequences: 4 });
  guard = new LlamaGuard(context, { variant: "llama-guard-3-8b" });
});
afterAll(() => model.dispose());

const judged = (inputs: readonly string[]) =>
  moderateInputs(guard, plan(inputs), { name: "demo", hash: "0", signal });

test("an input that cannot be judged ends the line, and the others are not asked for", async () => {
  const score = jest.spyOn(context, "generate");
  const inputs = ["", ...Array.from({ length: 100_000 }, (_, i) => `Text ${i}`)];
  await expect(judged(inputs)).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  expect(score.mock.calls.length).toBeLessThan(1000);
  score.mockRestore();
});

test("verdicts are in the order of the inputs", async () => {
  const texts = ["What do llamas eat?", "How can I attack a stranger?", "Hello!"];
  const { body } = await judged(texts);
  const flags = (body as { results: { flagged: boolean }[] }).results.map(({ flagged }) => flagged);
  const alone = await Promise.all(texts.map((text) => guard.moderate(text)));
  expect(flags).toEqual(alone.map(({ safe }) => !safe));
});
