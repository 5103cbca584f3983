// The side of @fugood/llama.node, as bench/cria.mjs's work "generate" is that of cria: milliseconds
// of each repetition, one line of JSON.

import { performance } from "node:perf_hooks";
import { loadModel } from "@fugood/llama.node";
import { tokenDrawer } from "../prompts.mjs";

// It takes text, so its prompts are words of one token each, in random order.
const words =
  "time year people way day man thing woman life child world school state family student group " +
  "country problem hand part place case week company system program question work government number";

const { model, settings, ...work } = JSON.parse(process.argv[2]);
const context = await loadModel({
  model,
  n_gpu_layers: 0,
  n_ctx: work.contextSize * work.sequences,
  n_parallel: work.sequences,
  n_batch: settings.batchSize,
  n_ubatch: settings.microBatchSize,
  n_threads: settings.threads,
  flash_attn_type: settings.flashAttention ? "on" : "off",
  cache_type_k: settings.kvCacheType,
  cache_type_v: settings.kvCacheType,
  kv_unified: settings.kvCache === "unified",
});
const parallel = work.sequences > 1;
if (parallel) {
  await context.parallel.enable({ n_parallel: work.sequences, n_batch: settings.batchSize });
}

const dictionary = words.split(" ");
const draw = tokenDrawer(1 << 24);
function makePrompt(length) {
  return Array.from(draw(length), (value) => ` ${dictionary[value % dictionary.length]}`).join("");
}

async function generate(prompt, tokens) {
  const options = { prompt, n_predict: tokens, temperature: 0, ignore_eos: true };
  const result = parallel
    ? await (await context.parallel.completion(options)).promise
    : await context.completion(options);
  // Alone it does not count the token that the prompt gave, and at first its BOS as well.
  const { predicted_n: predicted, prompt_n: evaluated } = result.timings;
  if (predicted < tokens - 1 || evaluated < work.prompt) {
    throw new Error(`${evaluated} + ${predicted} tokens instead of ${work.prompt} + ${tokens}.`);
  }
}

async function run(tokens) {
  const prompts = Array.from({ length: work.sequences }, () => makePrompt(work.prompt));
  const start = performance.now();
  await Promise.all(prompts.map((prompt) => generate(prompt, tokens)));
  return performance.now() - start;
}

await run(2); // a whole repetition would take minutes
const milliseconds = [];
for (let i = 0; i < work.repetitions; ++i) milliseconds.push(await run(work.tokens));
console.log(JSON.stringify(milliseconds));
await context.release();
