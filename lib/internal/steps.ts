import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "./abort.js";

/** Work that can be interrupted wherever it yields. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** How long one turn may take, in ms, so that other work in the event loop gets its turn. */
const TURN = 4;

/** Runs all steps in this turn of the event loop. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Runs all steps in as many turns of the event loop as they take, or until the signal aborts.
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
    throwIfAborted(signal);
  }
}
