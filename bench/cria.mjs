// The cria side of one measurement, in a process of its own:
//
//   node bench/cria.mjs '{"work":"generate","model":"…","settings":{…},…}'   → one line of JSON
//
// `generate` times whole generations, `generate-delay` and `load-delay` tell how late the event
// loop is meanwhile.

import { performance } from "node:perf_hooks";
import { Model, Sampler } from "../dist/index.js";
import { watchEventLoop } from "./event-loop.mjs";

/** As llama.cpp's programs do it: random ids behind a BOS; the same ones in every run. */
function promptMaker(model) {
  let state = 1;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  const ordinary = Math.min(model.vocabularySize, 128_000);
  return (length) => {
    const tokens = Int32Array.from({ length }, () => draw() % ordinary);
    if (model.specialTokens.bos !== null) tokens[0] = model.specialTokens.bos;
    return tokens;
  };
}

async function consume(generation, expected) {
  let count = 0;
  for await (const chunk of generation) count += chunk.tokens.length;
  const { stopReason } = await generation.result();
  if (count !== expected || stopReason !== "max-tokens") {
    throw new Error(`${count} of ${expected} tokens came, then ${stopReason}.`);
  }
}

/** Milliseconds from before the first `generate()` until every generation is through. */
async function timeTogether(context, prompts, tokens) {
  const options = { sampler: Sampler.greedy(), maxTokens: tokens };
  const start = performance.now();
  await Promise.all(prompts.map((prompt) => consume(context.generate(prompt, options), tokens)));
  return performance.now() - start;
}

function createContext(model, { settings, sequences, contextSize }) {
  return model.createContext({
    contextSize,
    sequences,
    threads: settings.threads,
    batchThreads: settings.threads,
    flashAttention: settings.flashAttention,
    cacheType: settings.cacheType,
    cacheLayout: settings.cacheLayout,
    batchSize: settings.batchSize,
    microBatchSize: settings.microBatchSize,
  });
}

/** A model and a context on it for as long as `use` runs, warmed up. */
async function withContext(work, use) {
  const model = await Model.load(work.model);
  try {
    const context = await createContext(model, work);
    const makePrompt = promptMaker(model);
    const run = () => {
      const prompts = Array.from({ length: work.sequences }, () => makePrompt(work.prompt));
      return timeTogether(context, prompts, work.tokens);
    };
    await run();
    return await use(run);
  } finally {
    await model.dispose();
  }
}

async function generate(work) {
  return withContext(work, async (run) => {
    const milliseconds = [];
    for (let i = 0; i < work.repetitions; ++i) milliseconds.push(await run());
    return milliseconds;
  });
}

async function generateDelay(work) {
  return withContext(work, (run) =>
    watchEventLoop(async () => {
      for (let i = 0; i < work.repetitions; ++i) await run();
    }),
  );
}

async function loadDelay(work) {
  return watchEventLoop(async () => {
    const model = await Model.load(work.model);
    await createContext(model, work);
    await model.dispose();
  });
}

const works = { generate, "generate-delay": generateDelay, "load-delay": loadDelay };
const work = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await works[work.work](work)));
