import { abortReason, untilAborted, watchSignal } from "./abort.js";
import { fromNative } from "./errors.js";
import type { NativeModel } from "./native.js";

let last = 0;

/**
 * Work on a thread of the model's. Rejects with the signal's reason the moment it aborts; the thread is
 * told to stop, and needs up to 100 ms for that.
 */
export async function nativeWork<T>(
  native: NativeModel,
  start: (id: number) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal?.aborted) throw abortReason(signal);
  const id = ++last;
  const work = begun(() => start(id));
  const unwatch = signal && watchSignal(signal, () => native.cancelWork(id));
  return untilAborted(work, signal).finally(unwatch);
}

async function begun<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw fromNative(error);
  }
}
