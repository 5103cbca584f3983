import { CriaError, Grammar } from "../lib/index.js";
import { converterCases, trimmed } from "./support/converter-cases.js";

const cases = converterCases();

test("llama.cpp's own cases were found", () => {
  expect(cases.length).toBeGreaterThanOrEqual(81);
  expect(cases.filter(({ succeeds }) => !succeeds).length).toBeGreaterThan(1);
});

test.each(cases.map((one) => [one.name, one] as const))(
  "as in llama.cpp: %s",
  (_, { succeeds, schema, grammar }) => {
    let made: Grammar | CriaError;
    try {
      made = Grammar.jsonSchema(JSON.parse(schema) as object);
    } catch (error) {
      made = error as CriaError;
    }
    if (succeeds) {
      expect(made).toBeInstanceOf(Grammar);
      expect(trimmed((made as Grammar).source)).toBe(trimmed(grammar));
    } else {
      expect(made).toMatchObject({ code: "ERR_SCHEMA_UNSUPPORTED" });
    }
  },
);
