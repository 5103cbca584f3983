import {
  type Context,
  CriaError,
  engineInfo,
  listDevices,
  Model,
  renderChat,
} from "../../lib/index.js";
import { MODEL } from "../support/paths.js";

// Jest's files run in a realm of their own, and the engine was loaded in the main one.
let model: Model;
let context: Context;
let embeddings: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 128, threads: 1, sequences: 2 });
  embeddings = await model.createContext({ embeddings: true, contextSize: 32, threads: 1 });
});
afterAll(() => model.dispose());

test("what comes back is of the caller's realm", async () => {
  const vector = await embeddings.embed("a llama");
  expect(vector).toBeInstanceOf(Float32Array);
  expect(await embeddings.embed(["a llama"])).toStrictEqual([vector]);
  for await (const { embedding } of embeddings.embedMany(["a llama"])) {
    expect(embedding).toStrictEqual(vector);
  }
  expect(await context.score("x", [1, 2])).toBeInstanceOf(Float32Array);
  expect(model.tokenize("a llama")).toBeInstanceOf(Int32Array);
  expect(model.metadata).toBeInstanceOf(Map);
  expect(listDevices()).toStrictEqual([expect.any(Object)]);
  expect(listDevices()[0]).toBeInstanceOf(Object);
  expect(engineInfo().cpuFeatures).toBeInstanceOf(Array);
  expect(context.stats).toBeInstanceOf(Object);
  const generation = context.generate("Once", { maxTokens: 2, logprobs: 1 });
  for await (const { tokens } of generation) expect(tokens).toBeInstanceOf(Int32Array);
  const { tokens, logprobs } = await generation.result();
  expect(tokens).toBeInstanceOf(Int32Array);
  expect(logprobs).toBeInstanceOf(Array);
  const sequence = await context.createSequence();
  await sequence.evaluate("Once");
  expect(sequence.tokens).toBeInstanceOf(Int32Array);
  expect(await sequence.logits()).toBeInstanceOf(Float32Array);
  await sequence.dispose();
  const prompt = renderChat([{ role: "user", content: "x" }], { model, format: "template" });
  expect(prompt).toStrictEqual(Array.from(prompt, (segment) => ({ ...segment })));
});

test("an error is of it, too, with the engine's own as its cause", async () => {
  const error = await context
    .generate("word ".repeat(300))
    .result()
    .catch((one) => one as Error);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: "ERR_CONTEXT_FULL", stack: expect.stringMatching(/realm/) });
  const file = await Model.load(__filename).catch((one) => one as Error);
  expect(file).toMatchObject({ code: "ERR_MODEL_INVALID", cause: expect.anything() });
});

describe("an Error.prepareStackTrace of the app's", () => {
  const before = Error.prepareStackTrace;
  afterEach(() => {
    Error.prepareStackTrace = before as NonNullable<typeof before>;
  });

  const oddities: [string, (error: Error, frames: NodeJS.CallSite[]) => unknown][] = [
    ["frames", (_, frames) => frames],
    ["an object", () => ({})],
    ["nothing", () => undefined],
    ["a number", () => 5],
    ["one line", () => "Error"],
    [
      "a proxy",
      () =>
        new Proxy(
          {},
          {
            get() {
              throw new Error("mine");
            },
          },
        ),
    ],
    [
      "an exception",
      () => {
        throw new Error("mine");
      },
    ],
  ];
  test.each(oddities)("that gives %s holds nothing up", async (_, prepare) => {
    Error.prepareStackTrace = prepare;
    const long = "word ".repeat(300);
    const code = (work: Promise<unknown>) =>
      work.then(
        () => "none",
        (error: unknown) => (CriaError.is(error) ? error.code : "another"),
      );
    const codes = [
      await code(context.generate(long).result()),
      await code(context.score(long, [1])),
      await code(embeddings.embed(long)),
      await code(Model.load("/nowhere")),
      await code(context.generate("Once", { maxTokens: 1 }).result()),
    ];
    Error.prepareStackTrace = before as NonNullable<typeof before>;
    expect(codes).toEqual([
      ...["ERR_CONTEXT_FULL", "ERR_CONTEXT_FULL", "ERR_CONTEXT_FULL", "ERR_MODEL_NOT_FOUND"],
      "none",
    ]);
  });
});

describe.each([null, "text", 0, false])("aborted with %p", (reason) => {
  /** What it rejects with, in a list, since `rejects` takes undefined for nothing. */
  async function reasonOf(work: (signal: AbortSignal) => Promise<unknown>) {
    const controller = new AbortController();
    const pending = work(controller.signal).then(
      () => ["resolved"],
      (error: unknown) => [error],
    );
    controller.abort(reason);
    const before = work(controller.signal).then(
      () => ["resolved"],
      (error: unknown) => [error],
    );
    return [await pending, await before];
  }

  test.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ["load", (signal) => Model.load(MODEL, { signal })],
    ["createContext", (signal) => model.createContext({ signal })],
    ["generate", (signal) => context.generate("Once", { signal }).result()],
    ["score", (signal) => context.score("Once", [1], { signal })],
    ["embed", (signal) => embeddings.embed(["a", "b"], { signal })],
    ["generateMany", (signal) => context.generateMany([{ prompt: "x" }], { signal }).next()],
    ["embedMany", (signal) => embeddings.embedMany(["x"], { signal }).next()],
  ])("%s rejects with that", async (_, work) => {
    expect(await reasonOf(work)).toEqual([[reason], [reason]]);
  });
});

test("a signal without a reason, as of a polyfill, gives an AbortError", async () => {
  const signal = { aborted: true, addEventListener() {}, removeEventListener() {} };
  const generation = context.generate("x", { signal: signal as unknown as AbortSignal });
  await expect(generation.result()).rejects.toMatchObject({ name: "AbortError" });
});
