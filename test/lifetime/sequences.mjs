// Sequences, scores and batches that are dropped, disposed or exited from in the middle of anything.
import { endlessSampler, longPrompt, Model, path, pause, rounds, smallBatches } from "./setup.mjs";

const exiting = process.argv[3] === "exit";
const alive = new Set();
const registry = new FinalizationRegistry((name) => alive.delete(name));
const model = await Model.load(path);
const sampler = endlessSampler(model);
const long = longPrompt(model);

function* requests() {
  for (;;) yield { prompt: "The", maxTokens: 20, sampler };
}

/** Under way, with ends that nobody waits for. */
async function start(context) {
  const sequence = await context.createSequence();
  const forked = await sequence.fork();
  const batch = context.generateMany(requests());
  const work = [
    sequence.evaluate(long),
    forked.evaluate("The").then(() => forked.sample(sampler)),
    context.score(long, [1]),
    batch.next(),
  ];
  for (const one of work) one.catch(() => {}); // disposed, or aborted
  return { sequence, forked, batch, work };
}

async function round(i) {
  const context = await model.createContext({ ...smallBatches, sequences: 3 });
  alive.add(i);
  registry.register(context, i);
  const { sequence, forked, batch, work } = await start(context);
  await pause(i);
  if (exiting) process.exit(0);
  if (i % 4 === 0) await context.dispose();
  if (i % 4 === 1) await Promise.all([sequence.dispose(), forked.dispose(), batch.return()]);
  if (i % 4 === 2) await Promise.all([forked.dispose(), context.dispose(), batch.return()]);
  if (i % 4 === 3) await batch.return(); // the rest is dropped
  const ends = await Promise.allSettled(work);
  for (const { status, reason } of ends) {
    if (status === "rejected" && reason?.code !== "ERR_DISPOSED") throw reason;
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
