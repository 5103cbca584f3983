// What a model of random weights says at temperature 1.5, held to a schema's grammar: it parses and is
// valid, or it was cut off, and then its text can still become such.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judgeOf } from "./ajv-judge.mjs";
import { problemOf } from "./sampled-texts.mjs";
import { root, tryCompile } from "./schema-library.mjs";

const SEQUENCES = 8;
const SCHEMAS = 300;
const ANYTHING = { temperature: 1.5, topK: 0, topP: 1, minP: 0 };
const CUT_OFF = new Set(["max-tokens", "context-full"]);

/** @param wanted how many generations, in rounds over the first 300 schemas with a grammar and a judge */
export async function measureGenerations(library, rows, { wanted, seed, maxTokens, verbose }) {
  const held = heldRows(library, rows).slice(0, SCHEMAS);
  const directory = await mkdtemp(join(tmpdir(), "cria-schema-"));
  const sum = { whole: 0, cutOff: 0, invalid: 0, tokens: 0 };
  const kinds = new Set();
  let model;
  try {
    const path = join(directory, "random.gguf");
    const like = join(root, "models", "cria-demo.gguf");
    await library.writeRandomModel(path, seed, { like });
    model = await library.Model.load(path);
    const options = { contextSize: maxTokens + 8, sequences: SEQUENCES };
    const context = await model.createContext(options);
    const asked = requests(held, { wanted, seed, maxTokens });
    for await (const { request, result, error } of context.generateMany(asked)) {
      if (error !== undefined) throw error;
      const { name, judge, grammar } = held[request.place];
      const { text, stopReason } = result;
      sum.tokens += result.usage.completionTokens;
      const cutOff = CUT_OFF.has(stopReason);
      const problem = cutOff ? brokenBeginning(library, grammar, text) : problemOf(text, judge);
      sum[problem !== "" ? "invalid" : cutOff ? "cutOff" : "whole"]++;
      if (problem === "" && !cutOff) kinds.add(name);
      if (problem !== "" && verbose)
        console.log(`INVALID ${name}, seed ${request.seed}: ${problem}: ${text.slice(0, 400)}`);
    }
  } finally {
    await model?.dispose();
    await rm(directory, { recursive: true, force: true });
  }
  console.log(`Forced generations, seed ${seed}, at most ${maxTokens} tokens each`);
  console.log(`  schemas           ${held.length}, of ${kinds.size} something came whole`);
  console.log(`  whole and valid   ${sum.whole}`);
  console.log(`  cut off           ${sum.cutOff}, all beginnings of their grammar`);
  console.log(`  invalid           ${sum.invalid}`);
  console.log(`  tokens            ${sum.tokens}`);
  return sum.invalid === 0;
}

function heldRows(library, rows) {
  return rows.flatMap(({ name, schema }) => {
    const { grammar } = tryCompile(library, schema);
    const judge = grammar && judgeOf(schema);
    return judge === undefined ? [] : [{ name, grammar, judge }];
  });
}

function* requests(held, { wanted, seed, maxTokens }) {
  for (let i = 0; i < wanted; i++) {
    const place = i % held.length;
    const { grammar } = held[place];
    yield { ...ANYTHING, prompt: "x", grammar, maxTokens, seed: seed + i, place };
  }
}

function brokenBeginning({ GbnfMatcher }, { source }, text) {
  // The tokens of a character may be cut, too.
  const reach = new GbnfMatcher(source).reach(text.replace(/\ufffd+$/u, ""));
  return typeof reach === "number" ? `leaves the grammar at ${reach}` : "";
}
