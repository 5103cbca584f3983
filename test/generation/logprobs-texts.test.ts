import type { Context, GenerationChunk } from "../../lib/index.js";
import type { NativeNews } from "../../lib/internal/native.js";
import { TokenTexts } from "../../lib/model/token-texts.js";
import { FakeNativeContext, openFake, settled } from "../support/fake-context.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native);
});

const code = (code: string) => expect.objectContaining({ code });

/** News of tokens with two likeliest each: the token itself and the one after it. */
function news(text: string, ...tokens: number[]): NativeNews {
  const entries = tokens.flatMap((token) => [token, token, (token + 1) % 10]);
  const values = tokens.flatMap((token) => [-token, -token, -token - 0.5]);
  return {
    id: 1,
    text,
    tokens: Int32Array.from(tokens),
    logprobs: { tokens: Int32Array.from(entries), values: Float32Array.from(values) },
  };
}

function entry(token: number) {
  const one = { token, text: `<${token}>`, logprob: -token };
  const other = (token + 1) % 10;
  return { ...one, top: [one, { token: other, text: `<${other}>`, logprob: -token - 0.5 }] };
}

async function collect(generation: AsyncIterable<GenerationChunk>): Promise<GenerationChunk[]> {
  const chunks: GenerationChunk[] = [];
  for await (const chunk of generation) chunks.push(chunk);
  return chunks;
}

test("the number goes down, none without it", () => {
  for (const logprobs of [0, 20]) context.generate("x", { logprobs });
  context.generate("x", {});
  context.generate("x", { cachePrompt: false });
  context.generate("x", { cachePrompt: "exact" });
  expect(native.requests.map(({ logprobs }) => logprobs)).toEqual([0, 20, -1, -1, -1]);
  expect(native.requests.map(({ reuse }) => reuse)).toEqual(["any", "any", "any", "none", "exact"]);
});

test.each([-1, 21, 1.5, "3", true, Number.NaN, null])("logprobs %p is refused", (logprobs) => {
  expect(() => context.generate("x", { logprobs: logprobs as number })).toThrow(
    code("ERR_INVALID_ARGUMENT"),
  );
});

test.each([1, "true", null])("cachePrompt %p is refused", (cachePrompt) => {
  expect(() => context.generate("x", { cachePrompt: cachePrompt as never })).toThrow(
    code("ERR_INVALID_ARGUMENT"),
  );
});

test("each chunk has those of its own tokens, the result has all", async () => {
  const generation = context.generate("x", { logprobs: 2 });
  const chunks = collect(generation);
  native.news(news("a", 1, 2));
  await settled();
  native.news(news("", 3)); // held back: part of a character
  await settled();
  native.news(news("b", 4));
  native.finish(1);
  expect((await chunks).map(({ logprobs }) => logprobs)).toEqual([
    [entry(1), entry(2)],
    [entry(3), entry(4)],
  ]);
  expect((await generation.result()).logprobs).toEqual([1, 2, 3, 4].map(entry));
});

test("neither chunk nor result has any without being asked", async () => {
  const generation = context.generate("x");
  native.text(1, "a", 1);
  native.finish(1);
  expect(await collect(generation)).toEqual([{ text: "a", tokens: Int32Array.of(1) }]);
  expect("logprobs" in (await generation.result())).toBe(false);
});

test("with 0 there is the chosen token alone", async () => {
  const generation = context.generate("x", { logprobs: 0 });
  const logprobs = { tokens: Int32Array.of(5), values: Float32Array.of(-0.25) };
  native.news({ id: 1, text: "a", tokens: Int32Array.of(5), logprobs });
  native.finish(1);
  expect((await generation.result()).logprobs).toEqual([
    { token: 5, text: "<5>", logprob: -0.25, top: [] },
  ]);
});

test("a generation without a token has an empty list", async () => {
  const generation = context.generate("x", { logprobs: 1 });
  native.finish(1);
  expect((await generation.result()).logprobs).toEqual([]);
});

test("the result's are made once, in JSON and copies, too", async () => {
  const generation = context.generate("x", { logprobs: 2 });
  native.news(news("a", 1));
  native.finish(1);
  const result = await generation.result();
  expect(result.logprobs).toBe(result.logprobs);
  expect(JSON.parse(JSON.stringify(result)).logprobs).toEqual([entry(1)]);
  expect({ ...result }.logprobs).toEqual([entry(1)]);
});

test("each text is asked of the engine once, and needs no engine when it is read", async () => {
  const asked: number[] = [];
  const spell = native.spell;
  native.spell = (tokens) => {
    asked.push(tokens[0] as number);
    return spell(tokens);
  };
  const generation = context.generate("x", { logprobs: 2 });
  for (let i = 0; i < 1000; i++) native.news(news("a", i % 10));
  native.finish(1);
  expect(asked).toHaveLength(20); // alone, and behind itself
  native.spell = () => {
    throw new Error("disposed");
  };
  await context.dispose();
  const { logprobs } = await generation.result();
  expect(logprobs).toHaveLength(1000);
  expect(logprobs?.[999]).toEqual(entry(9));
});

test("what the detokenizer throws fails that generation", async () => {
  native.spell = () => {
    throw Object.assign(new Error("gone"), { code: "ERR_DISPOSED" });
  };
  const generation = context.generate("x", { logprobs: 2 });
  native.news(news("a", 1));
  await expect(generation.result()).rejects.toEqual(code("ERR_DISPOSED"));
  expect(native.cancelled).toEqual([1]);
});

test("a text keeps the space that a detokenizer takes away at the start", () => {
  // As SentencePiece does it: the first token's space goes.
  const pieces = [" llama", "\ufffd", "x"];
  const texts = new TokenTexts((tokens) => {
    const text = [...tokens].map((token) => pieces[token]).join("");
    return text.startsWith(" ") ? text.slice(1) : text;
  });
  texts.learn(Int32Array.of(0, 1, 2));
  expect([0, 1, 2].map((token) => texts.of(token))).toEqual(pieces);
});
