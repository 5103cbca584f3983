import type { TemplateFormat } from "../../../lib/chat/formats/template-format.js";
import { callGrammar } from "../../../lib/chat/formats/template-grammar.js";
import { Grammar } from "../../../lib/sampling/grammar.js";

const format = (grammar: string): TemplateFormat => ({
  format: "peg-native",
  parser: "{}",
  generationPrompt: "",
  grammar,
  grammarLazy: false,
  triggers: [],
  preservedTokens: [],
  additionalStops: [],
  reasons: false,
  reasoningStart: "",
  reasoningEnds: [],
});

test("the grammar of each turn is read once, as long as there are not many", () => {
  const read = jest.spyOn(Grammar, "gbnf");
  const made = (text: string) => callGrammar(format(`root ::= "${text}"`))?.source;
  const first = made("first");
  for (let turn = 0; turn < 20; turn++) expect(made("first")).toBe(first);
  expect(read).toHaveBeenCalledTimes(1);
  for (let other = 0; other < 100; other++) {
    made(`other ${other}`);
    made("first");
  }
  expect(read).toHaveBeenCalledTimes(101);
  for (let other = 0; other < 100; other++) made(`other ${other}`);
  expect(made("first")).toBe(first);
  expect(read).toHaveBeenCalledTimes(202);
});
