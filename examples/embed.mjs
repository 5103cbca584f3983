// A folder of texts as vectors, and a search among them: node examples/embed.mjs [MODEL.gguf] [FOLDER]
//
// The demo model is no embedding model: it finds what is spelt alike. Any model will do that makes
// vectors, an encoder such as BERT too.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Model } from "cria";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const model = await Model.load(process.argv[2] ?? here("../models/cria-demo.gguf"));
const folder = process.argv[3] ?? here("../docs");
const context = await model.createContext({ embeddings: true, pooling: "mean" });

// Read only as fast as they are embedded. A piece of a file is a few paragraphs.
const pieces = [];
async function* texts() {
  for (const file of await readdir(folder, { withFileTypes: true })) {
    if (!file.isFile() || !/\.(txt|md|mjs|cjs|js|ts)$/.test(file.name)) continue;
    const content = await readFile(path.join(folder, file.name), "utf8");
    for (const [i, text] of (
      content.match(/[\s\S]{1,600}(?:\n\s*\n|$)|[\s\S]{1,600}/g) ?? []
    ).entries()) {
      pieces.push({ name: `${file.name} (${i + 1})`, text });
      yield text;
    }
  }
}

let tokens = 0;
const begun = performance.now();
for await (const { index, embedding, tokens: count, error } of context.embedMany(texts())) {
  if (error) console.log(`${pieces[index].name}: ${error.message}`);
  else pieces[index].vector = embedding;
  tokens += count ?? 0;
}
const seconds = (performance.now() - begun) / 1000;
console.log(`${pieces.length} pieces, ${tokens} tokens in ${seconds.toFixed(1)} s`);

// Vectors have the length 1: their dot product is the cosine of the angle between them.
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
for (const question of ["an electron window", "ways to abort a generation"]) {
  const query = await context.embed(question);
  const found = pieces
    .filter(({ vector }) => vector)
    .map(({ name, vector }) => ({ name, score: dot(query, vector) }))
    .sort((a, b) => b.score - a.score);
  console.log(`\n${question}:`);
  for (const { name, score } of found.slice(0, 3)) console.log(`  ${score.toFixed(3)} ${name}`);
}

await model.dispose();
