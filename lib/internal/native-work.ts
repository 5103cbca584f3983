import { throwIfAborted, untilAborted } from "./abort.js";
import { fromNative } from "./errors.js";
import type { NativeModel } from "./native.js";

/** A call into the addon, whose failure comes out as a `CriaError`. */
export function nativeCall<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

let last = 0;

/**
 * Runs work on a thread of the model's. Rejects with the signal's reason the moment it aborts; the thread is
 * told to stop, and needs up to 100 ms for that.
 */
export async function nativeWork<T>(
  native: NativeModel,
  start: (id: number) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  const id = ++last;
  const work = nativeCall(() => start(id)).catch((error) => {
    throw fromNative(error);
  });
  return untilAborted(work, signal, () => native.cancelWork(id));
}
