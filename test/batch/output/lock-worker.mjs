// Has an output under way, with an input that never ends, until it is told how to end itself.
import { parentPort, workerData } from "node:worker_threads";
import { Model, runBatch } from "../../../dist/index.js";

const model = await Model.load(workerData.model);
async function* never() {
  yield { prompt: "x", maxTokens: 1 };
  parentPort.postMessage("locked");
  await new Promise(() => {});
}
parentPort.on("message", (how) => {
  if (how === "exit") process.exit(3);
  throw new Error("as asked");
});
const { output } = workerData;
await runBatch(model, { input: never(), output, sequences: 1, context: { contextSize: 64 } });
