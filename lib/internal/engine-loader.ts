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
  /** What was not taken. */
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
  const files = engineFiles(root, env, { wanted, skipped });
  for (const [index, file] of files.entries()) {
    const addon = tryLoading(root, file.path);
    const problem = typeof addon === "string" ? addon : unfit(addon, file, wanted);
    if (problem === undefined) {
      for (const other of files.slice(index + 1)) tellUntried(other, file, skipped);
      return { addon: addon as NativeAddon, path: file.path, skipped };
    }
    skipped.push({ path: file.path, problem });
  }
  throw engineNotFound(root, env, skipped);
}

/** Who installed a package and built an engine here as well would wonder why it is not used. */
function tellUntried(
  { path, packaged }: EngineFile,
  taken: EngineFile,
  skipped: SkippedEngine[],
): void {
  if (packaged === undefined || taken.packaged !== undefined) return;
  const problem = `was not tried, since the engine that was built on this machine goes first: CRIA_BACKEND=${packaged} takes this one`;
  skipped.push({ path, problem });
}

/** The addon, or what the system said. Throws what the engine itself has to say of this CPU. */
function tryLoading(root: string, path: string): NativeAddon | string {
  try {
    const addon = createRequire(join(root, "package.json"))(path) as NativeAddon | undefined;
    return typeof addon?.engineInfo === "function" ? addon : "is no engine of cria";
  } catch (error) {
    const { code } = isError(error) ? (error as NodeJS.ErrnoException) : {};
    if (code === "ERR_UNSUPPORTED_CPU" || code === "ERR_INVALID_ARGUMENT") throw fromNative(error);
    return messageOf(error);
  }
}

function unfit(
  addon: NativeAddon,
  { packaged }: EngineFile,
  wanted: Backend | "auto",
): string | undefined {
  const { backend } = addon.engineInfo();
  if (wanted !== "auto") {
    if (wanted === backend) return undefined;
    const instead =
      wanted === "cpu" ? "; without layers on the GPU (`gpuLayers: 0`) it does not use it" : "";
    return `is of the backend ${backend}, CRIA_BACKEND asks for ${wanted}${instead}`;
  }
  if (packaged === undefined) return undefined;
  try {
    const found = addon.listDevices().some(({ type }) => /gpu/.test(type));
    return found ? undefined : `found no GPU that ${backend} can use`;
  } catch (error) {
    return messageOf(error); // its driver's words; the next engine does without
  }
}
