import { createRequire } from "node:module";
import { join } from "node:path";
import { oneOf } from "./checks.js";
import { engineNotFound } from "./engine-failure.js";
import {
  BACKENDS,
  type EngineFile,
  engineFiles,
  packageRoot,
  type SkippedEngine,
} from "./engine-files.js";
import { fromNative, isError, messageOf } from "./errors.js";
import type { Backend, NativeAddon } from "./native.js";

/** The addon and the file it came from. */
export interface Engine {
  readonly addon: NativeAddon;
  readonly path: string;
  /** What was tried before it. */
  readonly skipped: readonly SkippedEngine[];
}

let loaded: Engine | undefined;

/**
 * Loads the engine at the first use, so that importing cria never fails. A failure is not remembered:
 * the next use tries again. CRIA_BINARY names the file to load, CRIA_BACKEND the backend.
 */
export function engine(): Engine {
  loaded ??= loadEngine(packageRoot(thisFile()), process.env);
  return loaded;
}

/** This file; "" in a bundle of ES modules, which has none. */
function thisFile(): string {
  return typeof __filename === "string" ? __filename : "";
}

export function loadEngine(root: string, env: NodeJS.ProcessEnv): Engine {
  const wanted = (env.CRIA_BACKEND || "auto") as Backend | "auto";
  oneOf(wanted, "CRIA_BACKEND (environment variable)", ["auto", ...BACKENDS]);
  const skipped: SkippedEngine[] = [];
  for (const file of engineFiles(root, env, { wanted, skipped })) {
    const addon = tryLoading(root, file.path);
    const problem = typeof addon === "string" ? addon : unfit(addon, file, wanted);
    if (problem === undefined) return { addon: addon as NativeAddon, path: file.path, skipped };
    skipped.push({ path: file.path, problem });
  }
  throw engineNotFound(root, env, skipped);
}

/** The addon, or what the system said. Throws what the engine itself has to say of this CPU. */
function tryLoading(root: string, path: string): NativeAddon | string {
  try {
    return createRequire(join(root, "package.json"))(path) as NativeAddon;
  } catch (error) {
    const { code } = isError(error) ? (error as NodeJS.ErrnoException) : {};
    if (code === "ERR_UNSUPPORTED_CPU" || code === "ERR_INVALID_ARGUMENT") throw fromNative(error);
    return messageOf(error);
  }
}

function unfit(
  addon: NativeAddon,
  { optional }: EngineFile,
  wanted: Backend | "auto",
): string | undefined {
  const { backend } = addon.engineInfo();
  if (wanted !== "auto") {
    if (wanted === backend) return undefined;
    const instead =
      wanted === "cpu" ? "; without layers on the GPU (`gpuLayers: 0`) it does not use it" : "";
    return `is of the backend ${backend}, CRIA_BACKEND asks for ${wanted}${instead}`;
  }
  const idle = optional && !addon.listDevices().some(({ type }) => /gpu/.test(type));
  return idle ? `found no GPU that ${backend} can use` : undefined;
}
