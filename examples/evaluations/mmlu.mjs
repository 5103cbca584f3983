// Knowledge, by multiple choice: node examples/evaluations/mmlu.mjs [MODEL.gguf] [--data FILE] [--shots N]

import { CHOICE_OPTIONS, choiceEvaluation } from "./choice-evaluation.mjs";
import { readMmlu } from "./choice-prompts.mjs";
import { ownData, runEvaluation } from "./evaluation-command.mjs";

const heading = ({ subject }) =>
  `The following are multiple choice questions (with answers) about ${subject.replaceAll("_", " ")}.\n\n`;

await runEvaluation({
  name: "mmlu",
  about: "Multiple choice in MMLU's format, by context.choose.",
  options: CHOICE_OPTIONS,
  defaults: {
    ...{ data: [ownData("mmlu.jsonl")], "shots-data": [ownData("mmlu-shots.jsonl")] },
    ...{ shots: 5, prompt: "completion", sequences: 4 },
  },
  evaluate: choiceEvaluation({
    ...{ name: "mmlu", read: readMmlu, bySubject: true },
    wording: (item) => ({ heading: heading(item), lead: "" }),
  }),
});
