import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Model } from "../../lib/index.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { MODEL } from "../support/paths.js";

const directory = join(llamaCppDir(), "models");
const vocabularies = readdirSync(directory)
  .filter((name) => /^ggml-vocab-.*\.gguf$/.test(name))
  .filter((name) => existsSync(join(directory, `${name}.out`)));

test("llama.cpp's tree has the vectors of many vocabularies", () => {
  expect(vocabularies).toContain("ggml-vocab-llama-bpe.gguf");
  expect(vocabularies.length).toBeGreaterThan(10);
});

describe.each(vocabularies)("%s", (name) => {
  const path = join(directory, name);
  const mark = "\n__ggml_vocab_test__\n"; // after each text; one file lacks the last
  const input = readFileSync(`${path}.inp`, "utf8");
  const texts = (input.endsWith(mark) ? input.slice(0, -mark.length) : input).split(mark);
  const lines = readFileSync(`${path}.out`, "utf8").replace(/\n$/, "").split("\n");

  test("gives llama.cpp's tokens for every text", async () => {
    const model = await Model.load(path, { vocabOnly: true });
    try {
      expect(texts.length).toBe(lines.length);
      for (const [index, text] of texts.entries()) {
        const expected = (lines[index] as string).trim().split(/\s+/).filter(Boolean).map(Number);
        expect([text, [...model.tokenize(text)]]).toEqual([text, expected]);
      }
    } finally {
      await model.dispose();
    }
  });
});

describe("the demo model's tokenizer", () => {
  let model: Model;
  beforeAll(async () => {
    model = await Model.load(MODEL, { vocabOnly: true });
  });
  afterAll(() => model.dispose());

  test.each([
    "",
    "Hello llama",
    "  two  spaces\n\ttab",
    "naïve café 漢字 👩‍🚀 \u0000 end",
    "1234567890",
    "spaces before . and , and ! and ? it 's n't 'm 've 're",
  ])("takes %j apart and puts it together again", (text) => {
    expect(model.detokenize(model.tokenize(text))).toBe(text);
    expect(model.detokenize([...model.tokenize(text)])).toBe(text);
  });

  test("leaves what spells a control token text, unless told otherwise", () => {
    const text = "a<|eot_id|>b";
    const eot = model.tokenId("<|eot_id|>") as number;
    expect([...model.tokenize(text)]).not.toContain(eot);
    expect(model.detokenize(model.tokenize(text))).toBe(text);
    const special = model.tokenize(text, { special: true });
    expect([...special].filter((id) => id === eot)).toHaveLength(1);
    expect(model.detokenize(special)).toBe("ab");
    expect(model.detokenize(special, { special: true })).toBe(text);
  });

  test("adds a BOS where it is asked to", () => {
    const plain = model.tokenize("x");
    expect([...model.tokenize("x", { addBos: true })]).toEqual([model.specialTokens.bos, ...plain]);
  });

  test("takes half a surrogate pair for U+FFFD", () => {
    expect(model.detokenize(model.tokenize("a\ud83db"))).toBe("a\ufffdb");
  });

  test("knows control tokens by their text, and which end a generation", () => {
    const { bos, eos, eot, eom } = model.specialTokens;
    expect(model.tokenId("<|begin_of_text|>")).toBe(bos);
    expect(model.tokenId("<|eot_id|>")).toBe(eot);
    expect(model.tokenId("<|eom_id|>")).toBe(eom);
    expect(model.tokenId("a")).toBeNull();
    expect(model.tokenId("<|no_such_token|>")).toBeNull();
    for (const id of [eos, eot, eom]) expect(model.isEndOfGeneration(id as number)).toBe(true);
    expect(model.isEndOfGeneration(bos as number)).toBe(false);
  });

  test("refuses what is no text and no token", () => {
    const invalid = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
    for (const text of [1, null, undefined, {}, ["x"]]) {
      expect(() => model.tokenize(text as string)).toThrow(invalid);
      expect(() => model.tokenId(text as string)).toThrow(invalid);
    }
    expect(() => model.tokenize("x", { specail: true } as object)).toThrow(
      /did you mean `special`\?/,
    );
    for (const id of [-1, model.vocabularySize, 1.5, "1", Number.NaN, null, 2 ** 53]) {
      expect(() => model.detokenize([id as number])).toThrow(invalid);
      expect(() => model.isEndOfGeneration(id as number)).toThrow(invalid);
    }
    expect(() => model.detokenize(Int32Array.of(model.vocabularySize))).toThrow(invalid);
    expect(() => model.detokenize(Float32Array.of(1) as never)).toThrow(invalid);
  });
});
