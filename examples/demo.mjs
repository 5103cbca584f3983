// `npm run demo`: what cria does, on the small model that comes with the repository. Needs no network.

import { fileURLToPath } from "node:url";
import { Model, Sampler } from "cria";

const modelPath = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const bold = (text) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
const heading = (text) => console.log(`\n${bold(text)}`);

// A question in the Llama 3.1 chat format. A prompt is a list of segments: `control` is one control
// token, `text` is text and nothing else, whatever a user types into it.
function chat(question) {
  const header = (role) => [
    { control: "<|start_header_id|>" },
    { text: role },
    { control: "<|end_header_id|>" },
    { text: "\n\n" },
  ];
  const dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  return [
    { control: "<|begin_of_text|>" },
    ...[...header("system"), { text: dates }, { control: "<|eot_id|>" }],
    ...[...header("user"), { text: question }, { control: "<|eot_id|>" }],
    ...header("assistant"),
  ];
}

/** Shows the text as it comes. */
async function show(generation) {
  for await (const { text } of generation) process.stdout.write(text);
  console.log();
  return generation.result();
}

const speed = (tokens, milliseconds) =>
  `${tokens} tokens in ${Math.round(milliseconds)} ms, ${Math.round((tokens * 1000) / milliseconds)} tokens/s`;

const model = await Model.load(modelPath);
// One thread does for a model this small; the default is one for each physical core.
const context = await model.createContext({ sequences: 4, threads: 1 });
const greedy = Sampler.greedy();
console.log(`${model.metadata.get("general.name")}: ${model.description}`);

heading("A question, answered as it streams");
const question = "What is a baby llama called?";
console.log(`> ${question}`);
const answer = await show(context.generate(chat(question), { sampler: greedy }));

heading("A text, continued");
const opening = "Once upon a time";
process.stdout.write(opening);
const story = await show(
  context.generate(opening, {
    sampler: new Sampler({ temperature: 0.8, seed: 11 }),
    maxTokens: 200,
  }),
);

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
  questions.map((text) => context.generate(chat(text), { sampler: greedy }).result()),
);
const elapsed = performance.now() - started;
questions.forEach((text, i) => {
  console.log(`> ${text}\n${results[i].text}`);
});

heading("Speed");
const together = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
const batches = context.stats.batches - batchesBefore;
console.log(
  `the answer       ${speed(answer.usage.completionTokens, answer.timings.generationMs)}`,
);
console.log(`the text         ${speed(story.usage.completionTokens, story.timings.generationMs)}`);
console.log(
  `four at once     ${speed(together, elapsed)}, prompts included, in ${batches} batches`,
);
console.log("(A model this small says nothing about a large one: see the README's table.)");

await model.dispose();
