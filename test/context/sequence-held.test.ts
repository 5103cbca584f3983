import {
  ChatSession,
  type Context,
  type Model,
  Model as Models,
  type Sequence,
} from "../../lib/index.js";
import { MODEL } from "../support/paths.js";

const FULL = {
  code: "ERR_CONTEXT_FULL",
  message: expect.stringMatching(/^All 2 sequences of the context are held by createSequence\(\)/),
};

let model: Model;
let context: Context;
let one: Sequence;
let other: Sequence;
beforeAll(async () => {
  model = await Models.load(MODEL);
});
afterAll(() => model.dispose());
beforeEach(async () => {
  context = await model.createContext({ contextSize: 256, sequences: 2, threads: 1 });
  one = await context.createSequence();
  other = await one.fork();
});
afterEach(() => context.dispose());

const generate = () => context.generate("Once", { maxTokens: 2 }).result();

test("nothing waits for ever where sequences hold every place", async () => {
  await expect(generate()).rejects.toMatchObject(FULL);
  await expect(context.score("Once", [1])).rejects.toMatchObject(FULL);
  await expect(new ChatSession(context).send("Hello").result()).rejects.toMatchObject(FULL);
  for await (const { error } of context.generateMany([{ prompt: "x" }, { prompt: "y" }])) {
    expect(error).toMatchObject(FULL);
  }
  expect(context.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
});

test("nor while one of them evaluates, which goes on", async () => {
  const evaluating = one.evaluate("word ".repeat(150));
  await expect(generate()).rejects.toMatchObject(FULL);
  await evaluating;
  expect(one.tokens.length).toBeGreaterThan(100);
});

test("a sequence that is disposed before, awaited or not, makes room", async () => {
  void other.dispose();
  expect((await generate()).tokens).toHaveLength(2);
  void one.evaluate("word ".repeat(150)).catch(() => {});
  void one.dispose();
  expect((await generate()).tokens).toHaveLength(2);
});

test("a generation waits for another one's place beside a sequence", async () => {
  await other.dispose();
  const results = await Promise.all([generate(), generate(), generate()]);
  expect(results.map(({ tokens }) => tokens.length)).toEqual([2, 2, 2]);
});
