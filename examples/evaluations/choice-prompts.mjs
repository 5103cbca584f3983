// Questions with lettered answers: how they are written, and what the model makes of them.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { renderChatAsync } from "cria";
import { filesOf, isText, needed, parseCsv, readJsonLines } from "./data-files.mjs";
import { UsageError } from "./evaluation-command.mjs";

const LETTERS = [..."ABCDEFGHIJ"];
const areChoices = (values) =>
  Array.isArray(values) &&
  values.length >= 2 &&
  values.length <= LETTERS.length &&
  values.every(isText);

/**
 * MMLU's questions: `{ id, subject, question, choices, answer }` with the number of the right choice. Files of
 * its authors (CSV without a heading: question, four answers, letter; the subject is the file's name), or JSON
 * Lines with the fields `question`, `subject`, `choices`, `answer` (a number from 0, or a letter).
 */
export async function readMmlu(paths) {
  const files = await filesOf(paths, ".csv");
  const read = await Promise.all(
    files.map((path) => (path.endsWith(".csv") ? mmluTable(path) : mmluLines(path))),
  );
  return read.flat().map((item, index) => ({ id: `mmlu-${index}`, ...item }));
}

async function mmluTable(path) {
  const subject = basename(path, ".csv").replace(/_(test|dev|val)$/, "");
  const rows = parseCsv(await readFile(path, "utf8"), path);
  return rows.map((row, index) => {
    const place = `${path}, row ${index + 1}`;
    const answer = row.at(-1);
    if (row.length < 4) throw new UsageError(`${place}: expected a question, answers and a letter`);
    const choices = row.slice(1, -1);
    return { subject, question: row[0], choices, answer: letterNumber(answer, choices, place) };
  });
}

function mmluLines(path) {
  return readJsonLines(path, ({ question, subject, choices, answer }, place) => ({
    subject: needed(place, "subject", subject, isText, "a text"),
    question: needed(place, "question", question, isText, "a text"),
    choices: needed(place, "choices", choices, areChoices, "2 to 10 texts"),
    answer: Number.isInteger(answer)
      ? needed(place, "answer", answer, (one) => one in choices, "a choice's number from 0")
      : letterNumber(answer, choices, place),
  }));
}

/**
 * ARC's: JSON Lines of its authors (`question.stem`, `question.choices[].text` and `.label`, `answerKey`), or as
 * the Hugging Face hub has them (`question`, `choices.text[]` and `.label[]`, `answerKey`). Labels are letters
 * or digits; in the prompt they are letters.
 */
export async function readArc(paths) {
  const files = await filesOf(paths, ".jsonl");
  const read = files.map((path) =>
    readJsonLines(path, (line, place) => {
      const nested = typeof line.question === "object" && line.question !== null;
      const { stem, choices } = nested ? line.question : { stem: line.question, ...line };
      const pairs = Array.isArray(choices)
        ? choices.map((choice) => [choice?.text, choice?.label])
        : (choices?.text ?? []).map((text, index) => [text, choices.label?.[index]]);
      const labels = pairs.map(([, label]) => label);
      needed(place, "choices", labels, areChoices, "2 to 10 texts with labels");
      needed(place, "answerKey", line.answerKey, (key) => labels.includes(key), `one of ${labels}`);
      return {
        id: needed(place, "id", line.id, isText, "a text"),
        subject: "arc",
        question: needed(place, "question", stem, isText, "a text"),
        choices: needed(
          place,
          "choices",
          pairs.map(([text]) => text),
          areChoices,
          "texts",
        ),
        answer: labels.indexOf(line.answerKey),
      };
    }),
  );
  return (await Promise.all(read)).flat();
}

function letterNumber(letter, choices, place) {
  const at = LETTERS.indexOf(letter);
  return needed(place, "answer", at, (one) => one >= 0 && one < choices.length, "a letter");
}

/** The question with its answers under letters; the right one behind it, where it is an example. */
export function questionText({ question, choices, answer }, { lead = "", solved }) {
  const answers = choices.map((choice, index) => `${LETTERS[index]}. ${choice}`);
  return `${lead}${question}\n${answers.join("\n")}\nAnswer:${solved ? ` ${LETTERS[answer]}` : ""}`;
}

/** Examples, then the question. */
export function choicePrompt(item, shots, { heading = "", lead }) {
  const solved = shots.map((shot) => questionText(shot, { lead, solved: true }));
  return heading + [...solved, questionText(item, { lead, solved: false })].join("\n\n");
}

/** The first `count` examples of the item's subject. */
export function shotsFor(item, shots, count) {
  const own = shots.filter(({ subject }) => subject === item.subject).slice(0, count);
  if (own.length === count) return own;
  throw new UsageError(
    `There are ${own.length} examples of "${item.subject}", and --shots asks for ${count}: give more with --shots-data`,
  );
}

/**
 * The letters as the model is to write them. Behind "Answer:" they have a space in front, which vocabularies of
 * SentencePiece add by themselves; an answer in a chat begins with the letter.
 */
export function letterTexts(model, count, style) {
  const adds =
    model.metadata.get("tokenizer.ggml.model") === "llama" &&
    model.metadata.get("tokenizer.ggml.add_space_prefix") !== "false";
  const space = style === "chat" || adds ? "" : " ";
  return LETTERS.slice(0, count).map((letter) => space + letter);
}

/** The text as it is, or as what the user says in the model's own chat format. */
export async function asPrompt(model, text, style) {
  if (style === "completion") return text;
  return await renderChatAsync([{ role: "user", content: text }], { model, date: "26 Jul 2024" });
}

/** What the model chooses: the likeliest letter, the first of equals. */
export async function chooseLetter(context, { prompt, letters }) {
  // To the bit what an empty cache gives, though examples that many questions share are evaluated once.
  const choices = await context.choose(prompt, letters, { cachePrompt: "exact" });
  const logprobs = choices.map(({ logprob }) => logprob);
  return {
    chosen: logprobs.indexOf(Math.max(...logprobs)),
    probabilities: choices.map(({ probability }) => probability),
    logprobs,
  };
}
