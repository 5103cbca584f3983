// Terminates workers in the middle of their work, or has them exit; the process and other workers must not feel it.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { endlessSampler, Model, path, rounds, smallBatches } from "./setup.mjs";

const model = await Model.load(path);
const context = await model.createContext(smallBatches);
const options = { sampler: endlessSampler(model), maxTokens: 8 };
const expected = (await context.generate("The", options).result()).text;
let slowest = 0;

for (let round = 0; round < rounds; round++) {
  const workerData = { phase: ["load", "prefill", "decode"][round % 3], events: round % 8 };
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData });
  await once(worker, "message");
  const over = once(worker, "exit");
  const begin = performance.now();
  if (round % 2) worker.postMessage("exit");
  else worker.terminate();
  await over;
  slowest = Math.max(slowest, performance.now() - begin);
  const { text } = await context.generate("The", options).result();
  if (text !== expected) throw new Error(`round ${round}: ${text}`);
}
await model.dispose();
process.send?.({ slowest });
