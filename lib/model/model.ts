import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Context, createContext } from "../context/context.js";
import type { ContextOptions } from "../context/context-options.js";
import { downloadModel } from "../hub/download-model.js";
import { abortReason, throwIfAborted, watchSignal } from "../internal/abort.js";
import { filePath } from "../internal/checks.js";
import { engine } from "../internal/engine-loader.js";
import { CriaError, fromNative, show } from "../internal/errors.js";
import type { NativeModel } from "../internal/native.js";
import { LoadedModel, MODEL_KEY } from "./loaded-model.js";
import { type LoadLoraOptions, type LoraAdapter, loadLora } from "./lora-adapter.js";
import { type LoadModelOptions, nativeModelOptions } from "./model-options.js";

/**
 * The weights and the vocabulary of one GGUF file, shared by all its contexts.
 *
 * @example
 * await using model = await Model.load("models/cria-demo.gguf");
 * await using context = await model.createContext({ sequences: 4 });
 */
export class Model extends LoadedModel {
  /**
   * Loads a model off the JS thread.
   *
   * @param path a GGUF file, of a split model the first part; or a reference as `downloadModel` takes it, such as
   * "hf:user/repo:Q4_K_M", which is fetched first unless it is in the cache
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_INVALID,
   * ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED, ERR_WORKER_UNREACHABLE, ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU; of
   * references ERR_DOWNLOAD_FAILED, ERR_DOWNLOAD_DENIED, ERR_DOWNLOAD_CHANGED, ERR_DOWNLOAD_DAMAGED, ERR_DISK_FULL;
   * the signal's reason; what `onProgress` threw
   */
  static async load(path: string, options?: LoadModelOptions): Promise<Model> {
    const given = filePath(path, "path");
    const read = nativeModelOptions(given, options);
    const { signal, onProgress } = read;
    const { addon } = engine();
    throwIfAborted(signal);
    const fetched = async (reference: string) => {
      const options = { ...read.download, ...(signal && { signal }) };
      const found = resolve(await downloadModel(reference, options));
      await checkFile(found);
      return found;
    };
    const file = await fetched(given);
    const projector = read.native.projector && (await fetched(read.native.projector));
    const checked = { ...read.native, path: file, projector };
    throwIfAborted(signal);
    const native = new addon.Model();
    const stop = new LoadStop(native);
    const unwatch = signal && watchSignal(signal, () => stop.because(abortReason(signal)));
    const report = onProgress && reporter(onProgress, (error) => stop.because(error));
    try {
      const info = await native.load(checked, report ?? null);
      report?.(1);
      stop.check();
      return new Model(MODEL_KEY, { path, native, info, options: checked });
    } catch (error) {
      await native.close();
      stop.check();
      throw CriaError.is(error) ? error : fromNative(error);
    } finally {
      unwatch?.();
    }
  }

  /**
   * Makes a context to generate in. The model may have several.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED,
   * ERR_WORKER_UNREACHABLE; the signal's reason
   */
  async createContext(options?: ContextOptions): Promise<Context> {
    return createContext(this, options);
  }

  /**
   * Loads a LoRA adapter (a GGUF file, as llama.cpp's convert_lora_to_gguf.py writes it) off the JS thread, for any of
   * the model's contexts. While llama.cpp reads it, evaluations of the model wait.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED, ERR_MODEL_INVALID (no such file, no adapter, or another
   * model's), ERR_UNSUPPORTED, ERR_OUT_OF_MEMORY; the signal's reason
   */
  async loadLora(path: string, options?: LoadLoraOptions): Promise<LoraAdapter> {
    return loadLora(this, path, options);
  }
}

/** A load that the user's side stops: the handle is closed, and the load rejects with this reason. */
class LoadStop {
  readonly #native: NativeModel;
  #reason: { readonly error: unknown } | undefined;

  constructor(native: NativeModel) {
    this.#native = native;
  }

  because(error: unknown): void {
    this.#reason ??= { error };
    void this.#native.close();
  }

  check(): void {
    if (this.#reason !== undefined) throw this.#reason.error;
  }
}

/** Rising fractions only, and nothing after an error of the callback's. */
function reporter(
  onProgress: (fraction: number) => void,
  onError: (error: unknown) => void,
): (fraction: number) => void {
  let last = -1;
  return (fraction) => {
    if (fraction <= last) return;
    last = fraction;
    try {
      onProgress(fraction);
    } catch (error) {
      last = Number.POSITIVE_INFINITY;
      onError(error);
    }
  };
}

async function checkFile(path: string): Promise<void> {
  const problem = await fileProblem(path);
  if (problem === undefined) return;
  throw new CriaError(
    "ERR_MODEL_NOT_FOUND",
    `Expected a readable GGUF file at ${show(path)}: ${problem}`,
    {
      details: { path },
    },
  );
}

async function fileProblem(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return "it is a directory";
    if (!found.isFile()) return "it is not a regular file";
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "there is no such file";
    if (code === "EACCES" || code === "EPERM") return "it may not be read";
    return (error as Error).message;
  }
}
