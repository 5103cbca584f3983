import { generateAll, generateChoices } from "../../../lib/batch/engine/whole-answers.js";
import type { AnswerReader } from "../../../lib/chat/answer-reader.js";
import { type Context, Grammar, Model, Sampler } from "../../../lib/index.js";
import { Places } from "../../../lib/internal/places.js";
import { windowWidth } from "../../../lib/internal/windowed.js";
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

/** Counts how many generations are pending. */
function countPending() {
  const { generate } = context;
  const count = { now: 0, most: 0 };
  const counted = jest.spyOn(context, "generate").mockImplementation((...given) => {
    const generation = generate.apply(context, given);
    count.most = Math.max(count.most, ++count.now);
    const ended = () => void count.now--;
    generation.result().then(ended, ended);
    return generation;
  });
  return { count, restore: () => counted.mockRestore() };
}

test("of many prompts few are asked for at a time, and the answers are in their order", async () => {
  const { signal } = new AbortController();
  const options = { sampler: Sampler.greedy(), maxTokens: 1, logprobs: 0 };
  const asked = Array.from({ length: 100 }, (_, index) => ({ prompt: `${index}`, options }));
  const { count, restore } = countPending();
  const together = await generateAll(context, asked, { signal });
  restore();
  expect(count.most).toBeGreaterThan(1);
  expect(count.most).toBeLessThanOrEqual(windowWidth(context.sequences));
  for (const [index, prompt] of ["0", "57", "99"].entries()) {
    const [alone] = await generateAll(context, [{ prompt, options }], { signal });
    expect(alone?.text).toBe(together[[0, 57, 99][index] as number]?.text);
  }
});

test("requests that share places are not in the way of others, however much they ask for", async () => {
  const { signal } = new AbortController();
  const options = { sampler: Sampler.greedy(), maxTokens: 1 };
  const asked = Array.from({ length: 9 }, (_, index) => ({ prompt: `${index}`, options }));
  const alone = await generateAll(context, asked, { signal });
  const { count, restore } = countPending();
  const places = new Places(1);
  const both = await Promise.all(
    [asked, asked].map((one) => generateAll(context, one, { signal, places })),
  );
  expect(count).toEqual({ now: 0, most: 1 });
  const texts = (results: { text: string }[]) => results.map(({ text }) => text);
  for (const results of both) expect(texts(results)).toEqual(texts(alone));
  // One that is ended leaves its places to the other.
  const stop = new AbortController();
  const ended = generateAll(context, asked, { signal: stop.signal, places });
  const other = generateAll(context, asked, { signal, places });
  stop.abort("enough");
  await expect(ended).rejects.toBe("enough");
  expect(await other).toHaveLength(9);
  restore();
});

test("the first failure ends the others", async () => {
  const { signal } = new AbortController();
  const options = { sampler: new Sampler({ grammar: Grammar.gbnf("root ::= [a-z] root") }) };
  let begun = 0;
  let ended = 0;
  const { generate } = context;
  const watched = jest.spyOn(context, "generate").mockImplementation((...given) => {
    const generation = generate.apply(context, given);
    begun++;
    generation.result().then(({ stopReason }) => stopReason === "cancelled" && ended++);
    return generation;
  });
  const asked = ["Once", "", "Once"].map((prompt) => ({ prompt, options }));
  (asked as { prompt: unknown }[])[1] = { ...asked[1], prompt: [-1] } as never;
  await expect(generateAll(context, asked, { signal })).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
  });
  watched.mockRestore();
  expect(begun).toBeGreaterThan(0);
  expect(ended).toBe(begun);
});

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
