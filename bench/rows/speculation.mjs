// Speculative decoding: cria beside itself without.

import { cria, perSecond } from "../sides.mjs";

/** A source of 500 tokens is in the prompt, the answer is the same but for one token in twenty. */
function editing() {
  const side =
    (speculation) =>
    async ({ model, settings, repetitions, quick }) => {
      const tokens = quick ? 100 : 500;
      const work = { work: "edit", model, settings, tokens, every: 20, repetitions, speculation };
      return (await cria(work)).map(perSecond(tokens));
    };
  return {
    name: "speculation-edit",
    title: "an edit of 500 tokens, one in twenty of them new, guessed from their source",
    model: "1b-counts",
    reference: "cria without speculation",
    unit: "tok/s",
    wanted: { ratio: { atLeast: 1.8 } },
    repetitions: 1,
    a: side(undefined),
    b: side({ type: "ngram" }),
  };
}

/** Keys, quotes and the rest of a schema's values are not sampled, and evaluated together. */
function extracting() {
  const side =
    (speculation) =>
    async ({ model, settings, repetitions }) =>
      (await cria({ work: "extract", model, settings, repetitions, speculation })).map(
        perSecond(100),
      );
  return {
    name: "speculation-json",
    title: "an invoice as JSON by a schema, what it forces taken without sampling",
    model: "1b",
    reference: "cria without speculation",
    unit: "chars/s",
    wanted: { ratio: { atLeast: 1.3 } },
    a: side(undefined),
    b: side({ type: "ngram", takeForced: true }),
  };
}

export const speculations = [editing(), extracting()];
