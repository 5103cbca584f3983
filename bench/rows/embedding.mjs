// Texts to vectors: beside llama.cpp's own prefill of the same texts in full batches.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { cria } from "../sides.mjs";
import { measureNatively } from "../upstream.mjs";

const sequences = 64;
const words = "the llama lives in high mountains and eats grass with a small cria beside it".split(
  " ",
);

/** 8…230 words, all over the range in any part of the list, the same ones in every run. */
function texts(count) {
  return Array.from({ length: count }, (_, i) => {
    const length = 8 + ((i * 97) % 223);
    return Array.from({ length }, (_, j) => words[(i * 7 + j * j) % words.length]).join(" ");
  });
}

async function withFile(content, use) {
  const directory = await mkdtemp(path.join(tmpdir(), "cria-bench-"));
  try {
    const file = path.join(directory, "texts");
    await writeFile(file, content.map((text) => `${text}\0`).join(""));
    return await use(file);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function embedding(pooling) {
  const content = (quick) => texts(quick ? 32 : 256);
  const counted = {};
  const rates = (side, { tokens, milliseconds }) => {
    counted[side] = tokens;
    if (counted.a !== counted.b && counted.a && counted.b) {
      throw new Error(`The sides have ${counted.a} and ${counted.b} tokens.`);
    }
    return milliseconds.map((time) => (tokens * 1000) / time);
  };
  return {
    name: `embed-${pooling}`,
    title: `texts of 8…230 words to vectors, pooling ${pooling}`,
    model: "90m",
    reference: "llama.cpp's prefill, packed",
    unit: "tok/s",
    wanted: { ratio: { atLeast: 0.95 } },
    a: ({ model, settings, repetitions, quick }) =>
      withFile(content(quick), async (file) => {
        const { threads, microBatchSize } = settings;
        const sizes = [threads, microBatchSize, sequences, repetitions];
        return rates("a", await measureNatively("embed-loop", [model, file, ...sizes.map(String)]));
      }),
    b: ({ model, settings, repetitions, quick }) =>
      withFile(content(quick), async (texts) => {
        const work = { work: "embed", texts, pooling, sequences, repetitions };
        return rates("b", await cria({ ...work, model, settings }));
      }),
  };
}

export const embeddings = [embedding("mean"), embedding("last")];
