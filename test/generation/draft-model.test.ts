import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Context,
  type ContextOptions,
  type GenerateOptions,
  type GenerationResult,
  Grammar,
  Model,
  type SpeculationOptions,
} from "../../lib/index.js";
import { endTokens, forbidden } from "../support/demo.js";
import { writeModelOfKind } from "../support/model-kinds.js";
import { MODEL } from "../support/paths.js";
import { expectPlain } from "../support/plain-greedy.js";
import { Random } from "../support/random.js";
import { writeRandomModel } from "../support/random-model.js";
import { VOCABULARY, writeBert, writeLlama } from "../support/tiny-models.js";

const directory = mkdtempSync(join(tmpdir(), "cria-draft-"));
const at = (name: string) => join(directory, `${name}.gguf`);
const SHAPE = { contextSize: 512, kvCacheType: "f32", flashAttention: false } as const;
const likeHere = () => ({ ...SHAPE, model: model.path });
/** So many that guessing costs the small model a fraction of what it saves. */
const IDLE_LAYERS = 30;

let model: Model;
/** The same without the idle layers, and another one. */
let small: Model;
let other: Model;
let plain: Context;
beforeAll(async () => {
  await writeRandomModel(at("large"), 7, { idleLayers: IDLE_LAYERS });
  await writeRandomModel(at("random"), 7);
  await writeRandomModel(at("other"), 8);
  model = await Model.load(at("large"));
  small = await Model.load(at("random"));
  other = await Model.load(at("other"));
  plain = await model.createContext(SHAPE);
});
afterAll(async () => {
  await Promise.all([model, small, other].map((one) => one.dispose()));
  rmSync(directory, { recursive: true });
});

function anyText(seed: number, length: number): Int32Array {
  const random = new Random(seed);
  return Int32Array.from({ length }, () => random.below(model.vocabularySize - 300));
}

const talks = (options: GenerateOptions = {}): GenerateOptions => ({
  temperature: 0,
  maxTokens: 40,
  logitBias: forbidden(endTokens(model)),
  ...options,
});

const guessedBy = (draft: Model, options: ContextOptions = {}) =>
  model.createContext({ ...SHAPE, speculation: { type: "draft", draft }, ...options });

function sumOf(results: readonly GenerationResult[]) {
  const counts = results.map(({ speculation }) => speculation ?? { proposed: -1, accepted: -1 });
  return {
    proposed: counts.reduce((sum, { proposed }) => sum + proposed, 0),
    accepted: counts.reduce((sum, { accepted }) => sum + accepted, 0),
  };
}

test.each<[string, ContextOptions]>([
  ["as it comes", {}],
  ["taken in piece by piece", { microBatchSize: 16, batchSize: 64 }],
  ["beside others", { sequences: 3 }],
  ["with one cache for all", { sequences: 3, kvCache: "unified" }],
])("who says the same is nearly always right, %s", async (_name, options) => {
  await using context = await guessedBy(small, options);
  const prompts = [1, 2, 3].map((seed) => anyText(seed, 20 + 70 * seed));
  const results: GenerationResult[] = [];
  for (const prompt of prompts) results.push(await context.generate(prompt, talks()).result());
  await expectPlain(prompts, results, likeHere());
  const { proposed, accepted } = sumOf(results);
  expect(accepted).toBeGreaterThan(0.9 * proposed);
  expect(accepted).toBeGreaterThan(45);
  // Together they do not guess, and say the same.
  const together = await Promise.all(
    prompts.map((prompt) => context.generate(prompt, talks()).result()),
  );
  await expectPlain(prompts, together, likeHere());
});

test("who says something else is soon asked no more, and changes nothing", async () => {
  await using context = await guessedBy(other);
  const prompts = [1, 2, 3].map((seed) => anyText(seed, 100));
  const results: GenerationResult[] = [];
  for (const prompt of prompts)
    results.push(await context.generate(prompt, talks({ maxTokens: 100 })).result());
  await expectPlain(prompts, results, likeHere());
  const { proposed, accepted } = sumOf(results);
  expect(proposed).toBeGreaterThan(0);
  expect(accepted).toBeLessThan(proposed);
  expect(proposed).toBeLessThan(100);
});

test("what is sampled is the same, seed by seed", async () => {
  await using context = await guessedBy(small);
  let different = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const options = talks({ temperature: 0.03, seed });
    const expected = await plain.generate(anyText(seed, 80), options).result();
    const result = await context.generate(anyText(seed, 80), options).result();
    expect(result.speculation?.proposed).toBeGreaterThan(0);
    if (result.text !== expected.text) different += 1;
  }
  // One draw in many thousands lies on a border that the order of sums decides.
  expect(different).toBeLessThanOrEqual(1);
});

test("what a grammar forces comes first", async () => {
  const speculation: SpeculationOptions = { type: "draft", draft: other, takeForced: true };
  await using context = await guessedBy(other, { speculation });
  const grammar = Grammar.gbnf('root ::= "the same text for all of them" [a-z]{3}');
  const { text, speculation: counts } = await context
    .generate("x", { grammar, temperature: 0 })
    .result();
  expect(text).toMatch(/^the same text for all of them[a-z]{3}$/);
  expect(counts?.accepted).toBeGreaterThan(0);
});

test("where it was trained on less, it stops guessing", async () => {
  await using short = await Model.load(at("random"), {
    metadataOverrides: { "llama.context_length": 64 },
  });
  await using context = await guessedBy(short);
  const prompt = anyText(4, 30);
  const result = await context.generate(prompt, talks({ maxTokens: 100 })).result();
  await expectPlain([prompt], [result], likeHere());
  expect(result.usage.completionTokens).toBe(100);
  expect(result.speculation?.proposed).toBeGreaterThan(0);
  expect(result.speculation?.proposed).toBeLessThanOrEqual(64);
});

test("a text may change while it follows", async () => {
  await using context = await guessedBy(small);
  const begun = anyText(5, 90);
  const prompts = [begun, begun.slice(0, 50), anyText(6, 10), begun];
  const results: GenerationResult[] = [];
  for (const prompt of prompts) results.push(await context.generate(prompt, talks()).result());
  await expectPlain(prompts, results, likeHere());
  const { proposed, accepted } = sumOf(results);
  expect(accepted).toBeGreaterThan(0.9 * proposed);
  const generation = context.generate(begun, talks({ maxTokens: 300 }));
  for await (const _ of generation) break;
  expect((await generation.result()).stopReason).toMatch(/cancelled|max-tokens/);
});

test("disposing it disposes the context that it guesses for", async () => {
  const draft = await Model.load(at("random"));
  const context = await guessedBy(draft);
  const generation = context.generate(anyText(7, 20), talks({ maxTokens: 400 })).result();
  const outcome = generation.then(
    ({ stopReason }) => stopReason,
    ({ code }) => code,
  );
  await draft.dispose();
  expect(context.disposed).toBe(true);
  expect(["ERR_DISPOSED", "max-tokens"]).toContain(await outcome);
  await expect(guessedBy(draft)).rejects.toMatchObject({
    code: "ERR_DISPOSED",
    message: expect.stringContaining("`options.speculation.draft`"),
  });
  expect(plain.disposed).toBe(false);
});

test("only a model with the same vocabulary can guess, whose cache can be cut back", async () => {
  const refusal = async (draft: unknown, type = "draft") => {
    const speculation = { type, draft } as SpeculationOptions;
    const { code, message } = await guessedBy(small, { speculation }).then(
      () => ({ code: "none", message: "" }),
      (error) => error,
    );
    return `${code}: ${message}`;
  };
  expect(await refusal(undefined)).toMatch(/^ERR_INVALID_ARGUMENT: .*speculation\.draft/);
  expect(await refusal({})).toMatch(/^ERR_INVALID_ARGUMENT: Expected a Model/);
  expect(await refusal(other, "ngram")).toMatch(/^ERR_INVALID_ARGUMENT: .*belongs to the types/);

  await using words = await Model.load(at("random"), { vocabOnly: true });
  expect(await refusal(words)).toMatch(/^ERR_UNSUPPORTED: .*no weights/);
  writeModelOfKind(at("states"), "states in the place of a cache");
  await using states = await Model.load(at("states"));
  expect(await refusal(states)).toMatch(/^ERR_UNSUPPORTED: .*recurrent layers/);
  writeBert(at("bert"));
  await using bert = await Model.load(at("bert"));
  expect(await refusal(bert)).toMatch(/^ERR_UNSUPPORTED: .*does not generate/);
  writeModelOfKind(at("window"), "a sliding window");
  await using window = await Model.load(at("window"));
  expect(await refusal(window)).toMatch(/^ERR_INVALID_ARGUMENT: .*same vocabulary/);

  // The demo model's is the random models'.
  await using demo = await Model.load(MODEL);
  await using context = await guessedBy(demo);
  const { usage } = await context.generate("The llama", { maxTokens: 8 }).result();
  expect(usage.completionTokens).toBeGreaterThan(0);
});

test("a token that the small model lacks is no end of its guesses", async () => {
  writeLlama(at("all"), { layers: IDLE_LAYERS });
  writeLlama(at("fewer"), { tokens: VOCABULARY.length - 1 });
  await using all = await Model.load(at("all"));
  await using fewer = await Model.load(at("fewer"));
  await using context = await all.createContext({
    ...{ contextSize: 128, speculation: { type: "draft", draft: fewer } },
  });
  const options = { temperature: 0, maxTokens: 10, logitBias: forbidden(endTokens(all)) };
  const lacking = await context.generate([VOCABULARY.length - 1], options).result();
  expect(lacking.speculation).toEqual({ proposed: 0, accepted: 0 });
  const { speculation } = await context.generate([20, 21, 22], options).result();
  expect(speculation?.proposed).toBeGreaterThan(0);
});
