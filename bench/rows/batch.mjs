// A file of requests with one system message: beside the least that it could cost, and a server.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llamaServer } from "../server.mjs";
import { cria, perSecond } from "../sides.mjs";
import { measureNatively } from "../upstream.mjs";

const sequences = 16;
const contextSize = 512;
const tokens = 32;
/** Words: with the format's own text about 300 tokens. */
const chats = (quick) => ({ count: quick ? 32 : 512, system: 270, own: 16 });
const rate = ({ milliseconds, generated }) => perSecond(generated)(milliseconds);

/** All prompts are there from the first moment, and go in step. */
async function ideal({ model, settings, repetitions, quick }) {
  const { prompts, shared } = await cria({ work: "batch-prompts", model, ...chats(quick) });
  const folder = await mkdtemp(join(tmpdir(), "cria-bench-"));
  try {
    const file = join(folder, "prompts");
    await writeFile(file, `${[shared, ...prompts.map((ids) => ids.join(" "))].join("\n")}\n`);
    const shape = [sequences, tokens, contextSize, settings.threads];
    const batches = [settings.batchSize, settings.microBatchSize];
    const more = [settings.flashAttention ? 1 : 0, settings.kvCacheType];
    const args = [model, file, ...shape, ...batches, ...more].map(String);
    const rates = [];
    for (let i = 0; i < repetitions; ++i)
      rates.push(rate(await measureNatively("batch-loop", args)));
    return rates;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function server({ model, settings, repetitions, quick }) {
  const { prompts } = await cria({ work: "batch-prompts", model, ...chats(quick) });
  const rates = [];
  for (let i = 0; i < repetitions; ++i) {
    const work = { prompts, tokens, slots: sequences, contextSize };
    const milliseconds = await llamaServer(model, settings, work);
    rates.push(perSecond(prompts.length * tokens)(milliseconds));
  }
  return rates;
}

async function runBatch({ model, settings, repetitions, quick }) {
  const work = { work: "batch", sequences, contextSize, tokens, ...chats(quick) };
  return (await cria({ ...work, model, settings, repetitions })).map(rate);
}

function batch(name, reference, a, atLeast) {
  return {
    name,
    title: "a file of 512 chats, 300 tokens in common, 32 new tokens each",
    model: "90m",
    reference,
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
    repetitions: 1,
    a,
    b: runBatch,
  };
}

export const batchFiles = [
  batch("batch-file", "a loop over llama.h", ideal, 0.95),
  batch("batch-file-server", "llama-server", server, 1.6),
];
