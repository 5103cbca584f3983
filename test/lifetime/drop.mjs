// Drops models, contexts and generations without dispose: everything must be collected in the end.
import { endlessSampler, longPrompt, Model, path, pause, rounds, smallBatches } from "./setup.mjs";

const alive = new Set();
const registry = new FinalizationRegistry((name) => alive.delete(name));
function track(object, name) {
  alive.add(name);
  registry.register(object, name);
  return object;
}

async function drop(round) {
  const model = track(await Model.load(path), `model ${round}`);
  const context = track(await model.createContext(smallBatches), `context ${round}`);
  track(await model.createContext(smallBatches), `idle context ${round}`);
  const options = { sampler: endlessSampler(model), maxTokens: 4 };
  const { signal } = new AbortController();
  track(context.generate("The", { ...options, signal }), `generation ${round}`);
  for await (const _ of context.generate("A", options)) break;
  if (round % 2) await context.generate("The", options).result();
  else context.generate(longPrompt(model), options); // still pending when it is dropped
}

const keptModel = await Model.load(path);
for (let round = 0; round < rounds; round++) {
  await drop(round);
  track(await keptModel.createContext(smallBatches), `context of a kept model ${round}`);
  await pause(round);
  globalThis.gc();
}
// Until the deadline of the one that started this.
while (alive.size > 0) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  globalThis.gc();
}
if (keptModel.disposed) throw new Error("unreachable: keeps the model alive");
