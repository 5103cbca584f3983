// Workers come and go, and the main thread never loads the engine: with each, all that used it is gone. What it
// has opened for good (the GPU's driver with its threads) must not be opened again by the next.
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { Worker } from "node:worker_threads";

const rounds = Number(process.argv[2] ?? 1);
const held = [];
for (let round = 0; round <= rounds; round++) {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), {
    workerData: { phase: "decode", events: 1 },
  });
  await once(worker, "message");
  await worker.terminate();
  held.push(readdirSync("/proc/self/task").length);
}
const { sharedObjects } = process.report.getReport();
if (!sharedObjects.some((file) => file.endsWith(".node"))) {
  throw new Error("The engine was unloaded, and with it what it knows of its devices");
}
// Threads that were joined may be listed for another moment.
for (let i = 0; i < 2000 && readdirSync("/proc/self/task").length > held[0]; i++) {
  await new Promise((resolve) => setTimeout(resolve, 1));
}
const left = readdirSync("/proc/self/task").length;
if (left > held[0]) throw new Error(`Threads after each worker: ${held}, in the end ${left}`);
