// An answer that repeats a part of its prompt, with changes; and one that a schema leaves little choice about.

import { performance } from "node:perf_hooks";
import { Grammar } from "../../dist/index.js";
import { createContext, greedy, promptMakerOf, withModel } from "./support.mjs";

/** The model of the row goes on with the next id: the source is what it will say, with some ids that are wrong. */
function source({ first, tokens, every }) {
  return Array.from(
    { length: tokens },
    (_, at) => first + at + (at % every === every - 1 ? 50_000 : 0),
  );
}

/** Milliseconds of the answer behind its first token. */
export function edit(work) {
  return withModel(work, async (model) => {
    const { tokens, speculation } = work;
    const contextSize = 2 * tokens + 256;
    const context = await createContext(model, { ...work, contextSize, more: { speculation } });
    const milliseconds = [];
    for (let i = 0; i <= work.repetitions; ++i) {
      const first = 1000 * (i + 1);
      const prompt = Int32Array.from([...source({ ...work, first }), first - 1]);
      let [start, count] = [0, 0];
      const generation = context.generate(prompt, { sampler: greedy, maxTokens: tokens + 1 });
      for await (const chunk of generation) {
        start ||= performance.now();
        count += chunk.tokens.length;
        if (chunk.tokens.some((id, at) => id !== first + count - chunk.tokens.length + at))
          throw new Error("The model does not count.");
      }
      milliseconds.push(performance.now() - start);
    }
    return milliseconds.slice(1);
  });
}

const object = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const text = (pattern) => ({ type: "string", pattern: `^${pattern}$` });
const cents = { type: "integer", minimum: 1000, maximum: 9999 };

/** What is taken out of an invoice. The values are as long whatever a model says. */
const invoice = object({
  invoice_number: text("[A-Z]{2}-[0-9]{6}"),
  issue_date: { type: "string", format: "date" },
  customer: object({
    company_name: text("[a-z ]{16}"),
    street_address: text("[a-z ]{20}"),
    postal_code: text("[0-9]{5}"),
    country: { enum: ["Germany", "France", "Netherlands"] },
  }),
  items: {
    type: "array",
    minItems: 3,
    maxItems: 3,
    items: object({
      description: text("[a-z ]{24}"),
      quantity: { type: "integer", minimum: 10, maximum: 99 },
      unit_price_in_cents: cents,
    }),
  },
  total_amount_in_cents: cents,
  payment_status: { enum: ["paid", "open", "overdue"] },
});

/** Milliseconds for each 100 characters of an invoice, behind its first token. */
export function extract(work) {
  return withModel(work, async (model) => {
    const { speculation } = work;
    const context = await createContext(model, {
      ...work,
      contextSize: 1024,
      more: { speculation },
    });
    const promptOf = promptMakerOf(model);
    const grammar = Grammar.jsonSchema(invoice);
    const milliseconds = [];
    for (let i = 0; i <= work.repetitions; ++i) {
      let [start, answer, first] = [0, "", 0];
      const options = { temperature: 0, grammar, maxTokens: 800 };
      for await (const chunk of context.generate(promptOf(64), options)) {
        answer += chunk.text;
        if (start === 0) [start, first] = [performance.now(), answer.length];
      }
      milliseconds.push(((performance.now() - start) * 100) / (answer.length - first));
      JSON.parse(answer);
    }
    return milliseconds.slice(1);
  });
}
