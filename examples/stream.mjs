// Streams a completion: node examples/stream.mjs [MODEL.gguf] [PROMPT]

import { fileURLToPath } from "node:url";
import { Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const [path = demoModel, prompt = "High in the mountains lived"] = process.argv.slice(2);

const model = await Model.load(path, {
  onProgress: (fraction) => {
    if (fraction === 1) console.error("loaded");
  },
});
const context = await model.createContext();
const generation = context.generate(prompt, {
  temperature: 0.7,
  seed: 3,
  maxTokens: 120,
  stop: "\n\n",
});

process.stdout.write(prompt);
for await (const { text } of generation) process.stdout.write(text);

const { stopReason, usage, timings } = await generation.result();
console.log();
console.error(
  `${stopReason}: ${usage.completionTokens} tokens, ${timings.tokensPerSecond.toFixed(1)} tokens/s`,
);
await model.dispose();
