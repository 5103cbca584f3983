// Science at school, by multiple choice: node examples/evaluations/arc.mjs [MODEL.gguf] [--data FILE] [--shots N]

import { CHOICE_OPTIONS, choiceEvaluation } from "./choice-evaluation.mjs";
import { readArc } from "./choice-prompts.mjs";
import { ownData, runEvaluation } from "./evaluation-command.mjs";

await runEvaluation({
  name: "arc",
  about: "Multiple choice in ARC's format, by context.choose.",
  options: CHOICE_OPTIONS,
  defaults: {
    ...{ data: [ownData("arc.jsonl")], "shots-data": [ownData("arc-shots.jsonl")] },
    ...{ shots: 5, prompt: "completion", sequences: 4 },
  },
  evaluate: choiceEvaluation({
    ...{ name: "arc", read: readArc, bySubject: false },
    wording: () => ({ heading: "", lead: "Question: " }),
  }),
});
