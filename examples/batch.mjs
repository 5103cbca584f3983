// Many requests from a source of any length: node examples/batch.mjs [MODEL.gguf]

import { fileURLToPath } from "node:url";
import { Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const model = await Model.load(process.argv[2] ?? demoModel);
const context = await model.createContext({ sequences: 4, contextSize: 256 });

// Read only as fast as the results are taken: it could be a file of millions of lines.
async function* requests() {
  const beginnings = ["Once upon a time", "In a small village", "High in the mountains lived"];
  for (let i = 0; i < 12; i++) {
    yield { prompt: beginnings[i % beginnings.length], maxTokens: 8 + 2 * i, name: `text ${i}` };
  }
  yield { prompt: "A request that is wrong", maxTokens: -1, name: "a wrong one" };
}

// As they finish; with `ordered: true` they come in the order of the requests.
for await (const { request, result, error } of context.generateMany(requests(), {
  temperature: 0,
})) {
  console.log(`${request.name}: ${error ? error.message : JSON.stringify(result.text)}`);
}

await model.dispose();
