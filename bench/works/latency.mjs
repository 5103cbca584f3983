// How long something waits: the event loop, an abort, the next token.

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Sampler } from "../../dist/index.js";
import { watchEventLoop } from "../event-loop.mjs";
import { createContext, greedy, promptMakerOf, withModel } from "./support.mjs";

/** The event loop that consumes one generation of each of `contexts` contexts. */
export function generatingDelay(work) {
  return withModel(work, async (model) => {
    const makePrompt = promptMakerOf(model);
    const generations = [];
    const running = [];
    const readers = [];
    for (let i = 0; i < work.contexts; ++i) {
      const context = await createContext(model, work);
      const generation = context.generate(makePrompt(1), { sampler: greedy });
      generations.push(generation);
      running.push(new Promise((resolve) => readers.push(read(generation, resolve))));
    }
    await Promise.all(running);
    const delay = await watchEventLoop(() => sleep(work.milliseconds));
    for (const generation of generations) generation.cancel();
    await Promise.all(readers);
    for (const generation of generations) {
      const { stopReason } = await generation.result();
      if (stopReason !== "cancelled") throw new Error(`A generation ended early: ${stopReason}.`);
    }
    return delay;
  });
}

async function read(generation, onFirst) {
  for await (const chunk of generation) if (chunk.tokens.length > 0) onFirst();
}

export function loadingDelay(work) {
  return watchEventLoop(() =>
    withModel(work, async (model) => {
      await createContext(model, work);
    }),
  );
}

/**
 * Aborts the evaluation of a long prompt at several of its points. `rejected`: from abort() to the
 * rejection; `free`: from abort() until another generation has given its first token.
 */
export function abortPrefill(work) {
  return withModel(work, async (model) => {
    const context = await createContext(model, work);
    const makePrompt = promptMakerOf(model);
    const rejected = [];
    const free = [];
    for (let i = 0; i < work.attempts; ++i) {
      // In the first half of the prompt, some milliseconds into a piece of it.
      const from = (work.prompt * (i + 1)) / (2 * work.attempts + 2);
      const { generation, controller } = await startPrefill(context, makePrompt(work.prompt), from);
      await sleep((i * 7) % 20);
      const start = performance.now();
      controller.abort();
      const outcome = await generation.result().then(
        () => "finished",
        () => "rejected",
      );
      rejected.push(performance.now() - start);
      if (outcome !== "rejected") throw new Error("The generation was over before the abort.");
      await context.generate(makePrompt(1), { sampler: greedy, maxTokens: 1 }).result();
      free.push(performance.now() - start);
    }
    return { rejected, free };
  });
}

async function startPrefill(context, prompt, from) {
  const controller = new AbortController();
  let generation;
  await new Promise((resolve) => {
    generation = context.generate(prompt, {
      sampler: greedy,
      maxTokens: 1,
      signal: controller.signal,
      onProgress: (evaluated) => {
        if (evaluated >= from) resolve();
      },
    });
    generation.result().then(resolve, resolve);
  });
  return { generation, controller };
}

/** Milliseconds between the tokens of a generation while a long prompt is evaluated beside it. */
export function gaps(work) {
  return withModel(work, async (model) => {
    const context = await createContext(model, { ...work, sequences: 2 });
    const makePrompt = promptMakerOf(model);
    // Always the same whole word: a token that is but a part of a character waits for the rest.
    const [word] = model.tokenize(" word");
    const sampler = new Sampler({ temperature: 0, logitBias: { [word]: 100 } });
    const times = [];
    let tokens = 0;
    const running = context.generate(makePrompt(32), { sampler });
    const reading = (async () => {
      for await (const chunk of running) {
        times.push(performance.now());
        tokens += chunk.tokens.length;
      }
    })();
    while (tokens < 16) await sleep(5);
    const start = performance.now();
    await context.generate(makePrompt(work.prompt), { sampler, maxTokens: 1 }).result();
    const end = performance.now();
    running.cancel();
    await reading;
    return gapsBetween(times, start, end);
  });
}

/** All that lie in the window for at least a part, the longest first. */
function gapsBetween(times, start, end) {
  const last = times.findLast((time) => time <= start) ?? start;
  const marks = [last, ...times.filter((time) => time > start && time <= end), end];
  return marks
    .slice(1)
    .map((time, i) => time - marks[i])
    .sort((a, b) => b - a);
}
