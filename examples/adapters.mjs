// One prompt with each of several LoRA adapters, all in one context at the same time, and without any:
//   node examples/adapters.mjs MODEL.gguf LORA.gguf[=SCALE]… ["A prompt"]

import { Model } from "cria";

const [path, ...rest] = process.argv.slice(2);
const isAdapter = (text) => /\.gguf(=-?[\d.]+)?$/.test(text);
const files = rest.filter(isAdapter);
const prompt = rest.find((text) => !isAdapter(text)) ?? "Once upon a time";
if (files.length === 0) {
  console.error("usage: node examples/adapters.mjs MODEL LORA[=SCALE]… [PROMPT]");
  process.exit(2);
}

const model = await Model.load(path);
const sets = [{ name: "without", adapters: [] }];
for (const text of files) {
  const [file, scale = "1"] = text.split("=");
  const adapter = await model.loadLora(file);
  sets.push({ name: text, adapters: [{ adapter, scale: Number(scale) }] });
}

const context = await model.createContext({ contextSize: 512, sequences: sets.length });
const answers = await Promise.all(
  sets.map(({ adapters }) =>
    context.generateText(prompt, { adapters, temperature: 0, maxTokens: 24 }),
  ),
);
for (const [index, { text }] of answers.entries()) console.log(`${sets[index].name}:${text}`);
await model.dispose(); // with its contexts and adapters
