// Embeddings that are dropped, disposed or exited from in the middle of anything.
import { longPrompt, Model, path, pause, rounds } from "./setup.mjs";

const exiting = process.argv[3] === "exit";
const alive = new Set();
const registry = new FinalizationRegistry((name) => alive.delete(name));
const model = await Model.load(path);
const long = model.detokenize(longPrompt(model));

function* texts() {
  for (;;) yield* ["The", long, "a llama"];
}

async function round(i) {
  const context = await model.createContext({ embeddings: true, microBatchSize: 16, threads: 2 });
  alive.add(i);
  registry.register(context, i);
  const controller = new AbortController();
  const many = context.embedMany(texts());
  const work = [
    context.embed([long, "The", long], { signal: controller.signal }),
    context.embed("The"),
    many.next(),
  ];
  for (const one of work) one.catch(() => {}); // disposed, or aborted
  await pause(i);
  if (exiting) process.exit(0);
  if (i % 4 === 0) await context.dispose();
  if (i % 4 === 1) await Promise.all([context.dispose(), many.return()]);
  if (i % 4 === 2) controller.abort("aborted");
  await many.return(); // the rest is dropped
  const ends = await Promise.allSettled(work);
  for (const { status, reason } of ends) {
    if (status === "fulfilled" || reason === "aborted") continue;
    if (reason?.code !== "ERR_DISPOSED") throw reason;
  }
}

for (let i = Number(exiting && rounds); i < rounds + Number(exiting); i++) {
  await round(i);
  globalThis.gc();
}
// Until the deadline of the one that started this.
while (alive.size > 0) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  globalThis.gc();
}
await model.dispose();
