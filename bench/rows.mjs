// What is compared. A row gives two sides, each a function that runs one measurement and resolves
// to its repetitions' figures, and says which figure is wanted. README.md defines each in words.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { watchEventLoop } from "./event-loop.mjs";
import { llamaBatchedBench, llamaBench } from "./upstream.mjs";

const run = promisify(execFile);
const criaProgram = fileURLToPath(new URL("cria.mjs", import.meta.url));

async function cria(work) {
  const { stdout } = await run(process.execPath, [criaProgram, JSON.stringify(work)]);
  return JSON.parse(stdout);
}

const perSecond = (tokens) => (milliseconds) => (tokens * 1000) / milliseconds;

/** Both sides decode one token at a time, `tokens` times, from an empty context. */
function decode({ name, model, tokens, atLeast }) {
  return {
    name,
    title: `decode, one generation (tg${tokens})`,
    model,
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
    a: async ({ model, settings, repetitions }) => {
      const work = { prompt: 0, generate: tokens, repetitions };
      return (await llamaBench(model, settings, work)).map(perSecond(tokens));
    },
    // A prompt of one token: evaluating it gives the first token, so that 128 tokens take 128
    // evaluations, as on the other side.
    b: async ({ model, settings, repetitions }) => {
      const work = { work: "generate", sequences: 1, prompt: 1, tokens, contextSize: 256 };
      return (await cria({ ...work, model, settings, repetitions })).map(perSecond(tokens));
    },
  };
}

/** Both sides evaluate a prompt once; cria samples one token and hands it over as well. */
function prefill({ name, model, tokens, atLeast }) {
  return {
    name,
    title: `prefill (pp${tokens})`,
    model,
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
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
function together({ name, model, sequences, prompt, tokens, atLeast }) {
  const all = sequences * (prompt + tokens);
  const contextSize = Math.ceil((prompt + tokens + 1) / 256) * 256;
  return {
    name,
    title: `${sequences} sequences × (${prompt} + ${tokens}), whole`,
    model,
    unit: "tok/s",
    wanted: { ratio: { atLeast } },
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

/** The JS thread beside a generation, and that of an idle Node beside llama-bench. */
function delayGenerating({ name, model, figure, atMost }) {
  return {
    name,
    title: `event loop while generating, ${figure}`,
    model,
    unit: "ms",
    wanted: { b: { atMost } },
    a: async ({ model, settings, repetitions }) => {
      const work = { prompt: 0, generate: 128, repetitions };
      return [(await watchEventLoop(() => llamaBench(model, settings, work)))[figure]];
    },
    b: async ({ model, settings, repetitions }) => {
      const work = { sequences: 1, prompt: 128, tokens: 128, contextSize: 512 };
      const delay = { work: "generate-delay", ...work, model, settings, repetitions };
      return [(await cria(delay))[figure]];
    },
  };
}

function delayLoading({ name, model, atMost }) {
  return {
    name,
    title: "event loop while loading, max",
    model,
    unit: "ms",
    wanted: { b: { atMost } },
    b: async ({ model, settings }) => {
      const work = { work: "load-delay", sequences: 1, contextSize: 512, model, settings };
      return [(await cria(work)).max];
    },
  };
}

const four = { sequences: 4, prompt: 128, tokens: 64 };

export const rows = [
  decode({ name: "decode-90m", model: "90m", tokens: 128, atLeast: 0.85 }),
  prefill({ name: "prefill-90m", model: "90m", tokens: 512, atLeast: 0.85 }),
  together({ name: "four-90m", model: "90m", ...four, atLeast: 0.8 }),
  delayGenerating({ name: "delay-generating-p99", model: "90m", figure: "p99", atMost: 20 }),
  delayGenerating({ name: "delay-generating-max", model: "90m", figure: "max", atMost: 20 }),
  delayLoading({ name: "delay-loading-max", model: "90m", atMost: 20 }),
];
