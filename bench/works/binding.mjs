// What the way between JavaScript and the engine costs: time per token, memory per generation.

import { performance } from "node:perf_hooks";
import { inFlight } from "../prompts.mjs";
import { createContext, greedy, promptMakerOf, withModel } from "./support.mjs";

/** The same as native/decode-loop.cpp: greedy from a BOS until the model ends it, on one thread. */
export function perToken(work) {
  return withModel(work, async (model) => {
    const settings = { ...work.settings, threads: 1, batchSize: 512, microBatchSize: 512 };
    const context = await createContext(model, { settings, contextSize: 512 });
    const run = async () => {
      const options = { sampler: greedy, maxTokens: work.tokensMax };
      const generation = context.generate([model.specialTokens.bos], options);
      for await (const chunk of generation) if (chunk.text === undefined) return 0;
      return (await generation.result()).usage.completionTokens;
    };
    const tokens = await run();
    const milliseconds = [];
    for (let i = 0; i < work.repetitions; ++i) {
      const start = performance.now();
      await run();
      milliseconds.push(performance.now() - start);
    }
    return { tokens, milliseconds };
  });
}

/** Growth of the resident set, in MB, over `counted` short generations after `uncounted` ones. */
export function residentSet(work) {
  return withModel(work, async (model) => {
    const settings = { ...work.settings, threads: 1 };
    const context = await createContext(model, { settings, sequences: 4, contextSize: 64 });
    const makePrompt = promptMakerOf(model);
    const run = async (count) => {
      const requests = Array(count).fill({ sampler: greedy, maxTokens: 4 });
      await inFlight(8, requests, async (options) => {
        for await (const chunk of context.generate(makePrompt(8), options)) {
          if (chunk.tokens.length === 0) throw new Error("A chunk without tokens.");
        }
      });
    };
    await run(work.uncounted);
    const before = residentMegabytes();
    await run(work.counted);
    return residentMegabytes() - before;
  });
}

/** Without what JavaScript has yet to collect, which grows and shrinks by itself. */
function residentMegabytes() {
  for (let i = 0; i < 3; ++i) globalThis.gc();
  return process.memoryUsage.rss() / 1e6;
}
