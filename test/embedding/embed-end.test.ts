import { type Context, Model } from "../../lib/index.js";
import { exposeGc } from "../support/gc.js";
import { MODEL } from "../support/paths.js";
import { distance } from "../support/reference.js";

const code = (code: string) => expect.objectContaining({ code });
/** Rounding differs with what else is in the batch. */
const NEAR = 0.02;

let model: Model;
let context: Context;
let long: string;

beforeAll(async () => {
  model = await Model.load(MODEL);
  // Small batches, so that a long text takes many steps.
  context = await model.createContext({ embeddings: true, microBatchSize: 16 });
  long = "a llama ".repeat(500);
});
afterAll(() => model.dispose());

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const idle = () => context.stats.activeGenerations + context.stats.queuedGenerations === 0;

test("an abort rejects at once, frees the context and leaves others alone", async () => {
  const before = await context.embed("The llama");
  for (let round = 0; round < 8; round++) {
    const controller = new AbortController();
    const aborted = context.embed([long, long], { signal: controller.signal });
    const beside = context.embed(["The llama", "The"]);
    await rest(round);
    controller.abort("stop");
    await expect(aborted).rejects.toBe("stop");
    const [same] = await beside;
    expect(distance(same as Float32Array, before)).toBeLessThan(NEAR);
    while (!idle()) await rest(1);
  }
});

test("disposing the context rejects what is pending", async () => {
  for (let round = 0; round < 4; round++) {
    const own = await model.createContext({ embeddings: true, microBatchSize: 16 });
    const pending = [own.embed(long), own.embed([long, "a"]), own.embedMany([long]).next()];
    const ends = Promise.allSettled(pending);
    if (round > 0) await rest(round);
    await own.dispose();
    for (const end of await ends) {
      // It may have been faster, but for the first round, which waits for nothing.
      if (round > 0 && end.status === "fulfilled") continue;
      expect(end).toMatchObject({ status: "rejected", reason: code("ERR_DISPOSED") });
    }
  }
});

test("embedMany takes from an endless generator what is wanted, and leaves", async () => {
  let read = 0;
  let closed = false;
  function* texts() {
    try {
      for (;;) yield read++ % 10 === 9 ? long.repeat(10) : `The llama ${read}`;
    } finally {
      closed = true;
    }
  }
  const seen: number[] = [];
  for await (const { index, embedding, tokens, error } of context.embedMany(texts())) {
    if (index % 10 === 9) {
      expect(error).toEqual(code("ERR_CONTEXT_FULL"));
    } else {
      expect(embedding?.length).toBe(model.embeddingLength);
      expect(tokens).toBe(model.tokenize(`The llama ${index + 1}`, { addBos: true }).length);
    }
    seen.push(index);
    if (seen.length === 500) break;
  }
  expect(closed).toBe(true);
  expect(new Set(seen).size).toBe(500);
  expect(read).toBeLessThan(500 + 4 * context.sequences);
  while (!idle()) await rest(1);
});

test("memory does not grow with the texts", async () => {
  const own = await model.createContext({ embeddings: true });
  const gc = exposeGc();
  const run = async (count: number) => {
    let i = 0;
    function* texts() {
      while (i++ < count) yield `The llama ${i}`;
    }
    for await (const { error } of own.embedMany(texts())) if (error) throw error;
    // What is collected gives its memory back a little later.
    let least = process.memoryUsage();
    for (let i = 0; i < 10; i++) {
      gc();
      await rest(10);
      const now = process.memoryUsage();
      if (now.arrayBuffers < least.arrayBuffers) least = now;
    }
    return least;
  };
  await run(3000);
  const before = await run(3000);
  const after = await run(6000);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(2e6);
  expect(after.rss - before.rss).toBeLessThan(40e6);
  await own.dispose();
});
