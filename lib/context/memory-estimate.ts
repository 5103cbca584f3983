import { freemem, totalmem } from "node:os";
import { CriaError } from "../internal/errors.js";
import type { NativeCacheType, NativeDevice, NativeModelInfo } from "../internal/native.js";

/** Bytes of one element of the KV cache, scales of quantized blocks included. */
const ELEMENT_BYTES: Readonly<Record<NativeCacheType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
};

/** The default context is no longer than this, however long the training was. */
const AUTO_CONTEXT_MAX = 8192;
/** The engine rounds up to this many cells. */
const CELL_STEP = 256;
/** What "auto" leaves to compute buffers, the process and others. */
const AUTO_SHARE = 0.8;

export interface CacheShape {
  readonly width: NativeModelInfo["cacheWidth"];
  readonly kvCacheTypeKey: NativeCacheType;
  readonly kvCacheTypeValue: NativeCacheType;
}

/** Bytes that the KV cache takes. */
export function cacheBytes(shape: CacheShape, cells: number): number {
  const { width, kvCacheTypeKey, kvCacheTypeValue } = shape;
  return width * (ELEMENT_BYTES[kvCacheTypeKey] + ELEMENT_BYTES[kvCacheTypeValue]) * cells;
}

/**
 * Bytes that a cache could take at most: never too low, since what is refused for it cannot be had.
 * Where the model may lie on other devices, their free memory counts, too.
 */
export function availableMemory(devices: readonly NativeDevice[]): number {
  // Elsewhere "free" leaves out what the system would give back, so all of the machine's counts.
  const system = process.platform === "linux" ? freemem() : totalmem();
  const limit = process.constrainedMemory?.() ?? 0;
  const own = limit > 0 ? Math.min(system, limit) : system;
  return devices
    .filter(({ type }) => type !== "cpu")
    .reduce((sum, { memoryFree }) => sum + memoryFree, own);
}

/** contextSize "auto": the trained length, what fits, or 8192, whichever is least. */
export function autoContextSize(
  trained: number,
  sequences: number,
  shape: CacheShape,
  available: number,
): number {
  const wanted = Math.min(trained > 0 ? trained : AUTO_CONTEXT_MAX, AUTO_CONTEXT_MAX);
  const perToken = cacheBytes(shape, sequences);
  if (perToken === 0 || perToken * wanted <= available * AUTO_SHARE) return wanted;
  const fitting = Math.floor((available * AUTO_SHARE) / perToken / CELL_STEP) * CELL_STEP;
  if (fitting > 0) return fitting;
  throw outOfMemory(Math.min(wanted, CELL_STEP) * sequences, shape, available);
}

/** Refuses what can never be had before the engine tries, which may end the process. */
export function checkCacheFits(cells: number, shape: CacheShape, available: number): void {
  if (cacheBytes(shape, cells) > available) throw outOfMemory(cells, shape, available);
}

function outOfMemory(cells: number, shape: CacheShape, available: number): CriaError {
  const required = Math.ceil(cacheBytes(shape, cells));
  return new CriaError(
    "ERR_OUT_OF_MEMORY",
    `A KV cache of ${cells} cells takes ${show(required)}, and ${show(available)} are free. ` +
      "Lower `contextSize` or `sequences`, or take a smaller `kvCacheType` (q8_0 halves it)",
    { details: { cells, requiredBytes: required, availableBytes: available } },
  );
}

function show(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
