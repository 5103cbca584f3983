import { generateChoices } from "../../../lib/batch/engine/whole-answers.js";
import type { AnswerReader } from "../../../lib/chat/answer-reader.js";
import { type Context, Grammar, Model, Sampler } from "../../../lib/index.js";
import type { ParsedToolCall } from "../../../lib/messages/tool-types.js";
import { MODEL } from "../../support/paths.js";

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 2048 });
});
afterAll(() => model.dispose());

const CALL: ParsedToolCall = {
  ...{ id: "call_1", type: "function", format: "json", known: true },
  function: { name: "f", arguments: "{}" },
};

/** Takes five letters for a call, and wants nothing behind it. */
function oneCall(endsEarly: boolean): AnswerReader {
  let text = "";
  return {
    ...{ grammar: undefined, special: false, stop: [], reasoningRanges: [], endsEarly },
    push(piece) {
      const before = text.length;
      text += piece;
      return before < 5 && text.length >= 5 ? [{ type: "tool-call", call: CALL }] : [];
    },
    finish: async () => [],
    get over() {
      return text.length >= 5;
    },
  };
}

test("an answer ends where its reader has what is wanted", async () => {
  // Letters without an end: a model that goes on with calls of which nobody wants to hear.
  const sampler = new Sampler({ grammar: Grammar.gbnf("root ::= [a-z] root"), seed: 1 });
  const asked = (maxTokens: number) => [{ prompt: "Once", options: { sampler, maxTokens } }];
  const { signal } = new AbortController();
  const [one] = await generateChoices(context, asked(1500), {
    ...{ signal, model, openReader: async () => oneCall(true) },
  });
  expect(one?.calls).toEqual([CALL]);
  expect(one?.result.stopReason).toBe("cancelled");
  const [all] = await generateChoices(context, asked(20), {
    ...{ signal, model, openReader: async () => oneCall(false) },
  });
  expect(all?.calls).toEqual([CALL]);
  expect(all?.result.stopReason).toBe("max-tokens");
});
