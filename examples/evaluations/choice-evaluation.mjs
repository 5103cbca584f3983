// Multiple choice as a program: MMLU and ARC differ in their files and in what stands around a question.

import { asPrompt, choicePrompt, chooseLetter, letterTexts, shotsFor } from "./choice-prompts.mjs";
import { digestOf } from "./data-files.mjs";
import { grouped, meanOfGroups, ratio } from "./estimates.mjs";
import { scoreItems } from "./scored-file.mjs";

export const CHOICE_OPTIONS = {
  shots: { type: "string", value: "N", about: "solved examples in front of each question" },
  "shots-data": { type: "string", multiple: true, value: "FILE", about: "where those come from" },
  prompt: {
    ...{ type: "string", choices: ["completion", "chat"] },
    about: "the text as it is, or as a user's message",
  },
};

/** @param wording `(item) => { heading, lead }`, what stands before the examples and before each question */
export function choiceEvaluation({ name, read, wording, bySubject }) {
  return async ({ model, options, signal, progress }) => {
    const { data, limit, output, shots: count, prompt: style, sequences } = options;
    const all = await read(data);
    const items = all.slice(0, limit);
    const shots = count === 0 ? [] : await read(options["shots-data"]);
    const contextSize = options["context-size"];
    const context = await model.createContext({
      ...{ sequences, ...(contextSize !== undefined && { contextSize }) },
    });
    const { results, interrupted } = await scoreItems({
      ...{ items, output, width: sequences, signal, progress },
      settings: {
        ...{ evaluation: name, model: model.fingerprint, shots: count, prompt: style },
        ...{ data: digestOf(all), "examples' data": digestOf(shots) },
      },
      score: async (item) => {
        const text = choicePrompt(item, shotsFor(item, shots, count), wording(item));
        const prompt = await asPrompt(model, text, style);
        const letters = letterTexts(model, item.choices.length, style);
        return await chooseLetter(context, { prompt, letters });
      },
    });
    const answered = items.filter(({ id }) => results.has(id));
    const right = ({ id, answer }) => Number(results.get(id).chosen === answer);
    const accuracy = ratio(answered.map(right));
    const subjects = [...grouped(answered, ({ subject }) => subject)].map(([subject, own]) => [
      ...[subject, ratio(own.map(right))],
    ]);
    return {
      estimates: {
        accuracy,
        ...(bySubject && {
          "mean of subjects": meanOfGroups(subjects.map(([, estimate]) => estimate)),
          ...Object.fromEntries(subjects.map(([subject, one]) => [`  ${subject}`, one])),
        }),
      },
      counts: { items: answered.length },
      interrupted,
    };
  };
}
