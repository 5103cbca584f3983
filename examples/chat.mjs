// A conversation: node examples/chat.mjs [MODEL.gguf]
// The session keeps the history and evaluates of each turn only what is new.

import { fileURLToPath } from "node:url";
import { ChatSession, Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const model = await Model.load(process.argv[2] ?? demoModel);
const context = await model.createContext();
const session = new ChatSession(context, { temperature: 0 });

async function ask(question) {
  console.log(`> ${question}`);
  const turn = session.send(question);
  for await (const event of turn) {
    if (event.type === "text") process.stdout.write(event.text);
  }
  const { usage } = await turn.result();
  console.log(`\n  (${usage.cachedTokens} of ${usage.promptTokens} prompt tokens were cached)`);
}

await ask("My llama is called Luna.");
await ask("What do llamas eat?");
await ask("What is my llama called?");

// In OpenAI's shapes: `new ChatSession(context, { messages })` goes on with it, tomorrow or elsewhere.
console.log(JSON.stringify(session.messages, null, 2));
await model.dispose();
