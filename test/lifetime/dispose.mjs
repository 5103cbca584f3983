// Disposes and aborts in the middle of loading, creating, prefilling and decoding.
import { Model, path, pause, rounds, smallBatches, underWay } from "./setup.mjs";

/** Of each kind of stop: how often it came in time to stop something. */
const hits = { load: 0, open: 0, prefill: 0, decode: 0 };
let slowest = 0;

async function outcome(promise) {
  return promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
}
const disposed = (error) => error?.code === "ERR_DISPOSED";

async function timed(closing) {
  const begin = performance.now();
  await closing;
  slowest = Math.max(slowest, performance.now() - begin);
}

for (let round = 0; round < rounds; round++) {
  const controller = new AbortController();
  const loading = outcome(Model.load(path, { signal: controller.signal }));
  if (round % 4 === 3) await pause(round); // it may be faster then
  controller.abort("aborted");
  const { value: early, error } = await loading;
  if (early === undefined && error !== "aborted") throw error;
  hits.load += Number(early === undefined);
  await early?.dispose();

  const model = await Model.load(path);
  const opening = outcome(model.createContext(smallBatches));
  if (round % 4 === 3) await pause(round);
  await timed(Promise.all([model.dispose(), model.dispose()]));
  const opened = await opening;
  if (opened.error !== undefined && !disposed(opened.error)) throw opened.error;
  if (opened.value !== undefined && !opened.value.disposed) throw new Error("still open");
  hits.open += Number(opened.error !== undefined);

  for (const phase of ["prefill", "decode"]) {
    const model = await Model.load(path);
    const context = await model.createContext({ ...smallBatches, sequences: 2 });
    const results = await underWay(model, context, phase, round % 8);
    await timed(round % 2 ? model.dispose() : context.dispose());
    const ends = await Promise.all(results.map(outcome));
    for (const { value, error } of ends) {
      if (error !== undefined && !disposed(error)) throw error;
      if (value !== undefined && value.stopReason !== "context-full") throw value;
    }
    hits[phase] += Number(ends.some(({ error }) => error !== undefined));
    await model.dispose();
  }
}
for (const [phase, count] of Object.entries(hits)) {
  if (count < rounds * 0.5) throw new Error(`only ${count} of ${rounds} were stopped in ${phase}`);
}
process.send?.({ hits, slowest });
