// cria in a worker thread, terminated in the middle of a generation: node examples/worker.mjs
// The main thread needs no worker for speed (cria computes on threads of its own anyway); one helps
// where a whole job has to be stoppable from outside.

import { on } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Model } from "cria";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  let pieces = 0;
  for await (const [text] of on(worker, "message")) {
    process.stdout.write(text);
    pieces += 1;
    if (pieces === 20) break;
  }
  await worker.terminate();
  console.log("\nThe worker is gone, its model and threads with it; this process goes on.");
} else {
  const path = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
  const model = await Model.load(path);
  const context = await model.createContext();
  // Endlessly, so that there is something to terminate.
  for (;;) {
    for await (const { text } of context.generate("Once upon a time")) {
      parentPort.postMessage(text);
    }
  }
}
