import { type Context, Grammar, Model, Sampler } from "../../lib/index.js";
import { chosen, endTokens, forbidden, question } from "../support/demo.js";
import { MODEL } from "../support/paths.js";

const code = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const greedy = Sampler.greedy();

let model: Model;
let context: Context;
let endless: Sampler;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 4 });
  endless = greedy.with({ logitBias: forbidden(endTokens(model)) });
});
afterAll(() => model.dispose());

/** Always this token, as often as it may. */
function only(token: number): Sampler {
  return greedy.with({ logitBias: { [token]: 1e6 } });
}

describe("sampling", () => {
  const hot = new Sampler({ temperature: 2, topK: 0, topP: 1, minP: 0 });
  const run = async (sampler: Sampler) => {
    const result = await context.generate("The", { sampler, maxTokens: 24 }).result();
    return chosen(result).join();
  };

  test("repeats itself with the same seed, the largest included, and only then", async () => {
    for (const seed of [0, 42, 2 ** 32 - 2]) {
      const sampler = hot.with({ seed });
      expect(await run(sampler)).toBe(await run(sampler));
    }
    expect(await run(hot.with({ seed: 1 }))).not.toBe(await run(hot.with({ seed: 2 })));
    expect(await run(hot)).not.toBe(await run(hot));
  });

  test("does not depend on what runs beside it", async () => {
    const seeds = [1, 2, 3, 4, 5, 6];
    const alone: string[] = [];
    for (const seed of seeds) alone.push(await run(hot.with({ seed })));
    expect(await Promise.all(seeds.map((seed) => run(hot.with({ seed }))))).toEqual(alone);
  });

  test("with topK 1 or temperature 0 is greedy", async () => {
    const expected = await run(greedy);
    expect(await run(new Sampler({ topK: 1, temperature: 5 }))).toBe(expected);
    expect(await run(new Sampler({ temperature: 0 }))).toBe(expected);
    expect(await run(Sampler.chain([{ type: "top-k", value: 1 }, { type: "dist" }]))).toBe(
      expected,
    );
    expect(await run(new Sampler({ topP: 0, topK: 0, minP: 0 }))).toBe(expected);
    expect(await run(new Sampler({ minP: 1, topP: 1, topK: 0 }))).toBe(expected);
  });

  test("obeys logitBias, up or down", async () => {
    const first = chosen(
      await context.generate("The", { sampler: greedy, maxTokens: 1 }).result(),
    )[0];
    const banned = greedy.with({ logitBias: forbidden([first as number]) });
    const [other] = chosen(
      await context.generate("The", { sampler: banned, maxTokens: 1 }).result(),
    );
    expect(other).not.toBe(first);
    const forced = await context.generate("The", { sampler: only(5), maxTokens: 3 }).result();
    expect([...forced.tokens]).toEqual([5, 5, 5]);
  });

  test("survives a vocabulary that is forbidden altogether", async () => {
    const all = forbidden(Array.from({ length: model.vocabularySize }, (_, id) => id));
    for (const sampler of [greedy.with({ logitBias: all }), hot.with({ logitBias: all })]) {
      const outcome = await context
        .generate("The", { sampler, maxTokens: 3 })
        .result()
        .catch((error: unknown) => error);
      expect(outcome).toBeDefined();
    }
    expect(
      (await context.generate("The", { sampler: endless, maxTokens: 3 }).result()).tokens,
    ).toHaveLength(3);
  });

  test("penalizes repetition", async () => {
    const token = 5;
    const sampler = only(token).with({ penalties: { frequency: 100, lastN: 16 } });
    const free = greedy.with({ logitBias: { [token]: 50 } });
    const punished = free.with({ penalties: { presence: 100, frequency: 100 } });
    const count = async (s: Sampler) =>
      chosen(await context.generate("The", { sampler: s, maxTokens: 12 }).result()).filter(
        (id) => id === token,
      ).length;
    expect(await count(free)).toBe(12);
    expect(await count(punished)).toBeLessThan(3);
    expect(await count(sampler)).toBe(12); // a bias of a million outweighs any penalty
  });

  test("refuses tokens that the vocabulary does not have", () => {
    const sampler = greedy.with({ logitBias: { [model.vocabularySize]: 1 } });
    expect(() => context.generate("x", { sampler })).toThrow(
      code("ERR_INVALID_ARGUMENT", /vocabulary size/),
    );
  });
});

describe("grammar", () => {
  const digits = Grammar.gbnf('root ::= [0-9]+ "-" [a-f]{3} "."');

  test("holds for greedy and for drawn output, alone and together", async () => {
    const samplers = [
      greedy.with({ grammar: digits }),
      ...[1, 2, 3].map((seed) => new Sampler({ temperature: 1.5, seed, grammar: digits })),
    ];
    const results = await Promise.all(
      samplers.map((sampler) => context.generate("The", { sampler, maxTokens: 100 }).result()),
    );
    for (const { text, stopReason } of results) {
      if (stopReason === "max-tokens") expect(text).toMatch(/^[0-9]+(-[a-f]{0,3})?$/);
      else expect(text).toMatch(/^[0-9]+-[a-f]{3}\.$/);
    }
  });

  test("ends the generation when it is complete", async () => {
    const sampler = greedy.with({
      grammar: Grammar.gbnf('answer ::= "yes" | "no"', { root: "answer" }),
    });
    const { text, stopReason } = await context
      .generate(question("Yes or no?"), { sampler })
      .result();
    expect(["yes", "no"]).toContain(text);
    expect(stopReason).toMatch(/^end-of-/);
  });

  test("starts anew with every generation of the same sampler", async () => {
    const sampler = greedy.with({ grammar: Grammar.gbnf('root ::= "same"') });
    for (let i = 0; i < 3; i++) {
      expect((await context.generate("The", { sampler }).result()).text).toBe("same");
    }
  });

  test("that is wrong is refused when it is made", () => {
    expect(() => Grammar.gbnf("root ::= (")).toThrow(code("ERR_GRAMMAR_INVALID"));
    expect(() => Grammar.gbnf('other ::= "x"')).toThrow(code("ERR_GRAMMAR_INVALID"));
    expect(() => Grammar.gbnf(5 as never)).toThrow(code("ERR_INVALID_ARGUMENT"));
  });
});
