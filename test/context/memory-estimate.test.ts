import { totalmem } from "node:os";
import {
  autoContextSize,
  availableMemory,
  type CacheShape,
  cacheBytes,
  checkCacheFits,
} from "../../lib/context/memory-estimate.js";
import type { NativeDevice } from "../../lib/internal/native.js";

const shape: CacheShape = {
  width: 1024,
  kvCacheTypeKey: "f16",
  kvCacheTypeValue: "q8_0",
};
const perCell = 1024 * 2 + (1024 * 34) / 32;

test("cacheBytes counts keys and values in their types", () => {
  expect(cacheBytes(shape, 10)).toBe(perCell * 10);
  expect(cacheBytes({ ...shape, kvCacheTypeKey: "q4_0", kvCacheTypeValue: "f32" }, 1)).toBe(
    1024 * 0.5625 + 4096,
  );
});

test("availableMemory adds what other devices have free to the system's", () => {
  const device = (type: NativeDevice["type"], memoryFree: number): NativeDevice => ({
    name: type,
    description: type,
    type,
    memoryTotal: memoryFree,
    memoryFree,
  });
  const own = availableMemory([device("cpu", 1e15)]);
  expect(own).toBeGreaterThan(0);
  expect(own).toBeLessThanOrEqual(totalmem());
  const more = availableMemory([device("gpu", 1e15), device("accelerator", 1e15)]);
  expect(more - own).toBeGreaterThan(1.99e15);
});

describe("contextSize auto", () => {
  test("is the trained length where that fits, 8,192 at most", () => {
    expect(autoContextSize(2048, 1, shape, 1e12)).toBe(2048);
    expect(autoContextSize(131_072, 1, shape, 1e12)).toBe(8192);
    expect(autoContextSize(0, 1, shape, 1e12)).toBe(8192);
  });

  test("is what fits for all sequences otherwise, in steps of the engine's", () => {
    const size = autoContextSize(8192, 4, shape, perCell * 4 * 2000);
    expect(size).toBe(1536); // 0.8 × 2000, rounded down to 256
  });

  test("is an error where nothing fits", () => {
    expect(() => autoContextSize(8192, 256, shape, perCell * 1000)).toThrow(
      expect.objectContaining({ code: "ERR_OUT_OF_MEMORY" }),
    );
  });
});

test("a size that cannot be had is refused with the figures", () => {
  expect(() => checkCacheFits(1000, shape, perCell * 1000)).not.toThrow();
  expect(() => checkCacheFits(1_000_000, shape, 1e9)).toThrow(
    expect.objectContaining({
      code: "ERR_OUT_OF_MEMORY",
      message: expect.stringMatching(/1000000 cells takes 3\.1 GB, and 1\.0 GB are free/),
      details: { cells: 1_000_000, requiredBytes: perCell * 1_000_000, availableBytes: 1e9 },
    }),
  );
});
