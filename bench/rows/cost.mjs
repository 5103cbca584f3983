// What cria adds to the evaluation: the way to JavaScript, choosing a token, memory.

import path from "node:path";
import { cria } from "../sides.mjs";
import { measureNatively } from "../upstream.mjs";

const perToken = ({ tokens, milliseconds }) => milliseconds.map((time) => time / tokens);

/** Both sides make the same tokens of the same model on one thread. */
function binding() {
  const tokensMax = 400;
  const counted = {};
  const count = (side, { tokens }) => {
    counted[side] = tokens;
    if (counted.a !== counted.b && counted.a && counted.b) {
      throw new Error(`The sides gave ${counted.a} and ${counted.b} tokens.`);
    }
  };
  return {
    name: "binding",
    title: "cost per generated token, besides decoding and sampling",
    model: "demo",
    reference: "a plain decode loop",
    unit: "ms",
    wanted: { difference: { atMost: 0.03 } },
    a: async ({ model, quick }) => {
      const args = [model, String(tokensMax), quick ? "3" : "30"];
      const measured = await measureNatively("decode-loop", args);
      count("a", measured);
      return perToken(measured);
    },
    b: async ({ model, settings, quick }) => {
      const work = { work: "per-token", model, settings, tokensMax, repetitions: quick ? 3 : 30 };
      const measured = await cria(work);
      count("b", measured);
      return perToken(measured);
    },
  };
}

/** cria::Sampler and llama.cpp's samplers in turn, in one program. */
function sampling({ name, title, what, choices, atMost, grammar, alone }) {
  return {
    name,
    title,
    model: "vocabulary",
    reference: alone ? undefined : "llama.cpp's samplers",
    unit: "ms",
    wanted: atMost && { b: { atMost } },
    both: async ({ model, tree, quick }) => {
      const files = grammar ? [path.join(tree, "grammars", grammar)] : [];
      const args = [model, what, String(quick ? 60 : choices), ...files];
      const { llama, cria } = await measureNatively("sampling", args);
      return { a: llama, b: cria };
    },
  };
}

/**
 * The room that V8 gives to young objects follows the pace at which they come, up to 48 MB, whatever
 * becomes of them. Fixed, it hides nothing that stays.
 */
function memory({ name, title, flags, wanted }) {
  return {
    name,
    title,
    model: "demo",
    unit: "MB",
    wanted,
    pairs: 1, // a process that grew would grow again
    b: async ({ model, settings, quick }) => {
      const amount = quick ? { uncounted: 100, counted: 500 } : { uncounted: 500, counted: 10_000 };
      const work = { work: "resident-set", model, settings, ...amount };
      return [await cria(work, ["--expose-gc", ...flags])];
    },
  };
}

const json = { what: "json", choices: 400, grammar: "json.gbnf" };

export const costs = [
  binding(),
  sampling({
    name: "greedy",
    title: "greedy over 128,256 logits",
    what: "greedy",
    choices: 1000,
    atMost: 0.04,
  }),
  sampling({
    name: "default-chain",
    title: "top-k 40, top-p, min-p, temperature",
    what: "default",
    choices: 1000,
    atMost: 0.12,
  }),
  sampling({
    name: "logprobs",
    title: "top-20 logprobs over 128,256 logits",
    what: "logprobs",
    choices: 500,
    atMost: 0.2,
    alone: true, // llama.cpp has none of its own
  }),
  sampling({ name: "json", title: "JSON grammar, any text", ...json, atMost: 0.3 }),
  sampling({
    name: "json-likely",
    title: "JSON grammar, likely text",
    ...json,
    what: "json-likely",
  }),
  memory({
    name: "memory",
    title: "growth of RSS over 10,000 short generations",
    flags: ["--max-semi-space-size=1"],
    wanted: { b: { atMost: 5 } },
  }),
  memory({
    name: "memory-young",
    title: "the same, V8's room for young objects included",
    flags: [],
  }),
];
