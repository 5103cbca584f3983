import { setImmediate } from "node:timers/promises";
import { abortReason } from "./abort.js";

/** Work that can be interrupted wherever it yields. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** How long a turn of it may be, in ms: what is beside it in the event loop has to have its own. */
const TURN = 4;

/** All of it, in this turn of the event loop. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * All of it, in as many turns of the event loop as it takes, and nothing more once the signal aborts.
 *
 * @throws the signal's reason
 */
export async function inTurns<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const end = performance.now() + TURN;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (performance.now() < end);
    await setImmediate();
    if (signal?.aborted) throw abortReason(signal);
  }
}
