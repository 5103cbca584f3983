import {
  type CheckedContextOptions,
  CONTEXT_OPTIONS,
  type ContextOptions,
  nativeContextOptions,
} from "../context/context-options.js";
import {
  type MemoryEstimate,
  memoryEstimate,
  type SizedContext,
  sizeContext,
} from "../context/memory-estimate.js";
import { FETCH_OPTIONS, type FetchOptions } from "../hub/download-model.js";
import { withHeaderFiles } from "../hub/gguf/header-files.js";
import { filePath, readOptions } from "../internal/checks.js";
import { invalid } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { NativeDeviceMemory } from "../internal/native.js";
import { nativeWork } from "../internal/native-work.js";
import { insideOf } from "./loaded-model.js";
import { Model } from "./model.js";
import { LOAD_OPTIONS, type LoadModelOptions } from "./model-options.js";

const OPTIONS = [...new Set([...LOAD_OPTIONS, ...CONTEXT_OPTIONS])];

/**
 * What a model and one context on it would take, on each device, as llama.cpp lays them out. The file's header is
 * read, no weights, also of a model elsewhere: whether it fits is known before it is fetched. That is not asked:
 * compare with `memoryFree`.
 *
 * @example
 * const { perDevice } = await estimateMemory("models/cria-demo.gguf", { contextSize: 4096, sequences: 8 });
 * @param path as `Model.load` takes it
 * @param options what `Model.load` and `createContext` would be given. A `projector` counts, and so
 * does the context of a `draft` model; a LoRA adapter takes its `sizeInBytes` beside that
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_INVALID, ERR_OUT_OF_MEMORY,
 * ERR_UNSUPPORTED, ERR_WORKER_UNREACHABLE, ERR_ENGINE_NOT_FOUND, ERR_UNSUPPORTED_CPU; the signal's reason; what `onProgress` threw
 */
export async function estimateMemory(
  path: string,
  options?: ContextOptions & LoadModelOptions,
): Promise<MemoryEstimate> {
  const all = readOptions<ContextOptions & LoadModelOptions>(options, "options", OPTIONS);
  if (all.vocabOnly !== undefined && all.vocabOnly !== false) {
    throw invalid(
      "`options.vocabOnly` has no meaning here: a model without weights has no contexts",
    );
  }
  const { signal, download } = all;
  const { token, endpoint, revision } = readOptions<FetchOptions>(
    ...([download, "options.download", FETCH_OPTIONS] as const),
  );
  const hub = { ...given({ token, endpoint, revision }), signal };
  const { projector } = all;
  return withHeaderFiles(path, hub, (file) =>
    projector === undefined
      ? estimateFile(file, undefined, all)
      : withHeaderFiles(filePath(projector, "options.projector"), hub, (its) =>
          estimateFile(file, its, all),
        ),
  );
}

async function estimateFile(
  path: string,
  projector: string | undefined,
  all: Partial<ContextOptions & LoadModelOptions>,
): Promise<MemoryEstimate> {
  const { signal } = all;
  const { projector: _, ...load } = picked(all, LOAD_OPTIONS);
  const model = await Model.load(path, { ...load, vocabOnly: true });
  try {
    const { native, info, options: loaded } = insideOf(model);
    const checked = nativeContextOptions(picked(all, CONTEXT_OPTIONS), info);
    const sized = await sizeContext(checked, loaded.mmap ? "mapped" : "read", (context) =>
      nativeWork(native, (id) => native.startMeasure(id, context), signal),
    );
    const beside = {
      projector:
        projector === undefined
          ? []
          : await nativeWork(native, (id) => native.startMeasureProjector(id, projector), signal),
      draft: await draftMemory(checked, sized, all),
    };
    return memoryEstimate(sized, beside);
  } finally {
    await model.dispose();
  }
}

/**
 * Of the context that a draft model gets, as the engine makes it (native/core/engine/context_params.cpp). A head's
 * is not counted: llama.cpp measures none without the context that it reads from.
 */
async function draftMemory(
  { draft, native: { guesser } }: CheckedContextOptions,
  { native }: SizedContext,
  { flashAttention, signal }: Partial<ContextOptions>,
): Promise<readonly NativeDeviceMemory[]> {
  if (draft === undefined || guesser !== "draft") return [];
  const { native: weights, info } = insideOf(draft, "options.speculation.draft");
  const { contextSize, microBatchSize } = native;
  const its = nativeContextOptions(
    {
      contextSize: Math.min(contextSize, info.contextLength),
      batchSize: microBatchSize,
      microBatchSize,
      ...(flashAttention !== undefined && { flashAttention }),
    },
    info,
  );
  const options = { ...its.native, draftedTokens: 1, checkpointMemory: 0 };
  const { devices } = await nativeWork(weights, (id) => weights.startMeasure(id, options), signal);
  return devices;
}

function picked<T extends object, K extends keyof T>(values: T, keys: readonly K[]): Pick<T, K> {
  const chosen: Partial<T> = {};
  for (const key of keys) if (key in values) chosen[key] = values[key];
  return chosen as Pick<T, K>;
}
