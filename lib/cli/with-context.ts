import type { Context } from "../context/context.js";
import type { ContextOptions } from "../context/context-options.js";
import { given } from "../internal/given.js";
import type { Model } from "../model/model.js";
import type { ContextFlags } from "./flags.js";
import {
  checkSpeculation,
  mtpOf,
  type SpeculationFlags,
  speculationOf,
} from "./speculation-flags.js";
import { DownloadView } from "./terminal/download-view.js";
import { interruptible } from "./terminal/interrupt.js";
import type { Terminal } from "./terminal/terminal.js";

/** Loads a model, which is fetched first if need be, and shows how far it is. */
export async function loadModel(
  path: string,
  flags: ContextFlags & SpeculationFlags,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<Model> {
  const { Model } = await import("../model/model.js");
  const { gpuLayers, device: devices, projector } = flags;
  const onProgress = (fraction: number) => terminal.progress("loading", fraction);
  const download = { onProgress: new DownloadView(terminal).show };
  const options = { ...given({ gpuLayers, devices, projector }), ...mtpOf(flags) };
  return Model.load(path, { ...options, download, onProgress, signal });
}

/** The flags that also hold for a guard or a draft: those of the machine. A projector, for one, is of one model. */
export function flagsBeside({ threads, gpuLayers, device }: ContextFlags): ContextFlags {
  return given({ threads, gpuLayers, device });
}

/** What commands say of their context, beyond what its flags do. */
type OwnContextOptions = Pick<ContextOptions, "sequences" | "embeddings" | "pooling">;

/**
 * Loads the model, and the draft's where there is one, shows how far it is, hands a context to `use`, and
 * frees all whatever happens. Ctrl-C while loading ends the load; afterwards `use` decides what it does.
 */
export async function withContext<T>(
  path: string,
  flags: ContextFlags & SpeculationFlags & OwnContextOptions,
  terminal: Terminal,
  use: (context: Context) => Promise<T>,
): Promise<T> {
  checkSpeculation(flags);
  const { contextSize, threads, sequences, embeddings, pooling } = flags;
  const models: Model[] = [];
  const load = async (file: string, flagsOfIt: ContextFlags, signal: AbortSignal) => {
    const model = await loadModel(file, flagsOfIt, { terminal, signal });
    models.push(model);
    return model;
  };
  try {
    const context = await interruptible(async (signal) => {
      const model = await load(path, flags, signal);
      const { draftModel } = flags;
      const draft =
        draftModel === undefined ? undefined : await load(draftModel, flagsBeside(flags), signal);
      const speculation = speculationOf(flags, draft);
      const options = { contextSize, threads, sequences, embeddings, pooling, speculation };
      return model.createContext({ ...given(options), signal });
    }).finally(() => terminal.clearProgress());
    return await use(context);
  } finally {
    // The model first: disposing a draft closes contexts that it guesses for.
    for (const model of models) await model.dispose();
  }
}
