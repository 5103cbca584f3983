// Generates in a worker thread, with a model and a log handler of its own.
import { parentPort, workerData } from "node:worker_threads";
import { Model, Sampler, setLogHandler } from "../../dist/index.js";

let lines = 0;
setLogHandler(() => lines++);
const model = await Model.load(process.env.CRIA_TEST_MODEL);
const context = await model.createContext({ contextSize: 128, sequences: 2 });
const sampler = Sampler.greedy();
const results = await Promise.all(
  workerData.map((prompt) => context.generate(prompt, { sampler, maxTokens: 24 }).result()),
);
parentPort.postMessage({ texts: results.map(({ text }) => text), lines });
await model.dispose();
