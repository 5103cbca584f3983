// The model calls tools and answers with what they return: node examples/tools.mjs [MODEL.gguf]

import { fileURLToPath } from "node:url";
import { ChatSession, Model } from "cria";
import { tools } from "./toolbox.mjs";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const model = await Model.load(process.argv[2] ?? demoModel);
const context = await model.createContext();

for (const question of ["What is the weather in Lisbon?", "Where is Luna?"]) {
  console.log(`> ${question}`);
  const session = new ChatSession(context, { tools, temperature: 0 });
  for await (const event of session.send(question)) {
    switch (event.type) {
      case "text":
        process.stdout.write(event.text);
        break;
      case "tool-call":
        console.log(`  ${event.call.function.name} ${event.call.function.arguments}`);
        break;
      case "tool-result":
        console.log(`  ${JSON.stringify(event.error ?? event.result)}`);
        break;
      case "finish":
        console.log();
    }
  }
}
await model.dispose();
