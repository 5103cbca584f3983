// Four ways to end a generation early: node examples/stop-and-abort.mjs [MODEL.gguf]

import { fileURLToPath } from "node:url";
import { Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const model = await Model.load(process.argv[2] ?? demoModel);
const context = await model.createContext();
const prompt = "Once upon a time";

// A stop string is never part of the text.
const sentence = await context.generateText(prompt, { stop: ".", maxTokens: 200 });
console.log(`stop string: ${sentence.stopReason}, ${JSON.stringify(sentence.text)}`);

// Leaving the loop cancels. What was generated is kept.
const left = context.generate(prompt);
for await (const _ of left) break;
console.log(`left the loop: ${(await left.result()).stopReason}`);

// cancel() does the same from anywhere.
const cancelled = context.generate(prompt);
cancelled.cancel();
console.log(`cancel(): ${(await cancelled.result()).stopReason}`);

// An AbortSignal rejects with its reason, also while the prompt is still being read.
const aborted = context.generateText(prompt, { signal: AbortSignal.timeout(1) });
await aborted.then(
  (result) => console.log(`signal: too late, it had ended (${result.stopReason})`),
  (error) => console.log(`signal: ${error.name}`),
);

await model.dispose();
