// Whole generations, alone and many at a time.

import { performance } from "node:perf_hooks";
import { inFlight, promptsWithPrefix } from "../prompts.mjs";
import {
  consume,
  createContext,
  greedy,
  promptMakerOf,
  vocabularyOf,
  withModel,
} from "./support.mjs";

/** Nobody reads what comes: prompts go first. */
const patient = { sampler: greedy, maxPause: Number.POSITIVE_INFINITY };

/** Milliseconds from before the first `generate()` until every generation is through. */
async function timeTogether(context, prompts, tokens) {
  const options = { ...patient, maxTokens: tokens };
  const start = performance.now();
  await Promise.all(prompts.map((prompt) => consume(context.generate(prompt, options), tokens)));
  return performance.now() - start;
}

/** `sequences` generations at once, of other random ids in each repetition, after a warm-up. */
export function generate(work) {
  return withModel(work, async (model) => {
    const context = await createContext(model, work);
    const makePrompt = promptMakerOf(model);
    const run = () => {
      const prompts = Array.from({ length: work.sequences }, () => makePrompt(work.prompt));
      return timeTogether(context, prompts, work.tokens);
    };
    await run();
    const milliseconds = [];
    for (let i = 0; i < work.repetitions; ++i) milliseconds.push(await run());
    return milliseconds;
  });
}

/** Milliseconds of the `tokens` that follow a prompt's first one, after a short warm-up. */
export function continuation(work) {
  return withModel(work, async (model) => {
    const context = await createContext(model, work);
    const makePrompt = promptMakerOf(model);
    await consume(context.generate(makePrompt(16), { sampler: greedy, maxTokens: 16 }), 16);
    const milliseconds = [];
    for (let i = 0; i < work.repetitions; ++i) {
      const options = { sampler: greedy, maxTokens: work.tokens + 1 };
      let [start, count] = [0, 0];
      for await (const { tokens } of context.generate(makePrompt(work.prompt), options)) {
        start ||= performance.now();
        count += tokens.length;
      }
      if (count !== options.maxTokens) throw new Error(`${count} tokens came.`);
      milliseconds.push(performance.now() - start);
    }
    return milliseconds;
  });
}

/**
 * As many requests as there are `lengths`, `inFlight` of them at any time, each time in a new context
 * that has seen one short, unrelated request.
 */
export function serve(work) {
  return withModel(work, async (model) => {
    const runs = [];
    for (let i = 0; i < work.repetitions; ++i) runs.push(await serveOnce(model, work));
    return runs;
  });
}

async function serveOnce(model, work) {
  const { lengths, shared, own } = work;
  const context = await createContext(model, work);
  const prompts = promptsWithPrefix(vocabularyOf(model), { count: lengths.length, shared, own });
  await timeTogether(context, [prompts[0].slice(-1)], 4);
  const requests = lengths.map((tokens, i) => ({ prompt: prompts[i], tokens }));
  let generated = 0;
  let evaluated = 0;
  const start = performance.now();
  await inFlight(work.inFlight, requests, async ({ prompt, tokens }) => {
    const generation = context.generate(prompt, { ...patient, maxTokens: tokens });
    const { usage } = await consume(generation, tokens);
    generated += usage.completionTokens;
    evaluated += usage.promptTokens - usage.cachedTokens;
  });
  const milliseconds = performance.now() - start;
  await context.dispose();
  return { milliseconds, generated, evaluated };
}

/** What the other side needs to make the same prompts. */
export function vocabulary(work) {
  return withModel(work, async (model) => vocabularyOf(model));
}
