import { getEventListeners } from "node:events";
import { type Context, type Generation, Model, Sampler } from "../../lib/index.js";
import { endTokens, forbidden } from "../support/demo.js";
import { MODEL } from "../support/paths.js";

let model: Model;
let context: Context;
let endless: Sampler;
let longPrompt: Int32Array;
let baseline: string;
/** Has the only place until somebody cancels it. */
let ahead: Generation | undefined;

beforeAll(async () => {
  model = await Model.load(MODEL);
  // Small batches, so that the long prompt takes many steps.
  context = await model.createContext({ contextSize: 512, batchSize: 16 });
  endless = Sampler.greedy().with({ logitBias: forbidden(endTokens(model)) });
  longPrompt = new Int32Array(480).fill(model.tokenize("a")[0] as number);
  baseline = await probe();
});
afterAll(() => model.dispose());

/** The context works as before, and nothing is left in it. */
async function probe(): Promise<string> {
  ahead?.cancel();
  const { text } = await context.generate("The", { sampler: endless, maxTokens: 12 }).result();
  expect(context.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
  return text;
}

/** Each gives a generation that is in the phase of its name. */
const phases: Record<string, (signal?: AbortSignal) => Promise<Generation>> = {
  queue: async (signal) => {
    ahead = context.generate("The", { sampler: endless });
    const queued = context.generate("The", { sampler: endless, ...(signal && { signal }) });
    await ahead[Symbol.asyncIterator]().next();
    expect(context.stats.queuedGenerations).toBe(1);
    return queued;
  },
  prefill: (signal) =>
    new Promise((resolve) => {
      const generation = context.generate(longPrompt, {
        sampler: endless,
        onProgress: (evaluated, total) => {
          if (evaluated < total / 2) resolve(generation);
        },
        ...(signal && { signal }),
      });
    }),
  decode: async (signal) => {
    const generation = context.generate("The", { sampler: endless, ...(signal && { signal }) });
    await generation[Symbol.asyncIterator]().next();
    return generation;
  },
};

describe.each(Object.entries(phases))("in the %s", (phase, start) => {
  test("an abort rejects with the signal's reason and frees the sequence", async () => {
    for (let round = 0; round < 5; round++) {
      const controller = new AbortController();
      const reason = new Error("stop");
      const generation = await start(controller.signal);
      const waiting = () => context.stats.activeGenerations + context.stats.queuedGenerations;
      const before = waiting();
      controller.abort(reason);
      await expect(generation.result()).rejects.toBe(reason);
      while (waiting() >= before) await new Promise((resolve) => setTimeout(resolve, 1));
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
      expect(await probe()).toBe(baseline);
    }
  });

  test("cancel() ends it with what it has", async () => {
    const generation = await start();
    generation.cancel();
    const { stopReason, tokens, usage } = await generation.result();
    expect(stopReason).toBe("cancelled");
    if (phase === "decode") expect(tokens.length).toBeGreaterThan(0);
    else expect([tokens.length, usage.completionTokens]).toEqual([0, 0]);
    expect(await probe()).toBe(baseline);
  });
});

test("a signal aborted before starts nothing", async () => {
  const { batches } = context.stats;
  const generation = context.generate(longPrompt, { signal: AbortSignal.abort("early") });
  await expect(generation.result()).rejects.toBe("early");
  // What comes after it is evaluated, and nothing else.
  const after = context.generate("The", { sampler: endless, maxTokens: 2, cachePrompt: false });
  await after.result();
  expect(context.stats.batches - batches).toBeLessThan(5);
});

test("AbortSignal.timeout ends a generation with its TimeoutError", async () => {
  const signal = AbortSignal.timeout(30);
  const generations = [1, 2, 3].map(() =>
    context.generate(longPrompt, { sampler: endless, signal }),
  );
  for (const generation of generations) {
    await expect(generation.result()).rejects.toMatchObject({ name: "TimeoutError" });
  }
  expect(await probe()).toBe(baseline);
});

test("one of many that is aborted leaves the others as they are", async () => {
  const many = await model.createContext({ contextSize: 128, sequences: 4 });
  const options = { sampler: endless, maxTokens: 60 };
  const alone = (await many.generate("The", options).result()).text;
  const controller = new AbortController();
  const generations = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
    many.generate("The", i % 2 ? { ...options, signal: controller.signal } : options),
  );
  await generations[1]?.[Symbol.asyncIterator]().next();
  controller.abort("odd ones");
  const outcomes = await Promise.allSettled(generations.map((generation) => generation.result()));
  for (const [i, outcome] of outcomes.entries()) {
    if (i % 2) expect(outcome).toEqual({ status: "rejected", reason: "odd ones" });
    else expect(outcome).toMatchObject({ status: "fulfilled", value: { text: alone } });
  }
  await many.dispose();
});

test("many generations with one signal print no warning of leaks", async () => {
  const warnings: Error[] = [];
  const listener = (warning: Error) => warnings.push(warning);
  process.on("warning", listener);
  const controller = new AbortController();
  const generations = Array.from({ length: 40 }, () =>
    context.generate("The", { sampler: endless, signal: controller.signal }),
  );
  controller.abort();
  await Promise.allSettled(generations.map((generation) => generation.result()));
  await new Promise((resolve) => setImmediate(resolve)); // warnings come in a turn of their own
  process.off("warning", listener);
  expect(warnings).toEqual([]);
});

test("onProgress that throws fails that generation alone", async () => {
  const thrown = new Error("callback");
  const generation = context.generate(longPrompt, {
    onProgress: () => {
      throw thrown;
    },
  });
  const next = context.generate("The", { sampler: endless, maxTokens: 12 });
  await expect(generation.result()).rejects.toBe(thrown);
  expect((await next.result()).text).toBe(baseline);
});

test("leaving the loop early frees the sequence", async () => {
  for (let round = 0; round < 10; round++) {
    for await (const _ of context.generate("The", { sampler: endless })) break;
  }
  expect(await probe()).toBe(baseline);
});

describe("dispose of the context", () => {
  test.each(["nothing", "a queue", "a prefill", "a decode"])("with %s pending", async (phase) => {
    const own = await model.createContext({ contextSize: 512, batchSize: 16 });
    const pending: Generation[] = [];
    if (phase === "a prefill") {
      await new Promise<void>((resolve) => {
        pending.push(own.generate(longPrompt, { onProgress: () => resolve() }));
      });
    } else if (phase !== "nothing") {
      pending.push(own.generate("The", { sampler: endless }));
      await pending[0]?.[Symbol.asyncIterator]().next();
    }
    if (phase === "a queue") pending.push(own.generate("The"), own.generate(longPrompt));
    await own.dispose();
    for (const generation of pending) {
      await expect(generation.result()).rejects.toMatchObject({ code: "ERR_DISPOSED" });
    }
    expect(() => own.generate("The")).toThrow(expect.objectContaining({ code: "ERR_DISPOSED" }));
    await own.dispose();
  });

  test("rejects a creation with the signal's reason, aborted before or during", async () => {
    const signal = AbortSignal.abort("before");
    await expect(model.createContext({ signal })).rejects.toBe("before");
    const controller = new AbortController();
    const opening = model.createContext({ signal: controller.signal });
    controller.abort("during");
    await expect(opening).rejects.toBe("during");
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});
