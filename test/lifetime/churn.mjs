// Generations that are cancelled, aborted, left, forked, and whose contexts come and go, by a seeded
// chance; what the process holds must not grow:
//
//   node --expose-gc --max-semi-space-size=1 test/lifetime/churn.mjs [--generations 20000] [--seed 1]
//
// After each tenth it tells what the process holds. Threads and descriptors are the same at the end as
// after the first tenth, or that is an error; RSS is told. V8's room for young objects follows the pace
// of allocation, whatever becomes of the objects: `--max-semi-space-size` keeps it out of the figures.
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { Model, Sampler } from "../../dist/index.js";

const { values } = parseArgs({
  options: {
    generations: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
  },
});
const total = Number(values.generations);
const path =
  process.env.CRIA_TEST_MODEL ?? new URL("../../models/cria-demo.gguf", import.meta.url).pathname;

let state = Number(values.seed) >>> 0;
/** Mulberry32: a whole number below `below`. */
function random(below) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

function held() {
  globalThis.gc?.();
  return {
    threads: readdirSync("/proc/self/task").length,
    descriptors: readdirSync("/proc/self/fd").length,
    rss: Math.round(process.memoryUsage.rss() / 1e6),
  };
}

const WORDS = ["The llama", "Once upon a time", "What is", "A", "import the", "one two three"];
const expected = new Set(["ERR_DISPOSED", "ERR_CONTEXT_FULL", "aborted"]);
let done = 0;

async function one(context) {
  done += 1;
  const prompt = Array.from({ length: 1 + random(20) }, () => WORDS[random(WORDS.length)]).join(
    " ",
  );
  const controller = new AbortController();
  const options = {
    maxTokens: 1 + random(24),
    sampler: new Sampler({ seed: random(1000), temperature: random(3) }),
    signal: controller.signal,
    ...(random(4) === 0 && { logprobs: random(5) }),
  };
  try {
    switch (random(7)) {
      case 0: {
        const generation = context.generate(prompt, options);
        setImmediate(() => generation.cancel());
        await generation.result();
        break;
      }
      case 1: {
        const generation = context.generate(prompt, options);
        setImmediate(() => controller.abort("aborted"));
        await generation.result();
        break;
      }
      case 2:
        for await (const _ of context.generate(prompt, options)) if (random(3) === 0) break;
        break;
      case 3: {
        const sequence = await context.createSequence();
        try {
          await sequence.evaluate(prompt);
          const fork = await sequence.fork().catch(() => undefined);
          await fork?.sample(Sampler.greedy());
          await sequence.trim(1);
          await fork?.dispose();
        } finally {
          await sequence.dispose();
        }
        break;
      }
      case 4:
        await context.score(prompt, [1, 2, 3]);
        break;
      default:
        await context.generate(prompt, options).result();
    }
  } catch (error) {
    if (!expected.has(error?.code ?? error)) throw error;
  }
}

const model = await Model.load(path);
const tenths = [];
while (done < total) {
  const context = await model.createContext({
    sequences: 1 + random(6),
    contextSize: 256,
    threads: 2,
    kvCache: random(2) === 0 ? "per-sequence" : "unified",
  });
  const until = done + 20 + random(100);
  const lane = async () => {
    while (done < until && !context.disposed) await one(context);
  };
  const lanes = Promise.all(Array.from({ length: 1 + random(8) }, lane));
  if (random(5) === 0) {
    lanes.catch(() => {});
    await new Promise(setImmediate);
    await context.dispose();
    await lanes.catch((error) => {
      if (error?.code !== "ERR_DISPOSED") throw error;
    });
  } else {
    await lanes;
    await context.dispose();
  }
  if (done >= (total / 10) * (tenths.length + 1)) tenths.push({ generations: done, ...held() });
}
const [before, after] = [tenths[0], held()];
console.log(JSON.stringify({ seed: Number(values.seed), generations: done, tenths, after }));
// wine closes descriptors of its own now and then: there they may be fewer.
const wine = process.platform === "win32";
const descriptors = wine ? Math.max(after.descriptors, before.descriptors) : after.descriptors;
if (after.threads !== before.threads || descriptors !== before.descriptors) {
  throw new Error("It holds more at the end than at the beginning");
}
await model.dispose();
