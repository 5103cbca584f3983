// BFCL's files: what is asked, which functions there are, and which calls are right.

import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isList, isText, needed, readJsonLines } from "./data-files.mjs";
import { UsageError } from "./evaluation-command.mjs";

/** Categories whose calls are written in another language's types, or need APIs of BFCL's own. */
const OTHER = /(^|_)(java|javascript|sql|rest|executable|exec|multi_turn|memory|web_search)(_|$)/;

/**
 * `{ id, category, messages, functions, steps, goesOn, results }`: `steps` are the calls that are right, one step
 * after the other (BFCL's single-turn sets have one; none where nothing is to be called); with `goesOn` an answer
 * in words follows, and `results` is what each step's calls give.
 */
export async function readCalls(path, answersPath) {
  const questions = await readJsonLines(path, readQuestion);
  const answers = new Map();
  const file = answersPath ?? join(dirname(path), "possible_answer", basename(path));
  const there = await stat(file).catch(() => undefined);
  if (there === undefined && questions.some(({ category }) => !isIrrelevance(category))) {
    throw new UsageError(`There is no ${file}: --answers names the file of right answers`);
  }
  if (there !== undefined) {
    for (const { id, ...answer } of await readJsonLines(file, readAnswer)) answers.set(id, answer);
  }
  return questions.map((question) => {
    const none = isIrrelevance(question.category) ? { steps: [], goesOn: false } : undefined;
    const answer = answers.get(question.id) ?? none;
    if (answer === undefined) throw new UsageError(`${file} has no answer for ${question.id}`);
    return { ...question, ...answer };
  });
}

const isIrrelevance = (category) => category.endsWith("irrelevance");

function readQuestion({ id, question, function: declared, results = [] }, place) {
  const category = needed(place, "id", id, isText, "a text").replace(/_\d+(-\d+)*$/, "");
  if (OTHER.test(category)) {
    throw new UsageError(
      `${place}: "${category}" is not among the categories that are compared here`,
    );
  }
  const turns = needed(place, "question", question, isList, "a list of turns");
  if (turns.length > 1) throw new UsageError(`${place}: expected one turn, got ${turns.length}`);
  return {
    ...{ id, category, results },
    messages: needed(place, "question", turns[0], isList, "messages"),
    functions: needed(place, "function", listOf(declared), isList, "functions"),
  };
}

function readAnswer({ id, ground_truth: truth }, place) {
  needed(place, "ground_truth", truth, Array.isArray, "a list of calls");
  // A list for each step is the project's own addition.
  const goesOn = Array.isArray(truth[0]);
  const steps = goesOn ? truth : [truth];
  for (const call of steps.flat()) {
    needed(place, "ground_truth", call, isWantedCall, '{"name": {"parameter": [values]}}');
  }
  return { id, steps, goesOn };
}

function isWantedCall(call) {
  const [[name, parameters] = [], ...more] = Object.entries(call ?? {});
  const isObject = typeof parameters === "object" && parameters !== null;
  return (
    isText(name) && more.length === 0 && isObject && Object.values(parameters).every(Array.isArray)
  );
}

const listOf = (value) => (Array.isArray(value) ? value : [value]);

/** As the model is told of them: JSON Schema, whose types have other names than BFCL's. */
export function toolsOf(functions) {
  return functions.map(({ name, description, parameters }) => ({
    type: "function",
    function: { name, ...(description && { description }), parameters: schemaOf(parameters ?? {}) },
  }));
}

const TYPES = { dict: "object", float: "number", tuple: "array" };

function schemaOf(schema) {
  const { type, properties, items, ...rest } = schema;
  // Notes of BFCL's that mean nothing in JSON Schema, or are no schema.
  const { optional: _, default: __, format: ___, ...kept } = rest;
  return {
    ...(type !== undefined && type !== "any" && { type: TYPES[type] ?? type }),
    ...kept,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, one]) => [name, schemaOf(one)]),
      ),
    }),
    ...(items && { items: schemaOf(items) }),
  };
}
