// One model and one context for the whole server: all requests share its batches.

import { createRequire } from "node:module";
import path from "node:path";
import { type Context, Model } from "cria";

/** The package's own model: tiny, for a first try. MODEL=/path/to/model.gguf takes one of yours. */
function modelFile(): string {
  if (process.env.MODEL) return process.env.MODEL;
  const require = createRequire(path.join(process.cwd(), "package.json"));
  return path.join(path.dirname(require.resolve("cria/package.json")), "models", "cria-demo.gguf");
}

async function open(): Promise<Context> {
  const model = await Model.load(modelFile());
  return model.createContext({ contextSize: 2048, sequences: 4 });
}

// The development server loads this file again after each change; the model stays.
const kept = globalThis as { criaContext?: Promise<Context> | undefined };

/** Loads the model at the first call. A load that failed is tried again by the next one. */
export function getContext(): Promise<Context> {
  kept.criaContext ??= open().catch((error: unknown) => {
    kept.criaContext = undefined;
    throw error;
  });
  return kept.criaContext;
}
