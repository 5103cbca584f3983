// Terminates workers in the middle of their work, or has them exit; the process and other workers must not feel it.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { endlessSampler, Model, path, pause, rounds, smallBatches } from "./setup.mjs";

const model = await Model.load(path);
const context = await model.createContext(smallBatches);
const options = { sampler: endlessSampler(model), maxTokens: 8 };
const expected = (await context.generate("The", options).result()).text;

for (let round = 0; round < rounds; round++) {
  const workerData = ["load", "prefill", "decode"][round % 3];
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData });
  await once(worker, "message");
  await pause(round);
  const over = once(worker, "exit");
  if (round % 2) worker.postMessage("exit");
  else worker.terminate();
  await over;
  const { text } = await context.generate("The", options).result();
  if (text !== expected) throw new Error(`round ${round}: ${text}`);
}
await model.dispose();
