// What masks cost at each token of MaskBench's instances, and how long it takes from a schema to the
// first one.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildUpstream, measureNatively } from "../upstream.mjs";
import { inOrder } from "./instance-order.mjs";
import { tryCompile } from "./schema-library.mjs";

export async function measureMasks(library, rows, { verbose }) {
  const { tree } = await buildUpstream(console.error, "masks");
  const vocabulary = join(tree, "models", "ggml-vocab-llama-bpe.gguf");
  const cases = casesOf(library, rows);
  const directory = await mkdtemp(join(tmpdir(), "cria-masks-"));
  try {
    const file = join(directory, "cases");
    await writeFile(file, Buffer.concat(cases.flatMap(written)));
    const figures = await measureNatively("masks", [vocabulary, file]);
    return report(cases, figures, verbose);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function casesOf(library, rows) {
  const cases = rows.flatMap(({ name, schema, tests }) => {
    const { grammar, time } = tryCompile(library, schema);
    if (grammar === undefined) return [];
    const texts = tests.map(({ data }) => JSON.stringify(inOrder(data, schema)));
    const matcher = new library.GbnfMatcher(grammar.source);
    const whole = texts.map((text) => matcher.reach(text) === "whole");
    return [{ name, schema, source: grammar.source, time, texts, whole }];
  });
  // A copy: what is made of a schema is kept with the object.
  for (const one of cases) one.again = tryCompile(library, structuredClone(one.schema)).time;
  return cases;
}

function written({ source, texts }) {
  const parts = [["G", source], ...texts.map((text) => ["T", text])];
  return parts.flatMap(([kind, text]) => {
    const bytes = Buffer.from(text);
    return [Buffer.from(`${kind} ${bytes.length}\n`), bytes];
  });
}

function report(cases, { vocabulary, tree, first, masks, ends }, verbose) {
  const whole = cases.flatMap((one) => one.whole.map((expected, i) => [one, i, expected]));
  const differing = whole.filter(([, , expected], i) => (ends[i] === 1) !== expected);
  for (const [{ name, texts }, i] of verbose ? differing : [])
    console.log(`DIFFERS ${name}: ${texts[i].slice(0, 400)}`);
  const since = (which) => first.map((time, i) => time + 1000 * cases[i][which]);
  console.log(`Masks over ${vocabulary} tokens, at each token of MaskBench's instances`);
  console.log(`  grammars, texts   ${cases.length}, ${whole.length}`);
  console.log(`  masks             ${masks.length}, microseconds: ${spread(masks)}`);
  console.log(`  to the first one  microseconds, from the grammar: ${spread(first)}`);
  console.log(`                    from the schema, each once: ${spread(since("time"))}`);
  console.log(`                    from a copy of it, behind all: ${spread(since("again"))}`);
  console.log(`  once for a model  ${(tree / 1000).toFixed(0)} ms`);
  console.log(`  other than the grammar says by itself: ${differing.length} texts`);
  return differing.length === 0;
}

function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  const average = values.reduce((sum, value) => sum + value, 0) / values.length;
  const figures = { average, p50: at(0.5), p99: at(0.99), most: sorted.at(-1) };
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value.toFixed(1)}`)
    .join(", ");
}
