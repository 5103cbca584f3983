// An answer that repeats a part of its prompt, with changes.

import { performance } from "node:perf_hooks";
import { createContext, greedy, withModel } from "./support.mjs";

/** The model of the row goes on with the next id: the source is what it will say, with some ids that are wrong. */
function source({ first, tokens, every }) {
  return Array.from(
    { length: tokens },
    (_, at) => first + at + (at % every === every - 1 ? 50_000 : 0),
  );
}

/** Milliseconds of the answer behind its first token. */
export function edit(work) {
  return withModel(work, async (model) => {
    const { tokens, speculation } = work;
    const contextSize = 2 * tokens + 256;
    const context = await createContext(model, { ...work, contextSize, more: { speculation } });
    const milliseconds = [];
    for (let i = 0; i <= work.repetitions; ++i) {
      const first = 1000 * (i + 1);
      const prompt = Int32Array.from([...source({ ...work, first }), first - 1]);
      let [start, count] = [0, 0];
      const generation = context.generate(prompt, { sampler: greedy, maxTokens: tokens + 1 });
      for await (const chunk of generation) {
        start ||= performance.now();
        count += chunk.tokens.length;
        if (chunk.tokens.some((id, at) => id !== first + count - chunk.tokens.length + at))
          throw new Error("The model does not count.");
      }
      milliseconds.push(performance.now() - start);
    }
    return milliseconds.slice(1);
  });
}
