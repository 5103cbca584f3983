// Sums in words, solved step by step: node examples/evaluations/gsm8k.mjs [MODEL.gguf] [--data FILE] [--shots N]

import { countsOf, openAnswers } from "./batch-answers.mjs";
import { isText, needed, readJsonLines } from "./data-files.mjs";
import { ratio } from "./estimates.mjs";
import { ownData, runEvaluation, UsageError } from "./evaluation-command.mjs";
import { lastNumber, markedNumber } from "./number-answers.mjs";

await runEvaluation({
  name: "gsm8k",
  about: "Word problems in GSM8K's format: a chain of thought that ends in #### and the answer.",
  options: {
    shots: { type: "string", value: "N", about: "solved examples in front of each question" },
    "shots-data": { type: "string", multiple: true, value: "FILE", about: "where those come from" },
    prompt: {
      ...{ type: "string", choices: ["chat", "completion"] },
      about: "turns of a chat, or one text for models without a chat format",
    },
    "max-tokens": { type: "string", value: "N", about: "of an answer" },
  },
  defaults: {
    ...{ data: [ownData("gsm8k.jsonl")], "shots-data": [ownData("gsm8k-shots.jsonl")] },
    ...{ shots: 8, prompt: "chat", "max-tokens": 1024 },
  },
  evaluate,
});

async function evaluate({ model, options, signal, progress }) {
  const { data, limit, output, shots: count, prompt: style, sequences } = options;
  const items = (await readProblems(data)).slice(0, limit);
  const shots = count === 0 ? [] : (await readProblems(options["shots-data"])).slice(0, count);
  if (shots.length < count) {
    throw new UsageError(
      `There are ${shots.length} examples, and --shots asks for ${count}: give more with --shots-data`,
    );
  }
  const answers = await openAnswers({
    ...{ model, output, signal, progress, sequences },
    ...{ contextSize: options["context-size"], maxTokens: options["max-tokens"] },
  });
  try {
    const requests = items.map(({ id, question }) => requestOf(id, question, shots, style));
    const { answers: found, interrupted } = await answers.answer(requests);
    const answered = items.filter(({ id }) => found.has(id));
    const share = (extract) =>
      ratio(answered.map(({ id, answer }) => Number(extract(found.get(id).text) === answer)));
    return {
      estimates: {
        "exact match": share(markedNumber),
        "exact match, last number": share(lastNumber),
      },
      counts: countsOf(answered, found),
      interrupted,
    };
  } finally {
    await answers.close();
  }
}

async function readProblems(paths) {
  const read = paths.map((path) =>
    readJsonLines(path, ({ question, answer }, place) => {
      needed(place, "question", question, isText, "a text");
      const solution = needed(place, "answer", answer, isText, "a text");
      const number = markedNumber(solution);
      if (number === null) throw new UsageError(`${place}: expected "#### n" in "answer"`);
      return { question, solution, answer: number };
    }),
  );
  return (await Promise.all(read)).flat().map((item, index) => ({ id: `gsm8k-${index}`, ...item }));
}

/** Steps in << >> are a calculator's notes in the original set, and nothing that a model is to write. */
function withoutNotes(solution) {
  return solution.replace(/<<[^<>]*>>/g, "");
}

function requestOf(id, question, shots, style) {
  if (style === "completion") {
    const solved = shots.map(
      (one) => `Question: ${one.question}\nAnswer: ${withoutNotes(one.solution)}\n\n`,
    );
    return {
      id,
      prompt: `${solved.join("")}Question: ${question}\nAnswer:`,
      stop: ["\n\nQuestion:", "\nQuestion:"],
    };
  }
  const messages = shots.flatMap((one) => [
    { role: "user", content: asked(one.question) },
    { role: "assistant", content: withoutNotes(one.solution) },
  ]);
  return { id, messages: [...messages, { role: "user", content: asked(question) }] };
}

function asked(question) {
  return `${question}\nThink step by step, and end with #### and the number.`;
}
