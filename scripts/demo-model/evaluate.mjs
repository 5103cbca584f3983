// Measures the shipped file through cria itself: greedy replies to the held-out cases, exact match.
//
// node scripts/demo-model/evaluate.mjs [MODEL.gguf] [CASES.jsonl]     (npm run build:lib comes first)

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Model, Sampler } from "../../dist/index.js";

const fromRoot = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const [modelPath, casesPath] = [
  process.argv[2] ?? fromRoot("models/cria-demo.gguf"),
  process.argv[3] ?? fromRoot(".build/demo-model/held-out.jsonl"),
];
const SHOWN_FAILURES = Number(process.env.SHOW_FAILURES ?? 0);

const cases = (await readFile(casesPath, "utf8"))
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line));

const model = await Model.load(modelPath);
const context = await model.createContext({ sequences: 8, contextSize: 2048 });
const sampler = Sampler.greedy();
const tasks = new Map();

await Promise.all(
  cases.map(async ({ task, prompt, expected }) => {
    const { text, stopReason } = await context
      .generate(prompt, { sampler, maxTokens: 160 })
      .result();
    const score = tasks.get(task) ?? { cases: 0, right: 0, failures: [] };
    tasks.set(task, score);
    score.cases++;
    if (text === expected && stopReason === "end-of-turn") score.right++;
    else score.failures.push({ question: prompt.at(-5)?.text?.slice(-160), expected, text });
  }),
);

// In the order of the file, whatever finished first.
for (const task of new Set(cases.map((one) => one.task))) {
  const { cases: count, right, failures } = tasks.get(task);
  console.log(
    `${((100 * right) / count).toFixed(1).padStart(5)} %  ${task} (${right} of ${count})`,
  );
  for (const failure of failures.slice(0, SHOWN_FAILURES)) {
    console.log(`         ${JSON.stringify(failure)}`);
  }
}
await model.dispose();
