import { freemem, totalmem } from "node:os";
import { CriaError } from "../internal/errors.js";
import type {
  NativeContextOptions,
  NativeDevice,
  NativeDeviceMemory,
  NativeMemory,
  NativeProjectorMemory,
} from "../internal/native.js";
import type { CheckedContextOptions } from "./context-options.js";

/** What a model and a context take of one device's memory, in bytes. */
export interface DeviceMemory {
  /** As `listDevices()` has it; a worker's URL, followed by #0, #1… if it has several devices. */
  readonly name: string;
  /** What kind of device it is; "rpc": a worker's. */
  readonly type: NativeDevice["type"] | "rpc";
  /**
   * The weights that lie there, and the projector with what it computes in. The CPU's weights may be a mapped file,
   * which the system can drop and read again.
   */
  readonly model: number;
  /** The KV cache of the layers that lie there, and the states of recurrent ones. */
  readonly kvCache: number;
  /** What a micro-batch is computed in. The CPU's has the outputs, too. */
  readonly compute: number;
  /** What is free now, so before the model is loaded. */
  readonly memoryFree: number;
}

/** What `estimateMemory` tells, in bytes. */
export interface MemoryEstimate {
  /** Weights, on all devices together, and the projector. */
  readonly model: number;
  /** How much of `model` the projector takes, with what the largest picture is computed in. */
  readonly projector: number;
  /** How much of `kvCache` and `compute` a draft model's context takes; its weights are loaded already. */
  readonly draft: number;
  /** KV cache, on all devices together. */
  readonly kvCache: number;
  /** What a micro-batch is computed in, on all devices together. */
  readonly compute: number;
  /** The most that state checkpoints take of the process's own memory; beyond `kvCache`, and no device's. */
  readonly checkpoints: number;
  /** What `contextSize` is, or what "auto" comes to. */
  readonly contextSize: number;
  /** What `gpuLayers` is, or what "auto" comes to: a number, or "all", the output layer included. */
  readonly gpuLayers: number | "all";
  /** The CPU first, then the devices that the model is spread over. */
  readonly perDevice: readonly DeviceMemory[];
}

/** Where the weights are: loaded, still in a file that will be mapped, or about to be read from it. */
export type Weights = "loaded" | "mapped" | "read";

/** What contexts with these options would take. */
export type Measure = (options: NativeContextOptions) => Promise<NativeMemory>;

export interface SizedContext {
  readonly native: NativeContextOptions;
  /** What it takes. */
  readonly memory: NativeMemory;
}

/** The engine rounds up to this many cells. */
const CELL_STEP = 256;
/** What "auto" leaves to the process and others. */
const AUTO_SHARE = 0.8;

/** contextSize "auto" is as much as was asked for or, where that does not fit, as much as fits. */
export async function sizeContext(
  { native: whole, shrinks }: CheckedContextOptions,
  weights: Weights,
  measure: Measure,
): Promise<SizedContext> {
  const sized = async (contextSize: number): Promise<SizedContext> => {
    const native = resized(whole, contextSize);
    return { native, memory: await measure(native) };
  };
  const fits = ({ memory }: SizedContext) =>
    lacking(memory, weights, AUTO_SHARE, memory.checkpoints) === undefined;
  const wanted = await sized(whole.contextSize);
  if (!shrinks || whole.contextSize <= CELL_STEP || fits(wanted)) return wanted;
  let best = await sized(CELL_STEP);
  let tooMany = Math.ceil(whole.contextSize / CELL_STEP);
  for (let steps = 1; fits(best) && tooMany - steps > 1; ) {
    const middle = Math.floor((steps + tooMany) / 2);
    const tried = await sized(middle * CELL_STEP);
    if (fits(tried)) {
      best = tried;
      steps = middle;
    } else {
      tooMany = middle;
    }
  }
  return best;
}

function resized(native: NativeContextOptions, contextSize: number): NativeContextOptions {
  if (contextSize === native.contextSize) return native;
  const kvCacheSize = native.embeddings ? contextSize : contextSize * native.sequences;
  return { ...native, contextSize, kvCacheSize };
}

/**
 * Refuses what can never be had before the engine tries, which may end the process. Checkpoints are no part of
 * it: where there is no memory for one, it is not taken.
 */
export function checkFits({ native, memory }: SizedContext): void {
  const device = lacking(memory, "loaded", 1);
  if (device === undefined) return;
  const { kvCacheSize: cells } = native;
  const requiredBytes = needed(device, "loaded");
  const availableBytes = available(device);
  const layers = device.type === "cpu" ? "" : ", or load the model with fewer `gpuLayers`";
  throw new CriaError(
    "ERR_OUT_OF_MEMORY",
    `A context of ${cells} cells takes ${show(requiredBytes)} on ${device.name} ` +
      `(${show(device.kvCache)} of KV cache), and ${show(availableBytes)} are free. Lower ` +
      `\`contextSize\`, \`sequences\` or \`microBatchSize\`, or take a smaller \`kvCacheType\` ` +
      `(q8_0 halves it)${layers}`,
    { details: { cells, device: device.name, requiredBytes, availableBytes } },
  );
}

/** What is there beside the model and its context. */
export interface Beside {
  readonly projector: readonly NativeProjectorMemory[];
  /** A draft model's context. */
  readonly draft: readonly NativeDeviceMemory[];
}

export function memoryEstimate(
  { native, memory }: SizedContext,
  { projector, draft }: Beside = { projector: [], draft: [] },
): MemoryEstimate {
  const devices = memory.devices.map((device) => ({ ...device }));
  const at = (name: string) => devices.find((device) => device.name === name);
  for (const { name, bytes } of projector) {
    const device = at(name) ?? devices[0];
    if (device !== undefined) device.model += bytes;
  }
  for (const one of draft) {
    const device = at(one.name);
    if (device === undefined) devices.push({ ...one, model: 0 });
    else {
      device.kvCache += one.kvCache;
      device.compute += one.compute;
    }
  }
  const sum = (key: "model" | "kvCache" | "compute") =>
    devices.reduce((bytes, device) => bytes + device[key], 0);
  return {
    ...{ model: sum("model"), kvCache: sum("kvCache"), compute: sum("compute") },
    projector: projector.reduce((all, { bytes }) => all + bytes, 0),
    draft: draft.reduce((all, { kvCache, compute }) => all + kvCache + compute, 0),
    checkpoints: memory.checkpoints,
    contextSize: native.contextSize,
    gpuLayers: memory.gpuLayers < 0 ? "all" : memory.gpuLayers,
    perDevice: devices.map((device) => ({ ...device, memoryFree: available(device) })),
  };
}

/** The first device that has too little room for its part, which no other can take over. */
function lacking(
  { devices }: NativeMemory,
  weights: Weights,
  share: number,
  /** Of the process's own memory, beside what is laid out. */
  besides = 0,
): NativeDeviceMemory | undefined {
  return devices.find((device) => {
    const more = device.type === "cpu" ? besides : 0;
    return needed(device, weights) + more > available(device) * share;
  });
}

function needed(device: NativeDeviceMemory, weights: Weights): number {
  const context = device.kvCache + device.compute;
  // What a mapped file takes is free for others.
  if (weights === "loaded" || (weights === "mapped" && device.type === "cpu")) return context;
  return context + device.model;
}

function available(device: NativeDeviceMemory): number {
  return device.type === "cpu" ? systemMemory() : device.memoryFree;
}

/** Bytes that the process could get at most: never too low, since what is refused for it cannot be had. */
function systemMemory(): number {
  // Elsewhere "free" leaves out what the system would give back, so all of the machine's counts.
  const system = process.platform === "linux" ? freemem() : totalmem();
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(system, limit) : system;
}

function show(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
