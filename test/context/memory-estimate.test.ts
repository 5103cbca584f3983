import { totalmem } from "node:os";
import type { CheckedContextOptions } from "../../lib/context/context-options.js";
import { checkFits, memoryEstimate, sizeContext } from "../../lib/context/memory-estimate.js";
import type {
  NativeContextOptions,
  NativeDeviceMemory,
  NativeMemory,
} from "../../lib/internal/native.js";

/** A GPU has this much; the machine's own memory is what it is, so it is not what decides here. */
const GPU_FREE = 1_000_000;
const FIXED = 100_000;
const PER_CELL = 100;

function device(changes: Partial<NativeDeviceMemory>): NativeDeviceMemory {
  const none = { model: 0, kvCache: 0, compute: 0, memoryFree: 0 };
  return { name: "GPU0", type: "gpu", ...none, ...changes };
}

const cpu = device({ name: "CPU", type: "cpu", model: 700, kvCache: 80, compute: 9 });

/** All cells on one GPU, and how often was asked. */
function engine(gpu: Partial<NativeDeviceMemory> = {}) {
  const asked: number[] = [];
  const measure = async ({ contextSize, kvCacheSize }: NativeContextOptions) => {
    asked.push(contextSize);
    const kvCache = PER_CELL * kvCacheSize;
    const used = { model: 500_000, kvCache, compute: FIXED, memoryFree: GPU_FREE };
    return { gpuLayers: 7, checkpoints: 0, devices: [cpu, device({ ...used, ...gpu })] };
  };
  return { asked, measure };
}

function checked(contextSize: number, changes: Partial<NativeContextOptions> = {}, shrinks = true) {
  const { sequences = 1 } = changes;
  const native = { contextSize, sequences, kvCacheSize: contextSize * sequences, ...changes };
  return { native, shrinks, signal: undefined } as CheckedContextOptions;
}

describe("contextSize auto", () => {
  test("is what was wanted where that fits, measured once", async () => {
    const { asked, measure } = engine();
    const { native } = await sizeContext(checked(7000), "loaded", measure);
    expect(native.contextSize).toBe(7000); // 0.8 of the device
    expect(asked).toEqual([7000]);
  });

  test("is as much as fits otherwise, in steps of the engine's, for all sequences", async () => {
    const { asked, measure } = engine();
    const one = await sizeContext(checked(100_000), "loaded", measure);
    expect(one.native.contextSize).toBe(27 * 256);
    expect(asked.length).toBeLessThan(12);
    const { native, memory } = await sizeContext(
      checked(100_000, { sequences: 4 }),
      "loaded",
      measure,
    );
    expect(native).toMatchObject({ contextSize: 6 * 256, kvCacheSize: 4 * 6 * 256 });
    expect(memory.devices[1]?.kvCache).toBe(PER_CELL * 4 * 6 * 256);
  });

  test("leaves room for weights that are still to come, but for those of a mapped file on the CPU", async () => {
    const { measure } = engine();
    const size = async (weights: "mapped" | "read") =>
      (await sizeContext(checked(100_000), weights, measure)).native.contextSize;
    expect(await size("mapped")).toBe(7 * 256);
    expect(await size("read")).toBe(7 * 256);
    const huge = async ({ contextSize }: NativeContextOptions): Promise<NativeMemory> => ({
      gpuLayers: 0,
      checkpoints: 0,
      devices: [{ ...cpu, model: 2 * totalmem(), kvCache: contextSize }],
    });
    expect((await sizeContext(checked(2000), "mapped", huge)).native.contextSize).toBe(2000);
    expect((await sizeContext(checked(2000), "read", huge)).native.contextSize).toBe(256);
  });

  test("is one step where not even that fits, and the wanted size where it may not shrink", async () => {
    const { measure } = engine({ memoryFree: 1 });
    expect((await sizeContext(checked(5000), "loaded", measure)).native.contextSize).toBe(256);
    expect((await sizeContext(checked(100), "loaded", measure)).native.contextSize).toBe(100);
    const given = await sizeContext(checked(5000, {}, false), "loaded", measure);
    expect(given.native.contextSize).toBe(5000);
  });

  test("counts the cells of one text for embeddings", async () => {
    const { measure } = engine();
    const options = checked(100_000, { embeddings: true, sequences: 64, kvCacheSize: 100_000 });
    const { native } = await sizeContext(options, "loaded", measure);
    expect(native).toMatchObject({ contextSize: 27 * 256, kvCacheSize: 27 * 256 });
  });
});

test("what cannot be had on one device is refused with its figures, whatever others have", async () => {
  const { measure } = engine();
  const sized = async (contextSize: number) =>
    sizeContext(checked(contextSize, {}, false), "loaded", measure);
  const most = (GPU_FREE - FIXED) / PER_CELL;
  const fitting = await sized(most);
  expect(() => checkFits(fitting)).not.toThrow();
  const sizedTooLarge = await sized(most + 1);
  expect(() => checkFits(sizedTooLarge)).toThrow(
    expect.objectContaining({
      code: "ERR_OUT_OF_MEMORY",
      message: expect.stringMatching(
        /9001 cells takes 1\.0 MB on GPU0 \(0\.9 MB of KV cache\), and 1\.0 MB are free.*gpuLayers/,
      ),
      details: { cells: 9001, device: "GPU0", requiredBytes: 1_000_100, availableBytes: 1_000_000 },
    }),
  );
  const onCpu = { gpuLayers: 0, checkpoints: 0, devices: [{ ...cpu, kvCache: 2 * totalmem() }] };
  const call = () => checkFits({ native: sizedTooLarge.native, memory: onCpu });
  expect(call).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_MEMORY" }));
  expect(call).not.toThrow(/gpuLayers/);
});

test("an estimate adds the devices up, and says what auto came to", async () => {
  const { measure } = engine();
  const estimate = memoryEstimate(await sizeContext(checked(1000), "loaded", measure));
  expect(estimate).toMatchObject({
    ...{ model: 500_700, kvCache: 100_080, compute: 100_009 },
    ...{ contextSize: 1000, gpuLayers: 7 },
    perDevice: [
      { name: "CPU", type: "cpu", model: 700, kvCache: 80, compute: 9 },
      { name: "GPU0", type: "gpu", model: 500_000, memoryFree: GPU_FREE },
    ],
  });
  const own = estimate.perDevice[0]?.memoryFree;
  expect(own).toBeGreaterThan(0);
  expect(own).toBeLessThanOrEqual(totalmem());
  const all = {
    native: checked(1).native,
    memory: { gpuLayers: -2, checkpoints: 0, devices: [cpu] },
  };
  expect(memoryEstimate(all).gpuLayers).toBe("all");
});
