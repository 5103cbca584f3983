// The side of node-llama-cpp, as bench/cria.mjs's work "generate" is that of cria: milliseconds of
// each repetition, one line of JSON.

import { performance } from "node:perf_hooks";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { promptMaker } from "../prompts.mjs";

const { model: modelPath, settings, ...work } = JSON.parse(process.argv[2]);
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: LlamaLogLevel.disabled,
  maxThreads: settings.threads,
});
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({
  sequences: work.sequences,
  contextSize: work.contextSize,
  threads: settings.threads,
  flashAttention: settings.flashAttention,
});
const sequences = Array.from({ length: work.sequences }, () => context.getSequence());
const vocabularySize = model.fileInfo.metadata.llama.vocab_size;
const makePrompt = promptMaker({ vocabularySize, bos: model.tokens.bos });

/**
 * `evaluate` is the leanest way it has: token ids in, token ids out, no text. Where only what follows
 * the first token counts, that comes before the `tokens` and its time is returned.
 */
async function generate(sequence, prompt) {
  let count = 0;
  let start = performance.now();
  const wanted = work.tokens + (work.fromFirst ? 1 : 0);
  const options = { temperature: 0, yieldEogToken: true };
  for await (const _ of sequence.evaluate([...prompt], options)) {
    if (++count === 1 && work.fromFirst) start = performance.now();
    if (count === wanted) break;
  }
  if (count !== wanted) throw new Error(`${count} of ${wanted} tokens came.`);
  return start;
}

async function run() {
  const prompts = sequences.map(() => makePrompt(work.prompt));
  await Promise.all(sequences.map((sequence) => sequence.clearHistory()));
  const starts = await Promise.all(sequences.map((sequence, i) => generate(sequence, prompts[i])));
  return performance.now() - Math.min(...starts);
}

await run();
const milliseconds = [];
for (let i = 0; i < work.repetitions; ++i) milliseconds.push(await run());
console.log(JSON.stringify(milliseconds));
await llama.dispose();
