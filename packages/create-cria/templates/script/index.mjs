// npm start -- "What is the weather in Lisbon?"
// MODEL=/path/to/model.gguf npm start -- "…" takes a model of yours.

import { createRequire } from "node:module";
import path from "node:path";
import { ChatSession, defineTool, Model } from "cria";

const criaPackage = createRequire(import.meta.url).resolve("cria/package.json");
/** The package's own model: tiny, for a first try. */
const DEMO = path.join(path.dirname(criaPackage), "models", "cria-demo.gguf");

const weather = defineTool({
  name: "get_weather",
  description: "Get the current weather for a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The name of the city" } },
    required: ["city"],
  },
  execute: ({ city }) => {
    console.error(`(looks up ${city})`);
    return { temperature: 21, condition: "sunny" };
  },
});

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const question = process.argv.slice(2).join(" ") || "What is a baby llama called?";
const model = await Model.load(process.env.MODEL ?? DEMO);
try {
  const context = await model.createContext();
  const session = new ChatSession(context, {
    tools: [weather],
    signal: stop.signal,
    temperature: 0, // the likeliest answer; without this line, as the model's file recommends
  });
  for await (const event of session.send(question)) {
    if (event.type === "text") process.stdout.write(event.text);
  }
  process.stdout.write("\n");
} catch (error) {
  if (!stop.signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  await model.dispose();
}
