// An answer that is data: node examples/structured.mjs [MODEL.gguf]
// A JSON Schema decides which tokens may come, so the answer parses whatever the model knows.

import { fileURLToPath } from "node:url";
import { ChatSession, Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const model = await Model.load(process.argv[2] ?? demoModel);
const context = await model.createContext();
const session = new ChatSession(context, { temperature: 0 });

const responseSchema = {
  type: "object",
  properties: { name: { enum: ["alpaca", "cria", "llama"] }, certain: { type: "boolean" } },
  required: ["name", "certain"],
};

const turn = session.send("What is a baby llama called?", { responseSchema, maxTokens: 100 });
const { message, stopReason } = await turn.result();

// Cut off by `maxTokens` it would be no JSON: the schema decides what comes next, not how far it goes.
if (stopReason === "max-tokens") throw new Error(`cut off: ${message.content}`);
console.log(JSON.parse(message.content));
await model.dispose();
