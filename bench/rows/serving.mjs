// Requests as a server has them: of many lengths, and with a beginning in common.

import { promptsWithPrefix } from "../prompts.mjs";
import { criaServer, llamaServer } from "../server.mjs";
import { cria, perSecond } from "../sides.mjs";

const sequences = 16;
const rates = (runs) => runs.map((run) => perSecond(run.generated)(run.milliseconds));

/** 16…256, all over the range in any part of the list: 97 and 241 have no divisor in common. */
const spread = (count) => Array.from({ length: count }, (_, i) => 16 + ((i * 97) % 241));

/** A whole number of rounds of 16, so that nothing but the lengths differs: no half-empty round. */
function equalLengths(lengths) {
  const mean = Math.round(lengths.reduce((sum, length) => sum + length) / lengths.length);
  return Array(Math.ceil(lengths.length / sequences) * sequences).fill(mean);
}

/** All are there from the first moment, 16 of them are decoded together. */
function outOfStep() {
  const serve = async ({ model, settings, repetitions }, lengths) => {
    const inFlight = lengths.length;
    const work = { work: "serve", sequences, contextSize: 512, shared: 0, own: 128 };
    return rates(await cria({ ...work, lengths, inFlight, model, settings, repetitions }));
  };
  const lengths = (quick) => spread(quick ? 24 : 200);
  return {
    name: "out-of-step",
    title: "200 requests of 16…256 new tokens, 16 at a time",
    model: "90m",
    reference: "cria, equal lengths",
    unit: "tok/s",
    wanted: { ratio: { atLeast: 0.92 } },
    repetitions: 1,
    a: (environment) => serve(environment, equalLengths(lengths(environment.quick))),
    b: (environment) => serve(environment, lengths(environment.quick)),
  };
}

const question = { shared: 1000, own: 24, tokens: 64, contextSize: 1280 };

/** The same requests over HTTP to either server, in milliseconds. */
async function overHttp(serve, { model, settings, repetitions, quick }) {
  const vocabulary = await cria({ work: "vocabulary", model });
  const { shared, own, tokens, contextSize } = question;
  const count = quick ? sequences : 64;
  const prompts = promptsWithPrefix(vocabulary, { count, shared, own });
  const work = { prompts, tokens, slots: sequences, contextSize };
  const milliseconds = [];
  for (let i = 0; i < repetitions; ++i) milliseconds.push(await serve(model, settings, work));
  return milliseconds.map(perSecond(prompts.length * tokens));
}

/** Over HTTP on llama-server's side; `where` is said of the requests, `b` is ours. */
function sharedRow({ name, kvCache, wanted }, where, b) {
  return {
    name,
    title: `64 requests${where}, ${question.shared.toLocaleString("en")} tokens in common, ${kvCache} KV cache`,
    model: "90m",
    reference: "llama-server",
    unit: "tok/s",
    wanted,
    repetitions: 1,
    a: (environment) => overHttp(llamaServer, environment),
    b: ({ settings, ...rest }) => b({ ...rest, settings: { ...settings, kvCache } }),
  };
}

/** Both sides over HTTP, with the same client: what a program gains that only changes its `baseURL`. */
function serveSharedPrefix(row) {
  return sharedRow(row, " over HTTP", (environment) => overHttp(criaServer, environment));
}

/** Each side is new to the prompts, and has 16 requests in flight at any time. */
function sharedPrefix(row) {
  return sharedRow(row, "", async ({ model, settings, repetitions, quick }) => {
    const { shared, own, tokens, contextSize } = question;
    const lengths = Array(quick ? 16 : 64).fill(tokens);
    const work = { work: "serve", sequences, contextSize, shared, own, inFlight: sequences };
    return rates(await cria({ ...work, lengths, model, settings, repetitions }));
  });
}

/** How much of 32 prompts is evaluated, of which 2,000 tokens are the same. */
function sharedEvaluated(kvCache) {
  const [count, shared, own] = [32, 2000, 8];
  return {
    name: `evaluated-${kvCache}`,
    title: `evaluated of ${count} prompts, ${shared.toLocaleString("en")} tokens in common, ${kvCache} KV cache`,
    model: "90m",
    unit: "tokens",
    wanted: { b: { atMost: shared + count * own } },
    repetitions: 1,
    pairs: 1, // nothing is timed
    b: async ({ model, settings, repetitions, quick }) => {
      const lengths = Array(quick ? count / 8 : count).fill(8);
      const work = { work: "serve", sequences, contextSize: 2304, shared, own, inFlight: count };
      const asked = {
        ...work,
        lengths,
        model,
        settings: { ...settings, kvCache },
        repetitions,
      };
      const runs = await cria(asked);
      return runs.map((run) => run.evaluated);
    },
  };
}

export const serving = [
  outOfStep(),
  sharedPrefix({
    name: "shared-prefix",
    kvCache: "unified",
    wanted: { ratio: { atLeast: 2.2 } },
  }),
  sharedPrefix({ name: "shared-prefix-auto", kvCache: "auto" }),
  serveSharedPrefix({
    name: "serve-shared-prefix",
    kvCache: "unified",
    wanted: { ratio: { atLeast: 1.3 } },
  }),
  serveSharedPrefix({
    name: "serve-shared-prefix-auto",
    kvCache: "auto",
    wanted: { ratio: { atLeast: 1.3 } },
  }),
  sharedEvaluated("unified"),
  sharedEvaluated("per-sequence"),
];
