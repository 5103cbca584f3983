// How late the JS thread's timers are.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const resolution = 1;

/** 99th percentile and maximum, in milliseconds, of the delay while `action` runs. */
export async function watchEventLoop(action) {
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  // A timer that started before the action and fires within it shows how the action begins.
  await sleep(20);
  histogram.reset();
  await action();
  await sleep(5);
  histogram.disable();
  // What is recorded are the intervals between two timers, the asked one included.
  const delay = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution);
  return { p99: delay(histogram.percentile(99)), max: delay(histogram.max) };
}
