// Calls of functions: node examples/evaluations/bfcl.mjs [MODEL.gguf] [--data FILE] [--answers FILE]

import { countsOf, openAnswers } from "./batch-answers.mjs";
import { callProblem, callsProblem, pairUp } from "./call-comparison.mjs";
import { readCalls, toolsOf } from "./call-requests.mjs";
import { grouped, meanOfGroups, ratio } from "./estimates.mjs";
import { ownData, runEvaluation, UsageError } from "./evaluation-command.mjs";

await runEvaluation({
  name: "bfcl",
  about: "Calls of functions in BFCL's format, compared as syntax trees.",
  options: {
    answers: {
      ...{ type: "string", multiple: true, value: "FILE" },
      about: "the right calls, for each --data (default: possible_answer/ beside it)",
    },
    "max-tokens": { type: "string", value: "N", about: "of an answer" },
  },
  defaults: { data: [ownData("bfcl.jsonl")], answers: [], "max-tokens": 1024 },
  evaluate,
});

async function evaluate({ model, options, signal, progress }) {
  const { data, answers: files, limit, output, sequences } = options;
  if (files.length > data.length)
    throw new UsageError("Expected one --answers for each --data at most");
  const read = await Promise.all(data.map((path, index) => readCalls(path, files[index])));
  const items = read.flat().slice(0, limit);
  const answers = await openAnswers({
    ...{ model, output, signal, progress, sequences },
    ...{ contextSize: options["context-size"], maxTokens: options["max-tokens"] },
  });
  try {
    const { problems, errors, interrupted } = await walk(items, answers);
    const judged = items.filter(({ id }) => problems.has(id));
    const categories = [...grouped(judged, ({ category }) => category)].map(([category, own]) => [
      ...[category, ratio(own.map(({ id }) => Number(problems.get(id) === null)))],
    ]);
    return {
      estimates: {
        accuracy: ratio(judged.map(({ id }) => Number(problems.get(id) === null))),
        "mean of categories": meanOfGroups(categories.map(([, estimate]) => estimate)),
        ...Object.fromEntries(categories.map(([category, one]) => [`  ${category}`, one])),
      },
      counts: { ...countsOf(judged, errors), ...reasons(problems) },
      interrupted,
    };
  } finally {
    await answers.close();
  }
}

/**
 * All items step by step: each gets an answer, which is compared with the step's calls; those with another step
 * are told what their calls gave, and asked again. The last of several steps is an answer in words.
 *
 * `problems` has null for what is right, and otherwise what is not.
 */
async function walk(items, answers) {
  const problems = new Map();
  const errors = new Map();
  let open = items.map((item) => ({ item, step: 0, messages: item.messages }));
  let interrupted = false;
  while (open.length > 0 && !interrupted) {
    const asked = await answers.answer(open.map(requestOf));
    interrupted = asked.interrupted;
    const next = [];
    for (const run of open) {
      const answer = asked.answers.get(requestOf(run).id);
      if (answer === undefined) continue;
      errors.set(run.item.id, answer);
      const { item, step } = run;
      const wanted = item.steps[step] ?? [];
      const problem = answer.error ?? callsProblem(answer.calls, wanted, item.functions);
      if (problem !== null) problems.set(item.id, `step ${step + 1}: ${problem}`);
      else if (item.goesOn && step < item.steps.length) next.push(goOn(run, answer));
      else problems.set(item.id, null);
    }
    open = next;
  }
  return { problems, errors, interrupted };
}

function requestOf({ item, step, messages }) {
  return { id: `${item.id}#${step + 1}`, messages, tools: toolsOf(item.functions) };
}

/** With the calls as the model made them, and the result of each behind it. */
function goOn({ item, step, messages }, { text, calls }) {
  const wanted = item.steps[step];
  const fits = calls.map((call) =>
    wanted.map((one) => callProblem(call, one, item.functions) === null),
  );
  const partners = pairUp(fits);
  const results = calls.map(({ id }, index) => ({
    ...{ role: "tool", tool_call_id: id },
    content: item.results[step]?.[partners[index]] ?? {},
  }));
  const made = calls.map(({ id, name, arguments: given }) => ({
    ...{ id, type: "function", function: { name, arguments: given } },
  }));
  const said = { role: "assistant", content: text, tool_calls: made };
  return { item, step: step + 1, messages: [...messages, said, ...results] };
}

function reasons(problems) {
  const first = [...problems].find(([, problem]) => problem !== null);
  return first === undefined ? {} : { "first mistake": `${first[0]}, ${first[1]}` };
}
