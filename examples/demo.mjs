// `npm run demo`: what cria does, on the small model that comes with the repository. Needs no network.

import { fileURLToPath } from "node:url";
import { ChatSession, defineTool, Model, renderChatAsync } from "cria";

const modelPath = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const styled = (code) => (text) =>
  process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text;
const bold = styled(1);
const dim = styled(2);
const heading = (text) => console.log(`\n${bold(text)}`);

const speed = (tokens, milliseconds) =>
  `${tokens} tokens in ${Math.round(milliseconds)} ms, ${Math.round((tokens * 1000) / milliseconds)} tokens/s`;

/** One turn of a conversation, told as it happens. */
async function talk(session, input) {
  console.log(`> ${input}`);
  for await (const event of session.send(input)) {
    if (event.type === "text") {
      process.stdout.write(event.text);
    } else if (event.type === "tool-call") {
      const { name, arguments: args } = event.call.function;
      console.log(dim(`  the model calls ${name} with ${args}`));
    } else if (event.type === "tool-result") {
      console.log(dim(`  and is told ${JSON.stringify(event.result)}`));
    } else {
      const { cachedTokens, promptTokens } = event.result.usage;
      console.log(dim(`\n  (${cachedTokens} of ${promptTokens} prompt tokens were there already)`));
    }
  }
}

const model = await Model.load(modelPath);
// One thread does for a model this small; the default is one for each physical core.
const context = await model.createContext({ sequences: 4, threads: 1 });
console.log(`${model.metadata.get("general.name")}: ${model.description}`);

heading("A conversation: each turn evaluates only what is new");
const conversation = new ChatSession(context, { temperature: 0 });
await talk(conversation, "What is a baby llama called?");
await talk(conversation, "My llama is called Luna.");
await talk(conversation, "What is my llama called?");

heading("A tool, called by the model");
const weather = defineTool({
  name: "get_weather",
  description: "Get the current weather for a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The name of the city" } },
    required: ["city"],
  },
  execute: () => ({ temperature: 21, condition: "sunny" }),
});
await talk(
  new ChatSession(context, { tools: [weather], temperature: 0 }),
  "What is the weather in Lisbon?",
);

heading("A text, continued");
const opening = "Once upon a time";
process.stdout.write(opening);
const story = context.generate(opening, {
  temperature: 0.8,
  seed: 11,
  maxTokens: 200,
});
for await (const { text } of story) process.stdout.write(text);
console.log();

heading("Four questions at once, decoded together");
const questions = [
  "Where do llamas live?",
  "What do llamas eat?",
  "Why is the sky blue?",
  "What is the capital of France?",
];
const batchesBefore = context.stats.batches;
const started = performance.now();
const results = await Promise.all(
  questions.map(async (content) => {
    const prompt = await renderChatAsync([{ role: "user", content }], { model });
    return context.generateText(prompt, { temperature: 0 });
  }),
);
const elapsed = performance.now() - started;
questions.forEach((text, i) => {
  console.log(`> ${text}\n${results[i].text}`);
});

heading("Speed");
const together = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
const batches = context.stats.batches - batchesBefore;
const { usage: written, timings } = await story.result();
console.log(`the text         ${speed(written.completionTokens, timings.generationMs)}`);
console.log(
  `four at once     ${speed(together, elapsed)}, prompts included, in ${batches} batches`,
);
console.log("(A model this small says nothing about a large one: see the README's table.)");

await model.dispose();
