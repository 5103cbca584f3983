// Manual control: one prompt, several continuations, none of it evaluated twice.
// node examples/sequence.mjs [MODEL.gguf]

import { fileURLToPath } from "node:url";
import { Model, Sampler } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const model = await Model.load(process.argv[2] ?? demoModel);
const context = await model.createContext({ sequences: 4, contextSize: 256 });

const opening = await context.createSequence();
await opening.evaluate("Once upon a time");

// The likeliest words to come, looked up in the raw logits.
const logits = await opening.logits();
const likeliest = [...logits.keys()].sort((a, b) => logits[b] - logits[a]).slice(0, 5);
console.log("next:", likeliest.map((token) => JSON.stringify(model.detokenize([token]))).join(" "));

// Each fork shares what is evaluated and goes its own way from there.
async function continuation(seed) {
  const sequence = await opening.fork();
  const sampler = new Sampler({ temperature: 1, seed });
  while (sequence.tokens.length < 40) {
    const token = await sequence.sample(sampler);
    if (model.isEndOfGeneration(token)) break;
    await sequence.evaluate([token]);
  }
  const text = model.detokenize(sequence.tokens);
  await sequence.dispose();
  return text;
}

for (const text of await Promise.all([1, 2, 3].map(continuation))) console.log(`- ${text}`);
await model.dispose();
