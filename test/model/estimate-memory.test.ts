import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nativeContextOptions } from "../../lib/context/context-options.js";
import {
  type ContextOptions,
  estimateMemory,
  listDevices,
  Model,
  setLogHandler,
} from "../../lib/index.js";
import { insideOf } from "../../lib/model/loaded-model.js";
import { realMemory } from "../support/memory-reference.js";
import { MODEL_KINDS, type ModelKind, writeModelOfKind } from "../support/model-kinds.js";
import { MODEL } from "../support/paths.js";
import { writeRandomModel } from "../support/random-model.js";
import { stripes, wav } from "../support/tiny-media.js";
import { writeBert, writeT5 } from "../support/tiny-models.js";
import { writeGemma3, writeLlava, writeUltravox } from "../support/tiny-projectors.js";

const directory = mkdtempSync(join(tmpdir(), "cria-memory-"));
const at = (name: string) => join(directory, `${name.replaceAll(/\W+/g, "-")}.gguf`);

afterAll(() => rmSync(directory, { recursive: true }));

/** The bound. What is measured is exact, but for what the reference reads from rounded text. */
const NEAR = 0.1;
/** llama.cpp logs the outputs' size in MiB with two decimals. */
const ROUNDED = 0.01 * 1024 * 1024;

async function expectNear(path: string, options: ContextOptions): Promise<void> {
  const estimate = await estimateMemory(path, { ...options, mmap: false });
  const model = await Model.load(path, { vocabOnly: true });
  const { native } = nativeContextOptions(options, insideOf(model).info);
  await model.dispose();
  const real = await realMemory(path, native);
  expect(estimate.contextSize).toBe(native.contextSize);
  expect(estimate.model).toBe(real.model);
  expect(estimate.kvCache).toBe(real.kvCache);
  expect(Math.abs(estimate.compute - real.compute)).toBeLessThanOrEqual(
    NEAR * real.compute + ROUNDED,
  );
}

const CONTEXTS: readonly ContextOptions[] = [
  {},
  { contextSize: 1000, microBatchSize: 64 },
  { contextSize: 300, sequences: 5, kvCacheType: "f32", flashAttention: false },
  { contextSize: 2000, sequences: 8, kvCache: "unified", kvCacheSize: 6000 },
  { contextSize: 2000, sequences: 2, swaFull: true },
  { contextSize: 1000, sequences: 4, kvCache: "unified", swaFull: false },
  { contextSize: 512, sequences: 2, kvCacheType: { key: "f16", value: "f16" }, batchSize: 128 },
];

describe.each(Object.keys(MODEL_KINDS) as ModelKind[])("a model with %s", (kind) => {
  const path = at(kind);
  beforeAll(() => writeModelOfKind(path, kind));

  test.each(CONTEXTS)("takes what was estimated: %j", (options) => expectNear(path, options));
});

const PROJECTORS = {
  llava: writeLlava,
  gemma3: writeGemma3,
  ultravox: writeUltravox,
};

test.each(Object.keys(PROJECTORS) as (keyof typeof PROJECTORS)[])(
  "a projector of %s's kind takes what was estimated",
  async (kind) => {
    const [path, projector] = [at("seeing"), at(kind)];
    await writeRandomModel(path, 3);
    PROJECTORS[kind](projector);
    const estimate = await estimateMemory(path, { contextSize: 512, projector });
    // mtmd logs, in MiB with two decimals, what it has.
    let real = 0;
    setLogHandler((_, message) => {
      const found = /(?:load_hparams: model|CPU compute buffer) size[ :=]+([\d.]+) MiB/.exec(
        message,
      );
      if (found && !message.includes("sched_reserve")) real += Number(found[1]) * 1024 * 1024;
    });
    try {
      await using model = await Model.load(path, { projector });
      await using context = await model.createContext({ contextSize: 512 });
      const media = model.media.image ? { image: stripes(60, 40, 9) } : { audio: wav(1, 440) };
      await context.generateText([media, { tokens: [5] }], { maxTokens: 1 });
    } finally {
      setLogHandler(null);
    }
    expect(real).toBeGreaterThan(100_000);
    expect(Math.abs(estimate.projector - real)).toBeLessThan(NEAR * real + 2 * ROUNDED);
    const without = await estimateMemory(path, { contextSize: 512 });
    expect(estimate.model - without.model).toBe(estimate.projector);
    expect(estimate.perDevice[0]?.model).toBe(estimate.model);
    expect(without.projector).toBe(0);
    await expect(estimateMemory(path, { projector: path })).rejects.toMatchObject({
      code: "ERR_MODEL_INVALID",
    });
  },
);

test("a draft model's context takes what was estimated", async () => {
  await using draft = await Model.load(MODEL);
  const options = { contextSize: 700, sequences: 2, microBatchSize: 64 };
  const speculation = { type: "draft", draft } as const;
  const estimate = await estimateMemory(MODEL, { ...options, speculation });
  const its = { contextSize: 700, microBatchSize: 64, batchSize: 64 };
  const { native } = nativeContextOptions(its, insideOf(draft).info);
  const real = await realMemory(MODEL, { ...native, draftedTokens: 1 });
  const together = real.kvCache + real.compute;
  expect(Math.abs(estimate.draft - together)).toBeLessThanOrEqual(NEAR * together + ROUNDED);
  const alone = await estimateMemory(MODEL, options);
  expect(estimate.kvCache - alone.kvCache).toBe(real.kvCache);
  expect(estimate.model).toBe(alone.model);
});

test("the rows of a draft are counted", async () => {
  const compute = async (options: ContextOptions) =>
    (await estimateMemory(MODEL, { contextSize: 256, ...options })).compute;
  const model = await Model.load(MODEL, { vocabOnly: true });
  const row = model.vocabularySize * 4; // F32
  await model.dispose();
  const drafted = await compute({ speculation: { type: "ngram", maxTokens: 20 } });
  expect(drafted - (await compute({}))).toBeGreaterThanOrEqual(20 * row);
});

test("checkpoints are counted where a model needs them, up to what they may take", async () => {
  const checkpoints = async (kind: ModelKind, options: ContextOptions) => {
    writeModelOfKind(at(kind), kind);
    return (await estimateMemory(at(kind), options)).checkpoints;
  };
  const states = "states in the place of a cache";
  const both = "states in some layers, a cache in others";
  const window = "a sliding window";
  const perState = 4 * (3 * 128 + 8 * 128); // F32: what the convolution looks back to, and the state
  const perWindow = 6 * 128 * 2 * 64 * 2; // layers, cells, keys and values, their width, F16
  const options = { contextSize: 1000, sequences: 3 };
  expect(await checkpoints(states, options)).toBe(3 * 8 * 3 * perState);
  expect(await checkpoints(both, { ...options, kvCache: "unified" })).toBe(3 * 8 * 2 * perState);
  expect(await checkpoints(window, options)).toBe(3 * 8 * perWindow);
  expect(await checkpoints(states, { ...options, checkpointMemory: 100_000 })).toBe(100_000);
  expect(await checkpoints(states, { ...options, checkpointMemory: 0 })).toBe(0);
  expect(await checkpoints(window, { ...options, swaFull: true })).toBe(0);
  expect(await checkpoints(window, { ...options, kvCache: "unified" })).toBe(0);
  expect(await checkpoints(window, { contextSize: 128 })).toBe(0);
  expect(await checkpoints("experts", options)).toBe(0);
});

test("quantized KV caches take what was estimated", async () => {
  const kind: ModelKind = "heads wider than the model";
  writeModelOfKind(at(kind), kind);
  for (const kvCacheType of ["q8_0", { key: "q5_1", value: "q4_0" }] as const) {
    await expectNear(at(kind), { contextSize: 3000, kvCacheType });
  }
  const { kvCache: half } = await estimateMemory(at(kind), { kvCacheType: "q8_0" });
  const { kvCache: whole } = await estimateMemory(at(kind), { kvCacheType: "f16" });
  expect(half / whole).toBeCloseTo(34 / 64);
});

// A batch of as many tokens as texts, since that many outputs there are when the context is new.
const EMBEDDINGS = {
  embeddings: true,
  sequences: 16,
  microBatchSize: 16,
  contextSize: 16,
} as const;

test("contexts for embeddings take what was estimated", async () => {
  writeBert(at("bert"));
  writeBert(at("reranker"), { ranks: true });
  writeT5(at("t5encoder"), "t5encoder");
  await expectNear(at("bert"), EMBEDDINGS);
  await expectNear(at("reranker"), { ...EMBEDDINGS, pooling: "rank" });
  await expectNear(at("t5encoder"), EMBEDDINGS);
  for (const pooling of ["mean", "last", "none"] as const) {
    await expectNear(MODEL, { ...EMBEDDINGS, pooling });
  }
});

test("what is too much to be laid out is in proportion", async () => {
  const kind: ModelKind = "heads that share keys";
  writeModelOfKind(at(kind), kind);
  const cells = 2 ** 30;
  const perCell = 3 * 2 * (64 / 2) * 2; // layers, keys and values, their width, F16
  const { kvCache, contextSize } = await estimateMemory(at(kind), { contextSize: cells });
  expect({ kvCache, contextSize }).toEqual({ kvCache: cells * perCell, contextSize: cells });
  const many = await estimateMemory(at(kind), { contextSize: 2 ** 20, sequences: 256 });
  expect(many.kvCache).toBe(2 ** 28 * perCell);
});

// More than is allocated to measure it.
test("many large states are in proportion, too", async () => {
  const kind: ModelKind = "large states";
  writeModelOfKind(at(kind), kind);
  const one = await estimateMemory(at(kind), { contextSize: 256 });
  const all = await estimateMemory(at(kind), { contextSize: 256, sequences: 256 });
  expect(all.kvCache).toBe(256 * one.kvCache);
  expect(all.kvCache).toBeGreaterThan(256 * 2 ** 20);
});

test("an estimate tells of each device, and takes no weights to tell it", async () => {
  const { perDevice, gpuLayers, ...sums } = await estimateMemory(MODEL, { gpuLayers: 0 });
  const cpu = listDevices().find(({ type }) => type === "cpu");
  expect(gpuLayers).toBe(0);
  expect(perDevice[0]).toMatchObject({ name: cpu?.name, type: "cpu" });
  for (const key of ["model", "kvCache", "compute"] as const) {
    expect(sums[key]).toBeGreaterThan(0);
    expect(perDevice.reduce((sum, device) => sum + device[key], 0)).toBe(sums[key]);
  }
  const repeated = await estimateMemory(MODEL, { gpuLayers: 0, mmap: false, mlock: false });
  expect(repeated).toMatchObject(sums);
});

test("a context that could never be had is estimated all the same", async () => {
  const { kvCache, perDevice } = await estimateMemory(MODEL, { contextSize: 2 ** 31 - 1 });
  expect(kvCache).toBeGreaterThan(perDevice[0]?.memoryFree as number);
});

describe("refuses", () => {
  const code = (code: string, message?: RegExp) =>
    expect.objectContaining({ code, ...(message && { message: expect.stringMatching(message) }) });

  test("options that are neither a load's nor a context's, and such as have no meaning", async () => {
    await expect(estimateMemory(MODEL, { contextsize: 1 } as never)).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /contextSize/),
    );
    await expect(estimateMemory(MODEL, { vocabOnly: true })).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /vocabOnly/),
    );
    await expect(estimateMemory(MODEL, { sequences: 0 })).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /sequences/),
    );
  });

  test("files that are no models, and models that a load refuses", async () => {
    await expect(estimateMemory(at("none"))).rejects.toEqual(code("ERR_MODEL_NOT_FOUND"));
    writeFileSync(at("text"), "GGUF no more");
    await expect(estimateMemory(at("text"))).rejects.toEqual(code("ERR_MODEL_INVALID"));
    const overrides = { "llama.attention.head_count": 0 };
    await expect(estimateMemory(MODEL, { metadataOverrides: overrides })).rejects.toEqual(
      code("ERR_MODEL_INVALID", /head_count/),
    );
  });

  test("contexts that the model cannot have", async () => {
    writeBert(at("bert"));
    await expect(estimateMemory(at("bert"))).rejects.toEqual(code("ERR_UNSUPPORTED", /embeddings/));
    writeT5(at("t5"), "t5");
    await expect(estimateMemory(at("t5"), { embeddings: true })).rejects.toEqual(
      code("ERR_UNSUPPORTED"),
    );
    const kind: ModelKind = "heads that share keys"; // of 16 numbers
    writeModelOfKind(at(kind), kind);
    await expect(estimateMemory(at(kind), { kvCacheType: "q8_0" })).rejects.toEqual(
      code("ERR_UNSUPPORTED", /block size 32 does not divide/),
    );
  });

  test("to go on once the signal aborts", async () => {
    const reason = new Error("no more");
    const early = estimateMemory(MODEL, { signal: AbortSignal.abort(reason) });
    await expect(early).rejects.toBe(reason);
    const controller = new AbortController();
    const running = estimateMemory(MODEL, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(running).rejects.toBe(reason);
  });
});

describe("devices", () => {
  const refused = (options: object, message: RegExp) =>
    expect(Model.load(MODEL, options)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(INVALID_ARGUMENT|UNSUPPORTED)$/),
      message: expect.stringMatching(message),
    });
  const cpu = () => listDevices().find(({ type }) => type === "cpu")?.name as string;

  test("the CPU is there in any case, and computes all where no GPU is named", async () => {
    await using model = await Model.load(MODEL, { devices: [cpu()], gpuLayers: "all" });
    await using context = await model.createContext({ contextSize: 64 });
    const { usage } = await context.generate("The llama", { maxTokens: 4 }).result();
    expect(usage.completionTokens).toBeGreaterThan(0);
    const { perDevice } = await estimateMemory(MODEL, { devices: [cpu()], gpuLayers: "all" });
    expect(perDevice.map(({ type }) => type)).toEqual(["cpu"]);
  });

  test("that do not exist, or are named twice, or that a mode needs, are told", async () => {
    await refused(
      { devices: ["GPU-of-nobody"] },
      /names from listDevices\(\), got "GPU-of-nobody"/,
    );
    await refused({ devices: [cpu(), cpu()] }, /each device once/);
    await refused({ devices: [cpu()], splitMode: "tensor" }, /needs a GPU/);
  });
});
