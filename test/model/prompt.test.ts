import { type Model, promptToString } from "../../lib/index.js";
import { nativePrompt } from "../../lib/model/prompt.js";
import { copyTokens } from "../../lib/model/tokens.js";

const vocabulary = {
  vocabularySize: 100,
  addsBos: true,
  tokenId: (text: string) => ["<a>", "<b>"].indexOf(text),
};
const withoutBos = { ...vocabulary, addsBos: false };
const invalid = (message: RegExp) =>
  expect.objectContaining({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });

describe("native prompt", () => {
  test("of a string is raw text with the BOS that the model wants", () => {
    expect(nativePrompt("<a>", vocabulary)).toEqual({ segments: ["<a>"], addBos: true });
    expect(nativePrompt("x", withoutBos)).toEqual({ segments: ["x"], addBos: false });
    expect(nativePrompt("", vocabulary)).toEqual({ segments: [], addBos: true });
  });

  test("of tokens is a copy of them, without BOS", () => {
    const tokens = Int32Array.of(5, 99);
    const { segments, addBos } = nativePrompt(tokens, vocabulary);
    tokens[0] = 7;
    expect([segments, addBos]).toEqual([[Int32Array.of(5, 99)], false]);
    expect(nativePrompt([5, 0], vocabulary).segments).toEqual([Int32Array.of(5, 0)]);
  });

  test("joins neighbouring ids and keeps every text apart", () => {
    const prompt = [
      { control: "<a>" },
      { tokens: [7] },
      { text: "" },
      { control: "<b>" },
      { text: "one" },
      { text: "two" },
      { tokens: Int32Array.of(3) },
    ];
    expect(nativePrompt(prompt, vocabulary)).toEqual({
      segments: [Int32Array.of(0, 7, 1), "one", "two", Int32Array.of(3)],
      addBos: false,
    });
  });

  test.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /a string, an array of segments or token ids/],
    ["a number", 5, /a string, an array/],
    ["an object", { text: "x" }, /a string, an array/],
    ["an empty array", [], /at least one token/],
    ["empty segments", [{ text: "" }, { tokens: [] }], /at least one token/],
    ["another typed array", Uint32Array.of(1), /an Int32Array or an array/],
    ["a negative id", [1, -1], /token id from 0 to 99 for `prompt\[1\]`, got -1/],
    ["an id beyond the vocabulary", Int32Array.of(100), /`prompt\[0\]`, got 100/],
    ["a fraction", [1.5], /got 1\.5/],
    ["ids and segments mixed", [1, { text: "x" }], /`prompt\[1\]`, got an object/],
    ["segments and ids mixed", [{ text: "x" }, 1], /`prompt\[1\]`, got 1/],
    ["undefined", [{ text: "x" }, undefined], /`prompt\[1\]`/],
    ["a segment of nothing", [{}], /one of `text`, `control`, `tokens`/],
    ["a segment of two kinds", [{ text: "x", control: "<a>" }], /one of `text`/],
    ["a misspelt segment", [{ contorl: "<a>" }], /did you mean `control`\?/],
    ["text that is none", [{ text: 5 }], /a string for `prompt\[0\]\.text`, got 5/],
    [
      "an unknown control token",
      [{ text: "" }, { control: "<c>" }],
      /no control token "<c>" \(`prompt\[1\]\.control`\)/,
    ],
    ["bad ids in a segment", [{ tokens: [0, 100] }], /`prompt\[0\]\.tokens\[1\]`, got 100/],
  ])("refuses %s", (_, prompt, message) => {
    expect(() => nativePrompt(prompt, withoutBos)).toThrow(invalid(message));
  });

  test("refuses the empty string where no BOS would stand for it", () => {
    expect(() => nativePrompt("", withoutBos)).toThrow(invalid(/some text/));
  });

  test("of a proxy that throws is an invalid argument with that error as its cause", () => {
    const cause = new Error("trap");
    const prompt = new Proxy([{ text: "x" }], {
      get: () => {
        throw cause;
      },
    });
    expect(() => nativePrompt(prompt, vocabulary)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT", cause }),
    );
  });
});

test("a revoked proxy and a detached array are invalid arguments, wherever ids are taken", () => {
  const { proxy, revoke } = Proxy.revocable([1], {});
  revoke();
  const detached = Int32Array.of(1);
  structuredClone(detached, { transfer: [detached.buffer] });
  for (const wrong of [proxy, detached]) {
    expect(() => nativePrompt(wrong, vocabulary)).toThrow(invalid(/`prompt`/));
    expect(() => nativePrompt([{ tokens: wrong }], vocabulary)).toThrow(invalid(/prompt\[0\]/));
    expect(() => copyTokens(wrong, "tokens", 9)).toThrow(invalid(/`tokens`/));
  }
});

describe("promptToString", () => {
  const model = {
    detokenize: (tokens: readonly number[], options: object) =>
      `${tokens.join()}${JSON.stringify(options)}`,
  } as unknown as Model;

  test("shows text and control tokens as they are, ids by the model", () => {
    const prompt = [{ control: "<a>" }, { text: "hi <b>" }, { tokens: [1, 2] }];
    expect(promptToString(prompt, model)).toBe('<a>hi <b>1,2{"special":true}');
    expect(promptToString([])).toBe("");
  });

  test("refuses ids without a model, and what is no prompt", () => {
    expect(() => promptToString([{ tokens: [1] }])).toThrow(
      invalid(/a model.*`model`, got undefined/),
    );
    expect(() => promptToString("text" as never)).toThrow(invalid(/an array of prompt segments/));
  });
});
