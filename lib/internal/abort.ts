import { unreadable } from "./checks.js";

/**
 * Each signal has one listener, however many operations share it: Node prints a leak warning at the eleventh
 * listener of an AbortSignal. The map is weak, so that a dropped signal takes its set along.
 */
const watchers = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `onAbort` once when the signal aborts, unless the returned function was called before. */
export function watchSignal(signal: AbortSignal, onAbort: () => void): () => void {
  const set = watchers.get(signal) ?? listen(signal);
  // A function of its own, so that the same callback may watch twice.
  const watcher = () => onAbort();
  set.add(watcher);
  return () => {
    set.delete(watcher);
    if (set.size === 0 && watchers.get(signal) === set) unlisten(signal);
  };
}

const listeners = new WeakMap<AbortSignal, () => void>();

function listen(signal: AbortSignal): Set<() => void> {
  const set = new Set<() => void>();
  const listener = () => {
    unlisten(signal);
    for (const watcher of set) watcher();
  };
  try {
    signal.addEventListener("abort", listener, { once: true });
  } catch (error) {
    throw unreadable(error, "options.signal", signal); // a signal of somebody's own
  }
  watchers.set(signal, set);
  listeners.set(signal, listener);
  return set;
}

function unlisten(signal: AbortSignal): void {
  const listener = listeners.get(signal);
  watchers.delete(signal);
  listeners.delete(signal);
  if (listener === undefined) return;
  try {
    signal.removeEventListener("abort", listener);
  } catch {
    // The operation is over, and a broken signal must not spoil its result.
  }
}

/**
 * Follows `work`, but rejects with the signal's reason the moment it aborts, once it has called `stop`.
 * Whatever becomes of `work` after that is never an unhandled rejection.
 */
export function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  stop: () => void = () => {},
): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => {
      stop();
      reject(abortReason(signal));
    };
    if (signal.aborted) abort();
    const unwatch = signal.aborted ? () => {} : watchSignal(signal, abort);
    work.then(resolve, reject).finally(unwatch);
  });
}

/** @throws the signal's reason */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/** What an aborted operation rejects with: any value, also null. Polyfills may have none. */
export function abortReason(signal: AbortSignal): unknown {
  const { reason } = signal;
  return reason === undefined
    ? new DOMException("This operation was aborted", "AbortError")
    : reason;
}
