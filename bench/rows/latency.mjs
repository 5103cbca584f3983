// How long something waits: the event loop, an abort, the next token of a generation.

import { setTimeout as sleep } from "node:timers/promises";
import { watchEventLoop } from "../event-loop.mjs";
import { cria } from "../sides.mjs";
import { besideLlamaBench } from "../upstream.mjs";

const asLists = (object) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, [value]]));

/** The JS thread while four contexts generate, and that of an idle Node beside four llama-bench. */
function delayGenerating() {
  const contexts = 4;
  const threads = 2;
  const milliseconds = (quick) => (quick ? 1000 : 5000);
  const title = "event loop while four contexts generate";
  return {
    name: "delay-generating",
    model: "90m",
    reference: "idle Node, llama-bench",
    a: async ({ model, settings, quick }) => {
      const work = { count: contexts, generate: 8000 };
      const watch = () => watchEventLoop(() => sleep(milliseconds(quick)));
      return asLists(await besideLlamaBench(model, { ...settings, threads }, work, watch));
    },
    b: async ({ model, settings, quick }) => {
      const work = { contexts, contextSize: 8192, milliseconds: milliseconds(quick) };
      const delay = { work: "generating-delay", ...work, model };
      return asLists(await cria({ ...delay, settings: { ...settings, threads } }));
    },
    figures: [
      {
        name: "delay-generating-p99",
        key: "p99",
        title: `${title}, p99`,
        unit: "ms",
        wanted: { difference: { atMost: 2 } },
      },
      {
        name: "delay-generating-max",
        key: "max",
        title: `${title}, longest`,
        unit: "ms",
        wanted: { difference: { atMost: 10 } },
      },
    ],
  };
}

function delayLoading() {
  return {
    name: "delay-loading",
    title: "event loop while loading, longest",
    model: "90m",
    unit: "ms",
    wanted: { b: { atMost: 20 } },
    b: async ({ model, settings }) => {
      const work = { work: "loading-delay", contextSize: 512, model, settings };
      return [(await cria(work)).max];
    },
  };
}

/** The longest wait of a few attempts counts: what is wanted is a limit. */
function abortPrefill(model) {
  return {
    name: `abort-${model}`,
    model,
    b: async ({ model, settings, quick }) => {
      const amount = quick ? { prompt: 1000, attempts: 2 } : { prompt: 8000, attempts: 4 };
      const work = { work: "abort-prefill", contextSize: 8192, ...amount, model, settings };
      const { rejected, free } = await cria(work);
      return { rejected: [Math.max(...rejected)], free: [Math.max(...free)] };
    },
    figures: [
      {
        name: `abort-${model}`,
        key: "rejected",
        title: "from abort() in a prefill to the rejection",
        unit: "ms",
        wanted: { b: { atMost: 100 } },
      },
      {
        name: `abort-${model}-free`,
        key: "free",
        title: "from abort() in a prefill to another's first token",
        unit: "ms",
      },
    ],
  };
}

/** An answer goes on while a long prompt is evaluated beside it. */
function gap(model) {
  return {
    name: `gap-${model}`,
    model,
    b: async ({ model, settings, quick }) => {
      const work = { work: "gaps", prompt: quick ? 1000 : 8000, contextSize: 8448 };
      const [longest, second] = await cria({ ...work, model, settings });
      return { longest: [longest], second: [second] };
    },
    figures: [
      {
        name: `gap-${model}`,
        key: "longest",
        title: "gap between two tokens beside a prefill, longest",
        unit: "ms",
        wanted: { b: { atMost: 300 } },
      },
      {
        name: `gap-${model}-second`,
        key: "second",
        title: "gap between two tokens beside a prefill, second",
        unit: "ms",
      },
    ],
  };
}

export const latencies = [
  delayGenerating(),
  delayLoading(),
  abortPrefill("90m"),
  abortPrefill("1b"),
  gap("1b"),
];
