// A thousand reviews into a file of labels: node examples/classify.mjs [MODEL.gguf] [COUNT]

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Model, runBatch } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const [path = demoModel, count = "1000"] = process.argv.slice(2);
const model = await Model.load(path);

const things = ["The kettle", "This blanket", "My new bicycle", "The lamp", "That book"];
const verdicts = [
  "is wonderful",
  "broke on the first day",
  "does what it should",
  "smells of glue",
];

// It could as well be a file: `input: "reviews.jsonl"`.
function* reviews() {
  for (let index = 0; index < Number(count); index++) {
    const thing = things[index % things.length];
    const verdict = verdicts[(index * 7) % verdicts.length];
    yield { id: `review-${index}`, prompt: `${thing} ${verdict}.` };
  }
}

const folder = await mkdtemp(join(tmpdir(), "cria-classify-"));
const output = join(folder, "labels.jsonl");
const { done, errors } = await runBatch(model, {
  input: reviews(),
  output,
  system: "Classify the review of a product.",
  // Every answer is one of these, whatever the model knows.
  schema: {
    type: "object",
    properties: { label: { enum: ["praise", "complaint", "neither"] } },
    required: ["label"],
  },
  sampling: { temperature: 0 },
  maxTokens: 40,
  context: { contextSize: 256 },
  onMeasured: ({ sequences }) => console.log(`${sequences} at a time`),
});

const labels = {};
for (const line of (await readFile(output, "utf8")).trim().split("\n")) {
  const { response } = JSON.parse(line);
  const { label } = JSON.parse(response.body.choices[0].message.content);
  labels[label] = (labels[label] ?? 0) + 1;
}
console.log(`${done} reviews, ${errors} errors:`, labels);
await rm(folder, { recursive: true });
await model.dispose();
