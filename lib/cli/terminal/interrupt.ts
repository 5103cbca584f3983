import { EXIT, Interrupted } from "../report-failure.js";

let current: () => void = () => process.exit(EXIT.interrupted);

/** From here on Ctrl-C ends the program, unless a handler is set. */
export function takeInterrupts(): void {
  process.on("SIGINT", () => current());
}

/** Sends Ctrl-C to `handler` until the returned function is called. */
export function onInterrupt(handler: () => void): () => void {
  const previous = current;
  current = handler;
  return () => {
    current = previous;
  };
}

/** Runs `work` with a signal that Ctrl-C aborts. A second Ctrl-C ends the program at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const release = onInterrupt(() => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new Interrupted());
  });
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
}
