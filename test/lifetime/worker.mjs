// A worker thread that never stops by itself: workerData says what it is busy with.
import { parentPort, workerData } from "node:worker_threads";
import { endlessSampler, longPrompt, Model, path, smallBatches } from "./setup.mjs";

parentPort.once("message", () => process.exit(0));
const started = () => parentPort.postMessage("started");

async function load() {
  started();
  for (;;) await (await Model.load(path)).dispose();
}

async function generate(phase) {
  const model = await Model.load(path);
  const context = await model.createContext({ ...smallBatches, sequences: 2 });
  const sampler = endlessSampler(model);
  for (let first = true; ; first = false) {
    if (first) started();
    const prompts =
      phase === "prefill" ? [longPrompt(model), longPrompt(model)] : ["The", "A", "Once"];
    const maxTokens = phase === "prefill" ? 1 : 400;
    const generations = prompts.map((prompt) => context.generate(prompt, { sampler, maxTokens }));
    for await (const _ of generations[0]);
    await Promise.all(generations.map((generation) => generation.result()));
  }
}

await (workerData === "load" ? load() : generate(workerData));
