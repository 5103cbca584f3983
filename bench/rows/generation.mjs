// One generation, one prompt, many sequences of equal length: beside llama.cpp's own benchmarks.

import { cria, perSecond } from "../sides.mjs";
import { llamaBatchedBench, llamaBench } from "../upstream.mjs";

const amount = (tokens, quick) => (quick ? tokens / 4 : tokens);

/** Both sides decode one token at a time, `tokens` times, from an empty context. */
function decode({ model, tokens, atLeast, repetitions }) {
  return {
    name: `decode-${model}`,
    title: `one generation of ${tokens} tokens`,
    model,
    reference: "llama-bench",
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
    repetitions,
    a: async ({ model, settings, repetitions, quick }) => {
      const generate = amount(tokens, quick);
      const work = { prompt: 0, generate, repetitions };
      return (await llamaBench(model, settings, work)).map(perSecond(generate));
    },
    // A prompt of one token: evaluating it gives the first token, so that 128 tokens take 128
    // evaluations, as on the other side.
    b: async ({ model, settings, repetitions, quick }) => {
      const generate = amount(tokens, quick);
      const work = { work: "generate", sequences: 1, prompt: 1, contextSize: 256 };
      const asked = { ...work, tokens: generate, model, settings, repetitions };
      return (await cria(asked)).map(perSecond(generate));
    },
  };
}

/** As in a long conversation: what follows a prompt's first token. */
function decodeBehind({ model, behind, tokens, atLeast }) {
  return {
    name: `decode-${model}-behind`,
    title: `${tokens} tokens behind ${behind.toLocaleString("en")}`,
    model,
    reference: "llama-bench",
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
    repetitions: 1,
    a: async ({ model, settings, repetitions, quick }) => {
      const generate = amount(tokens, quick);
      const work = { prompt: 0, generate, behind, repetitions };
      return (await llamaBench(model, settings, work)).map(perSecond(generate));
    },
    b: async ({ model, settings, repetitions, quick }) => {
      const work = { work: "continuation", prompt: behind, contextSize: behind + 256 };
      const asked = { ...work, tokens: amount(tokens, quick), model, settings, repetitions };
      return (await cria(asked)).map(perSecond(asked.tokens));
    },
  };
}

/** Both sides evaluate a prompt once; cria samples one token and hands it over as well. */
function prefill({ model, tokens, atLeast, repetitions }) {
  return {
    name: `prefill-${model}`,
    title: `a prompt of ${tokens} tokens`,
    model,
    reference: "llama-bench",
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
    repetitions,
    a: async ({ model, settings, repetitions }) => {
      const work = { prompt: tokens, generate: 0, repetitions };
      return (await llamaBench(model, settings, work)).map(perSecond(tokens));
    },
    b: async ({ model, settings, repetitions }) => {
      const contextSize = tokens + 256;
      const work = { work: "generate", sequences: 1, prompt: tokens, tokens: 1, contextSize };
      return (await cria({ ...work, model, settings, repetitions })).map(perSecond(tokens));
    },
  };
}

/** Prompts and generations of several sequences together, from the first call to the last token. */
function batch({ model, sequences, prompt, tokens, atLeast, repetitions }) {
  const all = sequences * (prompt + tokens);
  const contextSize = Math.ceil((prompt + tokens + 1) / 256) * 256;
  return {
    name: model === "90m" ? `batch-${sequences}` : `batch-${sequences}-${model}`,
    title: `${sequences} at once, ${prompt} + ${tokens} tokens each, whole`,
    model,
    reference: "llama-batched-bench",
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
    repetitions,
    a: async ({ model, settings, repetitions }) => {
      const work = { sequences, prompt, generate: tokens, contextSize, repetitions };
      return (await llamaBatchedBench(model, settings, work)).map(perSecond(all));
    },
    // The prompt's evaluation gives a token, too: one more than `tokens` needs `tokens` steps.
    b: async ({ model, settings, repetitions }) => {
      const work = { work: "generate", sequences, prompt, tokens: tokens + 1, contextSize };
      return (await cria({ ...work, model, settings, repetitions })).map(perSecond(all));
    },
  };
}

export const decodes = [
  decode({ model: "1b", tokens: 128, atLeast: 0.98, repetitions: 1 }),
  decode({ model: "90m", tokens: 128, atLeast: 0.95 }),
  decodeBehind({ model: "1b", behind: 2000, tokens: 64, atLeast: 0.98 }),
  decodeBehind({ model: "90m", behind: 2000, tokens: 64, atLeast: 0.95 }),
];

export const prefills = [
  prefill({ model: "1b", tokens: 512, atLeast: 0.97, repetitions: 1 }),
  prefill({ model: "90m", tokens: 512, atLeast: 0.97 }),
];

const lengths = { prompt: 128, tokens: 64, atLeast: 0.97 };

export const batches = [
  ...[8, 16, 32].map((sequences) => batch({ model: "90m", sequences, ...lengths })),
  ...[8, 16].map((sequences) => batch({ model: "1b", sequences, ...lengths, repetitions: 1 })),
];
