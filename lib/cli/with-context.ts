import type { Context } from "../context/context.js";
import { given } from "../internal/given.js";
import { Model } from "../model/model.js";
import type { ContextFlags } from "./flags.js";
import { interruptible } from "./terminal/interrupt.js";
import type { Terminal } from "./terminal/terminal.js";

/** Loads a model and shows how far it is. */
export function loadModel(
  path: string,
  { gpuLayers, projector }: ContextFlags,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<Model> {
  const onProgress = (fraction: number) => terminal.progress("loading", fraction);
  return Model.load(path, { ...given({ gpuLayers, projector }), onProgress, signal });
}

/**
 * Loads the model, shows how far it is, hands a context to `use`, and frees both whatever happens.
 * Ctrl-C while loading ends the load; afterwards `use` decides what it does.
 */
export async function withContext<T>(
  path: string,
  flags: ContextFlags & { sequences?: number },
  terminal: Terminal,
  use: (context: Context) => Promise<T>,
): Promise<T> {
  const { contextSize, threads, sequences } = flags;
  const { model, context } = await interruptible(async (signal) => {
    const model = await loadModel(path, flags, { terminal, signal });
    try {
      const options = given({ contextSize, threads, sequences });
      const context = await model.createContext({ ...options, signal });
      return { model, context };
    } catch (error) {
      await model.dispose();
      throw error;
    }
  }).finally(() => terminal.clearProgress());
  try {
    return await use(context);
  } finally {
    await model.dispose();
  }
}
