// What stands in for an engine in other suites keeps the engine's promises: the same cases run on the doubles
// and on the demo model.
import {
  type Context,
  CriaError,
  type GenerateOptions,
  type GenerationChunk,
  Model,
  Sampler,
  type Sequence,
} from "../lib/index.js";
import { endTokens, forbidden, question } from "./support/demo.js";
import { FakeNativeContext, openFake, settled } from "./support/fake-context.js";
import { FakeSequences, openSequence } from "./support/fake-sequences.js";
import { MODEL } from "./support/paths.js";
import { scripted } from "./support/scripted-context.js";

const PROMPT = question("What is a llama?");
const PIECES = ["A llama ", "is an ", "animal. ", "It lives ", "in Peru."];

let model: Model;
let demo: Context;
let withoutEnd: Sampler;

beforeAll(async () => {
  model = await Model.load(MODEL);
  demo = await model.createContext({ contextSize: 4096, sequences: 4 });
  withoutEnd = Sampler.greedy().with({ logitBias: forbidden(endTokens(model)) });
});
afterAll(() => model.dispose());

const greedy: GenerateOptions = { sampler: Sampler.greedy(), maxTokens: 24 };

/** For what has to be stopped: the model, which answers in ten tokens, goes on for thousands. */
function endless(context: Context): GenerateOptions {
  return context === demo ? { sampler: withoutEnd } : greedy;
}

async function chunksOf(chunks: AsyncIterable<GenerationChunk>): Promise<GenerationChunk[]> {
  const all: GenerationChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

describe.each<[string, () => Context]>([
  ["a scripted context", () => scripted([{ pieces: PIECES }]).context],
  ["the demo model", () => demo],
])("generations of %s", (_, contextOf) => {
  test("chunks are the result's text and tokens, in order", async () => {
    const context = contextOf();
    const generation = context.generate(PROMPT, greedy);
    const chunks = await chunksOf(generation);
    const result = await generation.result();
    expect(chunks.map(({ text }) => text).join("")).toBe(result.text);
    expect(chunks.flatMap(({ tokens }) => [...tokens])).toEqual([...result.tokens]);
    expect(context.model.detokenize(result.tokens)).toBe(result.text);
    expect(result.text).not.toBe("");
    expect(await generation.result()).toBe(result);
  });

  test("a result tells its usage, its times and why it ended", async () => {
    const { usage, timings, ...result } = await contextOf().generate(PROMPT, greedy).result();
    expect(Object.keys(usage).sort()).toEqual(["cachedTokens", "completionTokens", "promptTokens"]);
    expect(usage.promptTokens).toBeGreaterThanOrEqual(usage.cachedTokens);
    expect(Object.keys(timings).sort()).toEqual([
      "generationMs",
      "promptMs",
      "queuedMs",
      "tokensPerSecond",
    ]);
    expect(["end-of-turn", "max-tokens"]).toContain(result.stopReason);
    expect(Object.keys(result).sort()).toEqual([
      "stopReason",
      "stopString",
      "stopToken",
      "text",
      "tokens",
    ]);
  });

  test("the iteration is one, and the result comes without it", async () => {
    const generation = contextOf().generate(PROMPT, greedy);
    const iterator = generation[Symbol.asyncIterator]();
    expect(() => generation[Symbol.asyncIterator]()).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect((await iterator.next()).done).toBe(false);
    expect((await generation.result()).text).not.toBe("");
  });

  test("cancelled, it keeps what it has", async () => {
    const context = contextOf();
    const generation = context.generate(PROMPT, endless(context));
    const iterator = generation[Symbol.asyncIterator]();
    const { value } = await iterator.next();
    generation.cancel();
    const { stopReason, text } = await generation.result();
    expect(stopReason).toBe("cancelled");
    expect(text.startsWith((value as GenerationChunk).text)).toBe(true);
    generation.cancel();
    expect((await generation.result()).text).toBe(text);
  });

  test("leaving the loop cancels it", async () => {
    const context = contextOf();
    const generation = context.generate(PROMPT, endless(context));
    for await (const { text } of generation) {
      expect(text).not.toBe("");
      break;
    }
    expect((await generation.result()).stopReason).toBe("cancelled");
  });

  test("an abort rejects both sides with its reason, before it began and while it runs", async () => {
    const reason = new Error("enough");
    const context = contextOf();
    const options = endless(context);
    const before = context.generate(PROMPT, { ...options, signal: AbortSignal.abort(reason) });
    expect(await failureOf(() => before.result())).toBe(reason);
    expect(await failureOf(() => chunksOf(before))).toBe(reason);
    const controller = new AbortController();
    const running = contextOf().generate(PROMPT, { ...options, signal: controller.signal });
    const iterator = running[Symbol.asyncIterator]();
    await iterator.next();
    controller.abort(reason);
    expect(await failureOf(() => running.result())).toBe(reason);
    expect(await failureOf(() => iterator.next())).toBe(reason);
    expect((await iterator.next()).done).toBe(true);
  });

  test.each<[string, unknown, object]>([
    ["an unknown option", PROMPT, { maxToken: 5 }],
    ["an option of the wrong type", PROMPT, { maxTokens: "5" }],
    ["a prompt that is none", 5, {}],
    ["an unknown segment", [{ txt: "x" }], {}],
  ])("%s throws at once", (_, prompt, options) => {
    const context = contextOf();
    expect(() => context.generate(prompt as never, options)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});

/** A context on the fake engine that answers each request by itself. */
async function openPlayed(): Promise<Context> {
  const native = new (class extends FakeNativeContext {
    override submit(request: Parameters<FakeNativeContext["submit"]>[0]): void {
      super.submit(request);
      setImmediate(() => {
        this.text(request.id, "a b", 1, 2);
        if (request.maxTokens !== 1000) this.finish(request.id, { stopReason: "max-tokens" });
      });
    }
  })();
  return openFake(native, 4);
}

const openDemo = () => model.createContext({ contextSize: 64, sequences: 4 });

/** Never ends by itself: the fake's mark, and more than the demo context has room for. */
const ENDLESS: GenerateOptions = { maxTokens: 1000 };

describe.each<[string, () => Promise<Context>]>([
  ["the fake engine", openPlayed],
  ["the demo model", openDemo],
])("a context on %s", (_, open) => {
  const prompt = Int32Array.of(1, 2, 3);

  test("counts what runs, and nothing when it is over", async () => {
    const context = await open();
    const generation = context.generate(prompt, ENDLESS);
    expect(context.stats).toMatchObject({ activeGenerations: expect.any(Number) });
    generation.cancel();
    expect((await generation.result()).stopReason).toBe("cancelled");
    await settled();
    expect(context.stats.activeGenerations).toBe(0);
    expect(Object.keys(context.stats).sort()).toEqual([
      "activeGenerations",
      "batches",
      "cachedTokens",
      "decodedTokens",
      "queuedGenerations",
    ]);
    await context.dispose();
  });

  test("its disposal fails what is pending, is idempotent, and ends it for good", async () => {
    const context = await open();
    const generation = context.generate(prompt, ENDLESS);
    const failure = failureOf(() => generation.result());
    await Promise.all([context.dispose(), context.dispose()]);
    expect(await failure).toMatchObject({ code: "ERR_DISPOSED" });
    expect(context.disposed).toBe(true);
    for (const call of [
      () => context.generate(prompt),
      () => context.score(prompt, [1]),
      () => context.createSequence(),
      () => context.stats,
    ]) {
      expect(await failureOf(call)).toMatchObject({ code: "ERR_DISPOSED" });
    }
  });

  test("refuses token ids that the vocabulary has not, and embeds nothing", async () => {
    const context = await open();
    const wrong = [() => context.generate([1e6]), () => context.score([1], [1e6])];
    for (const call of wrong) {
      expect(await failureOf(call)).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    }
    expect(await failureOf(() => context.embed("x"))).toMatchObject({ code: "ERR_UNSUPPORTED" });
    await context.dispose();
  });

  test("runs several, each with its own result", async () => {
    const context = await open();
    const requests = [2, 3, 4].map((maxTokens) => ({ prompt, maxTokens }));
    const indices: number[] = [];
    for await (const { index, result, error } of context.generateMany(requests, {
      ordered: true,
    })) {
      expect(error).toBeUndefined();
      expect(result?.stopReason).toMatch(/^(max-tokens|end-of-turn|end-of-text|end-of-message)$/);
      indices.push(index);
    }
    expect(indices).toEqual([0, 1, 2]);
    await context.dispose();
  });
});

test("a score of the fake engine has the fields of the demo model's", async () => {
  const native = new FakeNativeContext();
  const values = Float32Array.of(-1, -2);
  native.answers = () => ({ values, count: 3, cached: 2 });
  const context = await openFake(native, 1);
  for (const one of [context, demo]) {
    const usages: object[] = [];
    const options = { onUsage: (usage: object) => void usages.push(usage) };
    const scores = await one.score(Int32Array.of(1, 2, 3), [1, 2], options);
    expect(scores).toBeInstanceOf(Float32Array);
    expect(scores).toHaveLength(2);
    expect(scores.every((score) => score <= 0)).toBe(true);
    expect(usages).toEqual([
      { promptTokens: 3, cachedTokens: expect.any(Number), completionTokens: 0 },
    ]);
  }
});

describe.each<[string, () => Promise<{ context: Context; sequence: Sequence }>]>([
  ["the fake engine", openSequence],
  [
    "the demo model",
    async () => {
      const context = await openDemo();
      return { context, sequence: await context.createSequence() };
    },
  ],
])("a sequence on %s", (_, open) => {
  test("appends, goes back, forks and chooses", async () => {
    const { context, sequence } = await open();
    expect([...sequence.tokens]).toEqual([]);
    await sequence.evaluate([1, 2, 3]);
    await sequence.evaluate([4]);
    expect([...sequence.tokens]).toEqual([1, 2, 3, 4]);
    expect(await sequence.logits()).toBeInstanceOf(Float32Array);
    const other = await sequence.fork();
    await sequence.trim(2);
    expect([...sequence.tokens]).toEqual([1, 2]);
    expect([...other.tokens]).toEqual([1, 2, 3, 4]);
    expect(await other.sample(Sampler.greedy())).toEqual(expect.any(Number));
    await other.evaluate([5]);
    expect([...sequence.tokens]).toEqual([1, 2]);
    await context.dispose();
  });

  test("refuses what it cannot do, and stays as it was", async () => {
    const { context, sequence } = await open();
    const calls = [
      () => sequence.logits(),
      () => sequence.sample(Sampler.greedy()),
      () => sequence.trim(1),
      () => sequence.evaluate([1e6]),
    ];
    for (const call of calls) {
      expect(await failureOf(call)).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    }
    expect([...sequence.tokens]).toEqual([]);
    await sequence.dispose();
    for (const call of [() => sequence.evaluate([1]), () => sequence.fork()]) {
      const failure = await failureOf(call);
      expect(CriaError.is(failure) && failure.code).toBe("ERR_DISPOSED");
    }
    await context.dispose();
  });

  test("an abort before its turn leaves it as it was", async () => {
    const { context, sequence } = await open();
    await sequence.evaluate([1, 2]);
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await failureOf(() => sequence.evaluate([3], { signal }))).toBe(signal.reason);
    await sequence.evaluate([4]);
    expect([...sequence.tokens]).toEqual([1, 2, 4]);
    await context.dispose();
  });
});

test("every command that the fake engine answers is one of the demo model's", async () => {
  const native = new FakeSequences();
  const context = await openFake(native, 4);
  const sequence = await context.createSequence();
  await sequence.evaluate([1, 2]);
  await sequence.logits();
  await sequence.sample(Sampler.greedy());
  await (await sequence.fork()).dispose();
  await sequence.trim(1);
  expect(native.types()).toEqual([
    "create",
    "evaluate",
    "logits",
    "sample",
    "fork",
    "dispose",
    "trim",
  ]);
  await context.dispose();
});
