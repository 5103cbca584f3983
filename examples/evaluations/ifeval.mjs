// Instructions whose fulfilment a program can see: node examples/evaluations/ifeval.mjs [MODEL.gguf] [--data FILE]

import { countsOf, openAnswers } from "./batch-answers.mjs";
import { isList, isText, needed, readJsonLines } from "./data-files.mjs";
import { meanOfSameUnits, ratio, sum } from "./estimates.mjs";
import { ownData, runEvaluation, UsageError } from "./evaluation-command.mjs";
import { followed, INSTRUCTIONS, wrongArgument } from "./instruction-checks.mjs";

await runEvaluation({
  name: "ifeval",
  about: "Verifiable instructions in IFEval's format.",
  options: { "max-tokens": { type: "string", value: "N", about: "of an answer" } },
  defaults: { data: [ownData("ifeval.jsonl")], "max-tokens": 1280 },
  evaluate,
});

async function evaluate({ model, options, signal, progress }) {
  const { data, limit, output, sequences } = options;
  const read = (await Promise.all(data.map(readPrompts))).flat().slice(0, limit);
  const items = read.filter(({ instructions }) =>
    instructions.every(({ id }) => Object.hasOwn(INSTRUCTIONS, id)),
  );
  const answers = await openAnswers({
    ...{ model, output, signal, progress, sequences },
    ...{ contextSize: options["context-size"], maxTokens: options["max-tokens"] },
  });
  try {
    const { answers: found, interrupted } = await answers.answer(
      items.map(({ id, prompt }) => ({ id, messages: [{ role: "user", content: prompt }] })),
    );
    const answered = items.filter(({ id }) => found.has(id));
    return {
      estimates: estimatesOf(answered, found),
      counts: { ...countsOf(answered, found), "left out": read.length - items.length },
      interrupted,
    };
  } finally {
    await answers.close();
  }
}

function readPrompts(path) {
  return readJsonLines(path, ({ key, prompt, instruction_id_list: ids, kwargs }, place) => ({
    id: `ifeval-${key}`,
    prompt: needed(place, "prompt", prompt, isText, "a text"),
    instructions: needed(place, "instruction_id_list", ids, isList, "a list").map((id, index) => {
      const options = needed(place, "kwargs", kwargs, isList, "a list")[index] ?? {};
      const wrong = wrongArgument(id, options);
      if (wrong === undefined) return { id, options };
      throw new UsageError(`${place}: "${wrong}" of ${id} is ${JSON.stringify(options[wrong])}`);
    }),
  }));
}

/** Prompts are the units: instructions of one prompt are followed, or not, by one answer. */
function estimatesOf(items, answers) {
  const estimates = {};
  for (const kind of ["strict", "loose"]) {
    const results = items.map(({ id, prompt, instructions }) =>
      instructions.map((one) => Number(followed(one, answers.get(id).text, { prompt, kind }))),
    );
    estimates[`prompts, ${kind}`] = ratio(results.map((all) => Number(!all.includes(0))));
    estimates[`instructions, ${kind}`] = ratio(
      results.map(sum),
      results.map(({ length }) => length),
    );
  }
  if (items.length > 0) estimates["mean of the four"] = meanOfSameUnits(Object.values(estimates));
  return estimates;
}
