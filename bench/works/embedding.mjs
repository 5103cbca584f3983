// Texts to vectors, many at a time.

import { readFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { createContext, withModel } from "./support.mjs";

/** The texts of the file that native/embed-loop.cpp reads, from the first call to the last vector. */
export function embed(work) {
  return withModel(work, async (model) => {
    const texts = (await readFile(work.texts, "utf8")).split("\0").slice(0, -1);
    const { sequences, pooling } = work;
    const context = await createContext(model, {
      settings: { ...work.settings, kvCache: undefined },
      sequences,
      contextSize: work.settings.microBatchSize,
      more: { embeddings: true, pooling },
    });
    let tokens = 0;
    const run = async () => {
      tokens = 0;
      for await (const { tokens: count, error } of context.embedMany(texts)) {
        if (error) throw error;
        tokens += count;
      }
    };
    await run();
    const milliseconds = [];
    for (let i = 0; i < work.repetitions; ++i) {
      const start = performance.now();
      await run();
      milliseconds.push(performance.now() - start);
    }
    return { tokens, milliseconds };
  });
}
