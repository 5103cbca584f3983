// A worker thread that never stops by itself: workerData says what it is busy with, and how far.
import { parentPort, workerData } from "node:worker_threads";
import { Model, path, smallBatches, underWay } from "./setup.mjs";

parentPort.once("message", () => process.exit(0));
const started = () => parentPort.postMessage("started");

async function load() {
  started();
  for (;;) await (await Model.load(path)).dispose();
}

async function generate({ phase, events }) {
  const model = await Model.load(path);
  const context = await model.createContext({ ...smallBatches, sequences: 2 });
  for (let first = true; ; first = false) {
    const results = await underWay(model, context, phase, events);
    if (first) started();
    await Promise.allSettled(results);
  }
}

await (workerData.phase === "load" ? load() : generate(workerData));
