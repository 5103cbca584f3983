// The longest turn of the event loop while a chat does what takes time: eight tools of ten parameters,
// a prompt of 4 MB, a history of 100,000 messages, templates that a hostile file could have.
//
//   node bench/works/event-loop-chat.mjs [model.gguf] [vocabulary of another family.gguf]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ChatSession, engineInfo, Model, renderChatAsync, Sampler } from "../../dist/index.js";

const [path = new URL("../../models/cria-demo.gguf", import.meta.url).pathname, other] =
  process.argv.slice(2);

/** What this thread has had of a processor, in ms; of a busy machine the clock says more. */
function threadTime() {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** A chain of immediates, each of which says how long it had to wait. */
async function longestTurn(work) {
  let last = performance.now();
  let lastOwn = threadTime();
  let longest = 0;
  let longestOwn = 0;
  let turns = 0;
  let running = true;
  const watch = () => {
    const now = performance.now();
    const own = threadTime();
    longest = Math.max(longest, now - last);
    longestOwn = Math.max(longestOwn, own - lastOwn);
    last = now;
    lastOwn = own;
    turns += 1;
    if (running) setImmediate(watch);
  };
  setImmediate(watch);
  const began = performance.now();
  let outcome;
  try {
    outcome = await work();
  } catch (error) {
    outcome = error.code ?? error.message;
  }
  running = false;
  watch();
  return { longest, longestOwn, turns, took: performance.now() - began, outcome };
}

async function row(name, work) {
  const { longest, longestOwn, turns, took, outcome } = await longestTurn(work);
  const figures = [
    longestOwn.toFixed(1).padStart(9),
    longest.toFixed(1).padStart(11),
    took.toFixed(0).padStart(8),
    String(turns).padStart(9),
  ];
  console.log(`${name.padEnd(44)}${figures.join("")}  ${outcome}`);
}

const model = await Model.load(path);
const context = await model.createContext({ contextSize: 16384 });
const greedy = Sampler.greedy();
console.log(`${"".padEnd(44)}  own ms longest ms   all ms    turns`);
await row("nothing", () => new Promise((resolve) => setTimeout(resolve, 500)));

const parameters = Object.fromEntries(
  Array.from({ length: 10 }, (_, at) => [
    `parameter_${at}`,
    { type: at % 3 === 0 ? "integer" : "string", description: `What number ${at} is for.` },
  ]),
);
const tools = Array.from({ length: 8 }, (_, at) => ({
  type: "function",
  function: {
    name: `tool_${at}`,
    description: `Does what number ${at} does.`,
    parameters: { type: "object", properties: parameters, required: Object.keys(parameters) },
  },
}));
const session = new ChatSession(context, { tools, sampler: greedy, maxTokens: 8 });
for (const turn of ["first", "second", "third"]) {
  await row(`8 tools of 10 parameters, the ${turn} turn`, async () => {
    const { stopReason } = await session.send("How is the weather?").result();
    return stopReason;
  });
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
let seed = 1;
const random = () => {
  seed = (seed * 48271) % 2147483647;
  return letters[seed % 64];
};
const base64 = Array.from({ length: 4_000_000 }, random).join("");
await row("a prompt of 4 MB of base64", () => context.generate(base64).result());
await row("the same in a chat", () => new ChatSession(context).send(base64).result());
await row("the same, aborted after 50 ms", () =>
  context.generate(base64, { signal: AbortSignal.timeout(50) }).result(),
);
const ids = new Array(1_000_000).fill(65);
await row("a prompt of 1,000,000 token ids", () => context.generate(ids).result());

const history = Array.from({ length: 100_000 }, (_, at) => ({
  role: at % 2 === 0 ? "user" : "assistant",
  content: `Message ${at}: what do llamas eat, and where do they live?`,
}));
let long;
await row("a session with 100,000 messages", async () => {
  long = new ChatSession(context, { messages: history, sampler: greedy, maxTokens: 8 });
});
for (const turn of ["first", "second"]) {
  await row(`its ${turn} turn`, async () => {
    const { stopReason } = await long.send("And now?").result();
    return stopReason;
  });
}
await row("renderChatAsync of 100,000 messages", async () => {
  const prompt = await renderChatAsync(history, { model });
  return `${prompt.length} segments`;
});
await row("the same by the model's own template", async () => {
  const prompt = await renderChatAsync(history, { model, format: "template" });
  return `${prompt.length} segments`;
});
await row("10,000 messages by the model's own template", async () => {
  const prompt = await renderChatAsync(history.slice(0, 10_000), { model, format: "template" });
  return `${prompt.length} segments`;
});

const HOSTILE = {
  "a text times a number": "{{ 'x' * 20000000 }}",
  "a text that grows":
    "{% set n = namespace(a='xx') %}{% for i in range(60) %}{% set n.a = n.a | replace('x', 'xx') %}{% endfor %}",
  "a wide indent": "{{ 'a\nb' | indent(3000000000) }}",
  "loops in loops":
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
  "a macro that calls itself twice":
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
};
const addon = createRequire(import.meta.url)(engineInfo().path);
const native = new addon.Model();
const options = {
  ...{ path: other ?? path, gpuLayers: 0, devices: [], splitMode: "layer", tensorSplit: [] },
  ...{ mainGpu: 0, mmap: true, mlock: false, checkTensors: false, vocabOnly: true },
  ...{ metadataOverrides: {}, projector: "", workerTimeout: 300_000 },
};
await native.load(options, null);
let id = 0;
for (const [name, template] of Object.entries(HOSTILE)) {
  await row(`hostile: ${name}`, () =>
    native.startRender(++id, {
      ...{ template, messages: '[{"role":"user","content":"hi"}]', tools: "[]", variables: "{}" },
      ...{ addGenerationPrompt: true, now: 0, date: null },
    }),
  );
}
await native.closeWork();
await native.close();
await model.dispose();
