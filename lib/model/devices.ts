import { string } from "../internal/checks.js";
import type { SkippedEngine } from "../internal/engine-files.js";
import { engine } from "../internal/engine-loader.js";
import { expected, fromNative, isError } from "../internal/errors.js";
import type { Backend, LogLevel } from "../internal/native.js";
import { nativeCall } from "../internal/native-work.js";
import { workerUrl } from "./worker-url.js";

/** A device that the loaded engine can compute on. */
export interface Device {
  /** What `LoadModelOptions.devices` takes. */
  readonly name: string;
  /** In words, as its driver says it. */
  readonly description: string;
  /** What kind of device it is; an integrated GPU shares the memory of the CPU. */
  readonly type: "cpu" | "gpu" | "integrated-gpu" | "accelerator";
  /** All of its memory, in bytes. */
  readonly memoryTotal: number;
  /** Memory that is free, in bytes, at the time of the call. */
  readonly memoryFree: number;
}

/** What was loaded. */
export interface EngineInfo {
  /** The backend family that the engine was built with. */
  readonly backend: Backend;
  /** Version of llama.cpp. */
  readonly llamaCpp: string;
  /**
   * The set of instructions that is used. Prebuilt engines have several and take the highest that this CPU
   * has: `sse42`, `avx2`, `avx512vnni`, `avx512bf16` on x64, `armv8`, `dotprod`, `i8mm` on arm64;
   * CRIA_CPU_LEVEL (environment) names a lower one. One that was built on this machine has `native`.
   */
  readonly cpuLevel: string;
  /** Instruction sets that the engine was built with and this CPU has, as llama.cpp names them. */
  readonly cpuFeatures: readonly string[];
  /** The native file that was loaded. */
  readonly path: string;
  /** Engines that were not taken, and why: a GPU's without its driver. */
  readonly skipped: readonly SkippedEngine[];
}

/**
 * The devices of the loaded engine, the CPU among them.
 *
 * @throws {CriaError} ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU
 */
export function listDevices(): Device[] {
  const { addon } = engine();
  return nativeCall(() => addon.listDevices()).map((device) => ({ ...device }));
}

/** A device that a worker on another machine lends. */
export type WorkerDevice = Omit<Device, "type"> & {
  /** Always "rpc": what kind of device it is there, the worker does not tell. */
  readonly type: "rpc";
};

/**
 * What a worker lends that `cria rpc-server` runs. Takes the connection that this process has to it for a model,
 * and makes one otherwise, which others have to wait for meanwhile.
 *
 * @example
 * const [{ memoryFree }] = await listWorkerDevices("rpc://10.0.0.2:50052");
 * @param url "rpc://host:port", as `LoadModelOptions.devices` takes it
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_WORKER_UNREACHABLE, ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU
 */
export async function listWorkerDevices(url: string): Promise<WorkerDevice[]> {
  const worker = workerUrl(string(url, "url"), "url");
  const { addon } = engine();
  try {
    return (await addon.listWorkerDevices(worker)).map((device) => ({ ...device }));
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * Which engine was loaded, and from where.
 *
 * @throws {CriaError} ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU
 */
export function engineInfo(): EngineInfo {
  const { addon, path, skipped } = engine();
  const info = nativeCall(() => addon.engineInfo());
  return {
    ...info,
    cpuFeatures: Array.from(info.cpuFeatures),
    path,
    skipped: skipped.map((engine) => ({ ...engine })),
  };
}

/**
 * Receives llama.cpp's log lines, which are dropped otherwise: cria writes nothing to stdout or stderr
 * by itself. One handler per thread (`worker_threads`); `null` removes it. A handler that throws is
 * removed, and what it threw becomes a process warning.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU
 */
export function setLogHandler(handler: ((level: LogLevel, message: string) => void) | null): void {
  if (handler !== null && typeof handler !== "function") {
    throw expected("a function or null", "handler", handler);
  }
  const { addon } = engine();
  nativeCall(() => {
    if (handler === null) addon.setLogHandler(null);
    else addon.setLogHandler(caught(handler, () => addon.setLogHandler(null)));
  });
}

// There is no promise to reject here, and an exception on the way from the addon would end the process.
function caught(
  handler: (level: LogLevel, message: string) => void,
  remove: () => void,
): (level: LogLevel, message: string) => void {
  let failed = false;
  return (level, message) => {
    if (failed) return;
    try {
      handler(level, message);
    } catch (error) {
      failed = true;
      remove();
      process.emitWarning(isError(error) ? error : String(error));
    }
  };
}
