import { FETCH_OPTIONS, type FetchOptions } from "../hub/download-model.js";
import {
  abortSignal,
  boolean,
  callback,
  filePath,
  integer,
  isPlainObject,
  list,
  MAX_INT32,
  number,
  oneOf,
  readOptions,
  string,
  unreadable,
} from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import type { NativeModelOptions } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { isWorkerUrl, workerUrl } from "./worker-url.js";

/** What `Model.load` takes. */
export interface LoadModelOptions {
  /**
   * Layers that go to the GPU, the output layer included: a number, "all", or "auto", as many as fit together
   * with a context of default options, which is measured; 1 GiB, or a tenth of a smaller device, stays free.
   * Default "auto"; none without a GPU. With splitMode "tensor", "auto" is all.
   */
  readonly gpuLayers?: number | "auto" | "all";
  /**
   * Names from `listDevices()`, each once: the GPUs that the model is spread over. The CPU computes what is left
   * over, and all where no GPU is named. "rpc://host:port" is a worker that `cria rpc-server` runs on another
   * machine, whose devices count like GPUs of this one. Default: every GPU, integrated ones only where there is
   * no other.
   */
  readonly devices?: readonly string[];
  /**
   * How the model is spread over several GPUs: "layer", some layers on each; "tensor", a part of each layer on
   * each, which needs a GPU; "none", all on one. Default "layer".
   */
  readonly splitMode?: "none" | "layer" | "tensor";
  /** Each device's share, in any unit and the order of `devices`; 0 for those left out. Default: by
   * free memory; with splitMode "tensor", equal. */
  readonly tensorSplit?: readonly number[];
  /** Index in `devices` of the GPU that takes all with splitMode "none". Default 0. */
  readonly mainGpu?: number;
  /**
   * Milliseconds that a worker of `devices` that was asked something may be silent before it counts as lost; it
   * is silent while it computes. Of workers that are connected already the first load's holds. Default 300,000.
   */
  readonly workerTimeout?: number;
  /** Maps the file instead of reading it. Default true. */
  readonly mmap?: boolean;
  /** Keeps the weights from being swapped out. Default false. */
  readonly mlock?: boolean;
  /** Looks for invalid values in the tensors, which takes longer. Default false. */
  readonly checkTensors?: boolean;
  /** Loads the tokenizer and the metadata only. Default false. */
  readonly vocabOnly?: boolean;
  /**
   * Loads the layers that predict further tokens (multi-token prediction), too, where the file has some:
   * contexts with `speculation: { type: "mtp" }` need them. They take as much memory as other layers. Default
   * false.
   */
  readonly mtp?: boolean;
  /**
   * The file (mmproj GGUF) that makes embeddings of pictures and sounds for this model: prompts and messages
   * may have them then. A path, or a reference such as "hf:user/repo:mmproj", which `download` fetches. Default: none.
   */
  readonly projector?: string;
  /** Values that replace single ones of the file's metadata, of the kind that the file has. Default: none. */
  readonly metadataOverrides?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Called during the load with the share that is done, 0…1; ends with 1. What it throws fails the load.
   * Default: none.
   */
  readonly onProgress?: (fraction: number) => void;
  /**
   * How a model that is not named by a path is fetched before it is loaded: where to, from which mirror, with
   * which token, what is told of it. Default: `{}`, which takes what is in the shared cache already.
   */
  readonly download?: FetchOptions;
  /** Aborts the load, and the download before it; rejects with its reason. Default: none. */
  readonly signal?: AbortSignal;
}

/** Of the options of a load those that results depend on, complete. */
export type ModelLoadOptions = Readonly<
  Required<
    Pick<
      LoadModelOptions,
      "gpuLayers" | "devices" | "splitMode" | "tensorSplit" | "mainGpu" | "metadataOverrides"
    >
  >
>;

export function loadOptionsOf(native: NativeModelOptions): ModelLoadOptions {
  const { gpuLayers, devices, splitMode, tensorSplit, mainGpu, metadataOverrides } = native;
  return Object.freeze({
    gpuLayers: gpuLayers === -1 ? "auto" : gpuLayers === -2 ? "all" : gpuLayers,
    ...{ splitMode, mainGpu },
    devices: Object.freeze([...devices]),
    tensorSplit: Object.freeze([...tensorSplit]),
    metadataOverrides: Object.freeze({ ...metadataOverrides }),
  });
}

export const LOAD_OPTIONS: readonly (keyof LoadModelOptions)[] = optionNames("Model.load", [
  "gpuLayers",
  "devices",
  "splitMode",
  "tensorSplit",
  "mainGpu",
  "workerTimeout",
  "mmap",
  "mlock",
  "checkTensors",
  "vocabOnly",
  "mtp",
  "projector",
  "metadataOverrides",
  "onProgress",
  "download",
  "signal",
]);

/** The engine's limits. */
const DEVICES_MAX = 16;
const METADATA_TEXT_MAX = 127;
const WORKER_TIMEOUT = 300_000;

/** Checked and complete, as the addon takes it, and what stays in JS. */
export function nativeModelOptions(
  path: string,
  given: LoadModelOptions | undefined,
): {
  signal: AbortSignal | undefined;
  onProgress: LoadModelOptions["onProgress"] | undefined;
  download: FetchOptions;
  native: NativeModelOptions;
} {
  const o = readOptions(given, "options", LOAD_OPTIONS);
  const { devices = [], splitMode = "layer", tensorSplit = [], mainGpu = 0 } = o;
  const { mmap = true, mlock = false, checkTensors = false, vocabOnly = false, mtp = false } = o;
  const { onProgress, signal, workerTimeout = WORKER_TIMEOUT } = o;
  const projector = o.projector === undefined ? "" : filePath(o.projector, "options.projector");
  if (projector !== "" && vocabOnly) {
    throw invalid("`options.projector` needs the model's weights: leave out `vocabOnly`");
  }
  if (onProgress !== undefined) callback(onProgress, "options.onProgress");
  if (signal !== undefined) abortSignal(signal, "options.signal");
  return {
    signal,
    onProgress,
    download: readOptions<FetchOptions>(o.download, "options.download", FETCH_OPTIONS),
    native: {
      path,
      gpuLayers: readGpuLayers(o.gpuLayers),
      devices: readDevices(devices),
      splitMode: oneOf(splitMode, "options.splitMode", ["none", "layer", "tensor"]),
      tensorSplit: limited(
        list(tensorSplit, "options.tensorSplit", "an array of numbers", share),
        "tensorSplit",
      ),
      mainGpu: integer(mainGpu, "options.mainGpu", 0, DEVICES_MAX - 1),
      workerTimeout: integer(workerTimeout, "options.workerTimeout", 1, MAX_INT32),
      mmap: boolean(mmap, "options.mmap"),
      mlock: boolean(mlock, "options.mlock"),
      checkTensors: boolean(checkTensors, "options.checkTensors"),
      vocabOnly: boolean(vocabOnly, "options.vocabOnly"),
      mtp: boolean(mtp, "options.mtp"),
      metadataOverrides: readOverrides(o.metadataOverrides),
      projector,
    },
  };
}

function share(value: unknown, name: string): number {
  return number(value, name, 0, MAX_INT32);
}

function readGpuLayers(value: LoadModelOptions["gpuLayers"]): number {
  if (value === undefined || value === "auto") return -1;
  if (value === "all") return -2;
  return integer(value, 'options.gpuLayers (or "auto", "all")', 0, MAX_INT32);
}

/** A device that is there twice would be given two parts, and llama.cpp knows one of it. */
function readDevices(value: LoadModelOptions["devices"]): string[] {
  const names = limited(
    list(value, "options.devices", "an array of device names", string),
    "devices",
  ).map((device) => (isWorkerUrl(device) ? workerUrl(device, "options.devices") : device));
  if (new Set(names).size === names.length) return names;
  throw expected("each device once", "options.devices", names);
}

function limited<T>(values: T[], option: string): T[] {
  if (values.length <= DEVICES_MAX) return values;
  throw expected(`at most ${DEVICES_MAX} entries`, `options.${option}`, values);
}

function readOverrides(given: unknown): Record<string, string | number | boolean> {
  const name = "options.metadataOverrides";
  const copy: Record<string, string | number | boolean> = {};
  if (given === undefined) return copy;
  if (!isPlainObject(given)) throw expected("a plain object", name, given);
  try {
    for (const [key, value] of Object.entries(given)) {
      overrideText(key, `${name} (key)`);
      if (typeof value === "string")
        copy[key] = overrideText(value, `${name}[${JSON.stringify(key)}]`);
      else if (typeof value === "boolean" || Number.isFinite(value)) copy[key] = value as number;
      else
        throw expected(
          "a string, a finite number or a boolean",
          `${name}[${JSON.stringify(key)}]`,
          value,
        );
    }
  } catch (error) {
    throw unreadable(error, name, given);
  }
  return copy;
}

/** The engine keeps keys and values in fixed fields of 128 bytes. */
function overrideText(value: string, name: string): string {
  const bytes = Buffer.byteLength(value);
  if (
    bytes <= METADATA_TEXT_MAX &&
    !value.includes("\0") &&
    (value !== "" || !name.endsWith("(key)"))
  ) {
    return value;
  }
  throw expected(`text of at most ${METADATA_TEXT_MAX} bytes`, name, value);
}
