// The same work by what else runs llama.cpp in Node.

import { cria, peer, perSecond } from "../sides.mjs";

const single = { sequences: 1, prompt: 16, tokens: 128, contextSize: 256 };
/** The time of what follows the first token. */
const behind = { fromFirst: true, sequences: 1, prompt: 2000, tokens: 64, contextSize: 2304 };
const eight = { sequences: 8, prompt: 128, tokens: 64, contextSize: 256 };

function beside({ short, program, reference, row, model, title, work, atLeast }) {
  // Some are slow: a quick run asks for less.
  const amount = (quick) => (quick ? { ...work, tokens: work.tokens / 8 } : work);
  const rate = ({ sequences, tokens }, times) => times.map(perSecond(sequences * tokens));
  return {
    name: `${short}-${row}`,
    title,
    model,
    reference,
    unit: "tok/s",
    wanted: atLeast && { ratio: { atLeast } },
    repetitions: 1,
    a: async ({ model, settings, repetitions, quick }) => {
      const work = amount(quick);
      return rate(work, await peer(program, { ...work, model, settings, repetitions }));
    },
    b: async ({ model, settings, repetitions, quick }) => {
      const work = amount(quick);
      const name = work.fromFirst ? "continuation" : "generate";
      const asked = { work: name, ...work, model, settings, repetitions };
      return rate(work, await cria(asked));
    },
  };
}

function allBeside(peer, [oneBillion, ninetyMillion, eightAtOnce]) {
  const one = { title: "one generation of 128 tokens", work: single };
  const several = { title: "8 at once, 128 + 64 tokens each", work: eight };
  return [
    beside({ ...peer, row: "decode-1b", model: "1b", ...one, atLeast: oneBillion }),
    beside({ ...peer, row: "decode-90m", model: "90m", ...one, atLeast: ninetyMillion }),
    beside({ ...peer, row: "batch-8", model: "90m", ...several, atLeast: eightAtOnce }),
  ];
}

const nodeLlamaCpp = { short: "nlc", program: "node-llama-cpp", reference: "node-llama-cpp" };
const llamaNode = { short: "ln", program: "llama-node", reference: "@fugood/llama.node" };

export const peers = [
  ...allBeside(nodeLlamaCpp, [1.3, 1.9, 3]),
  beside({
    ...nodeLlamaCpp,
    ...{ row: "behind-1b", model: "1b", work: behind, atLeast: 1 },
    title: "64 tokens behind 2,000",
  }),
  ...allBeside(llamaNode, []),
];
