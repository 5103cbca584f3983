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
import { type HeadFile, writeEagle3, writeMtp, writeTarget } from "../support/draft-heads.js";
import { writeModelOfKind } from "../support/model-kinds.js";
import { expectPlain } from "../support/plain-greedy.js";
import { Random } from "../support/random.js";
import { VOCABULARY } from "../support/tiny-models.js";

const directory = mkdtempSync(join(tmpdir(), "cria-head-"));
const at = (name: string) => join(directory, `${name}.gguf`);
const SHAPE = { contextSize: 512, kvCacheType: "f32", flashAttention: false } as const;
const likeHere = ({ path }: Model) => ({ ...SHAPE, model: path });

/** Models, and whoever guesses for them. */
interface Pair {
  readonly model: Model;
  readonly speculation: SpeculationOptions;
  readonly plain: Context;
}
const pairs = new Map<string, Pair>();
const KINDS = ["eagle3", "eagle3 that knows", "mtp", "mtp that knows"] as const;

beforeAll(async () => {
  writeTarget(at("target"), "anything");
  writeTarget(at("plain target"), "its last token");
  writeEagle3(at("head"));
  writeEagle3(at("head that knows"), { says: "its last token" });
  writeMtp(at("mtp"));
  writeMtp(at("mtp that knows"), { says: "its last token" });
  const add = async (kind: (typeof KINDS)[number], path: string, head?: string) => {
    const model = await Model.load(at(path), { mtp: head === undefined });
    const speculation: SpeculationOptions = head
      ? { type: "eagle3", draft: await Model.load(at(head)) }
      : { type: "mtp" };
    pairs.set(kind, { model, speculation, plain: await model.createContext(SHAPE) });
  };
  await add("eagle3", "target", "head");
  await add("eagle3 that knows", "plain target", "head that knows");
  await add("mtp", "mtp");
  await add("mtp that knows", "mtp that knows");
});
afterAll(async () => {
  for (const { model, speculation } of pairs.values()) {
    await model.dispose();
    if (speculation.type === "eagle3") await (speculation.draft as Model).dispose();
  }
  rmSync(directory, { recursive: true });
});

const pairOf = (kind: string) => pairs.get(kind) as Pair;
const guessed = ({ model, speculation }: Pair, options: ContextOptions = {}) =>
  model.createContext({ ...SHAPE, speculation, ...options });

function anyText(seed: number, length: number): Int32Array {
  const random = new Random(seed);
  return Int32Array.from({ length }, () => 5 + random.below(VOCABULARY.length - 5));
}

const talks = (model: Model, options: GenerateOptions = {}): GenerateOptions => ({
  temperature: 0,
  maxTokens: 40,
  logitBias: forbidden(endTokens(model)),
  ...options,
});

function sumOf(results: readonly GenerationResult[]) {
  const counts = results.map(({ speculation }) => speculation ?? { proposed: -1, accepted: -1 });
  return {
    proposed: counts.reduce((sum, { proposed }) => sum + proposed, 0),
    accepted: counts.reduce((sum, { accepted }) => sum + accepted, 0),
  };
}

const WAYS: readonly [string, ContextOptions & { maxTokens?: number }][] = [
  ["as it comes", {}],
  ["prompts in small pieces", { microBatchSize: 16, batchSize: 64 }],
  ["micro-batches of a few rows", { microBatchSize: 2, batchSize: 64 }],
  ["a cache per sequence", { sequences: 3 }],
  ["one cache for all", { sequences: 3, kvCache: "unified" }],
  ["long drafts", { maxTokens: 63 }],
];

describe.each(KINDS)("%s", (kind) => {
  const knows = kind.endsWith("knows");

  test.each(knows ? WAYS : WAYS.slice(0, 1))(
    "greedy tokens are a plain loop's: %s",
    async (_name, { maxTokens = 15, ...options }) => {
      const pair = pairOf(kind);
      const guesses = { ...pair.speculation, maxTokens } as SpeculationOptions;
      await using context = await guessed(pair, { ...options, speculation: guesses });
      const prompts = [1, 2, 3].map((seed) => anyText(seed, 1 + 70 * (seed - 1)));
      const results: GenerationResult[] = [];
      for (const prompt of prompts)
        results.push(await context.generate(prompt, talks(pair.model)).result());
      const { proposed, accepted } = sumOf(results);
      expect(proposed).toBeGreaterThan(0);
      expect(accepted).toBeGreaterThanOrEqual(knows ? 60 : 0);
      if (knows) expect(accepted).toBeGreaterThan(0.9 * proposed);
      // Together they do not guess, and say the same; so does one that comes after.
      const together = await Promise.all(
        prompts.map((prompt) => context.generate(prompt, talks(pair.model)).result()),
      );
      const [last] = prompts.slice(-1) as [Int32Array];
      const after = await context.generate(last, talks(pair.model)).result();
      const all = [...results, ...together, after];
      await expectPlain([...prompts, ...prompts, last], all, likeHere(pair.model));
    },
  );

  test("what is sampled is the same, seed by seed", async () => {
    const pair = pairOf(kind);
    await using context = await guessed(pair);
    let different = 0;
    const results: GenerationResult[] = [];
    for (let seed = 1; seed <= 8; seed++) {
      const options = talks(pair.model, { temperature: 0.8, topK: 20, seed });
      const expected = await pair.plain.generate(anyText(seed, 50), options).result();
      const result = await context.generate(anyText(seed, 50), options).result();
      results.push(result);
      if (result.text !== expected.text) different += 1;
    }
    // One draw in many thousands lies on a border that the order of sums decides.
    expect(different).toBeLessThanOrEqual(1);
    expect(sumOf(results).proposed).toBeGreaterThan(0);
  });

  test("a chat goes on, another comes between, and one is edited", async () => {
    const pair = pairOf(kind);
    await using context = await guessed(pair, { sequences: 2 });
    const prompts = [anyText(11, 60)];
    const first = await context.generate(prompts[0] as Int32Array, talks(pair.model)).result();
    const answered = Int32Array.of(...(prompts[0] as Int32Array), ...first.tokens);
    prompts.push(anyText(12, 40)); // somebody else
    prompts.push(Int32Array.of(...answered, ...anyText(13, 9))); // goes on
    prompts.push(Int32Array.of(...answered.slice(0, 70), ...anyText(14, 9))); // edited
    prompts.push(answered.slice(0, 30)); // shorter
    const results = [first];
    for (const prompt of prompts.slice(1))
      results.push(await context.generate(prompt, talks(pair.model)).result());
    await expectPlain(prompts, results, likeHere(pair.model));
    const { proposed, accepted } = sumOf(results);
    expect(proposed).toBeGreaterThan(0);
    if (knows) expect(accepted).toBeGreaterThan(0.9 * proposed);
  });

  test("drafts are cut where a grammar refuses, and what it forces comes first", async () => {
    const pair = pairOf(kind);
    const grammar = Grammar.gbnf('root ::= "the llama" [a-z ]{6} "."');
    for (const takeForced of [false, true]) {
      const speculation = { ...pair.speculation, takeForced } as SpeculationOptions;
      await using context = await guessed(pair, { speculation });
      const options = { grammar, temperature: 0, maxTokens: 60 } as const;
      const result = await context.generate(anyText(21, 20), options).result();
      expect(result.text).toMatch(/^\s*the llama[a-z ]{6}\.$/);
      if (takeForced) continue;
      const expected = await pair.plain.generate(anyText(21, 20), options).result();
      expect(result.text).toBe(expected.text);
    }
  });

  test("a generation ends where it should, or is stopped", async () => {
    const pair = pairOf(kind);
    await using context = await guessed(pair);
    const prompt = anyText(31, 100);
    for (const maxTokens of [0, 1, 2, 3, 17]) {
      const options = talks(pair.model, { maxTokens });
      const expected = await pair.plain.generate(prompt, options).result();
      const result = await context.generate(prompt, options).result();
      expect([...result.tokens]).toEqual([...expected.tokens]);
      expect(result.usage.completionTokens).toBe(maxTokens);
    }
    const generation = context.generate(prompt, talks(pair.model, { maxTokens: 300 }));
    for await (const _ of generation) break;
    expect((await generation.result()).stopReason).toMatch(/cancelled|max-tokens/);
    const full = await context.generate(anyText(32, 480), talks(pair.model, { maxTokens: 99 }));
    const { stopReason, usage } = await full.result();
    expect(stopReason).toBe("context-full");
    expect(usage.promptTokens + usage.completionTokens).toBe(512);
  });
});

test.each(["eagle3 that knows", "mtp that knows"])(
  "%s: with temperature each token is as frequent as without",
  async (kind) => {
    const pair = pairOf(kind);
    await using context = await guessed(pair);
    const counts = async (one: Context, seeds: number) => {
      const found = new Map<string, number>();
      const guesses = { proposed: 0, accepted: 0 };
      for (let seed = 1; seed <= 300; seed++) {
        const options = { temperature: 1, topK: 5, seed: seeds + seed, maxTokens: 3 };
        const { tokens, speculation } = await one.generate([5, 6, 7], options).result();
        // The first one comes without a guess.
        for (const place of [1, 2]) {
          const token = `${place} ${tokens[place]}`;
          found.set(token, (found.get(token) ?? 0) + 1);
        }
        guesses.proposed += speculation?.proposed ?? 0;
        guesses.accepted += speculation?.accepted ?? 0;
      }
      return { found, guesses };
    };
    const expected = await counts(pair.plain, 0);
    const { found, guesses } = await counts(context, 10_000);
    expect(guesses.accepted).toBeGreaterThan(0);
    expect(guesses.accepted).toBeLessThan(guesses.proposed);
    // Chi-squared of two samples of equal size, four deviations above its mean.
    const tokens = [...new Set([...expected.found.keys(), ...found.keys()])];
    const terms = tokens.map((token) => {
      const [a, b] = [expected.found.get(token) ?? 0, found.get(token) ?? 0];
      return (a - b) ** 2 / (a + b);
    });
    const statistic = terms.reduce((sum, term) => sum + term, 0);
    expect(statistic).toBeLessThan(tokens.length + 4 * Math.sqrt(2 * tokens.length));
  },
);

// Each of its guesses is made of all pairs that it has.
test("a head keeps what it has of a text while others run that it never saw", async () => {
  const attn = { name: "blk.0.attn_q.weight", shape: [64, 32], values: new Float32Array(64 * 32) };
  writeEagle3(at("head that averages"), { says: "its last token", tensors: [attn] });
  await using draft = await Model.load(at("head that averages"));
  const { model } = pairOf("eagle3 that knows");
  const pair = { ...pairOf("eagle3 that knows"), speculation: { type: "eagle3", draft } as const };
  const prompt = anyText(151, 120);
  const secondTurn = async (between: boolean) => {
    await using context = await guessed(pair, { sequences: 3, microBatchSize: 16 });
    const sequence = await context.createSequence();
    const first = await context.generate(prompt, talks(model)).result();
    // Whoever runs beside it is not followed, and asks for a guess once he is alone.
    if (between) {
      const long = sequence.evaluate(anyText(52, 450));
      await context.generate(anyText(53, 10), talks(model, { maxTokens: 60 })).result();
      await long;
    }
    const next = Int32Array.of(...prompt, ...first.tokens, ...anyText(154, 5));
    const { speculation } = await context.generate(next, talks(model)).result();
    return speculation;
  };
  const alone = await secondTurn(false);
  expect(alone?.proposed).toBeGreaterThan(0);
  expect(await secondTurn(true)).toEqual(alone);
});

test("disposing a head disposes the context that it guesses for", async () => {
  const { model } = pairOf("eagle3");
  const draft = await Model.load(at("head"));
  const context = await model.createContext({ ...SHAPE, speculation: { type: "eagle3", draft } });
  const generation = context.generate(anyText(7, 20), talks(model, { maxTokens: 400 })).result();
  const outcome = generation.then(
    ({ stopReason }) => stopReason,
    ({ code }) => code,
  );
  await draft.dispose();
  expect(context.disposed).toBe(true);
  expect(["ERR_DISPOSED", "max-tokens"]).toContain(await outcome);
});

describe("what cannot guess is refused", () => {
  const refusal = async (model: Model, speculation: SpeculationOptions) => {
    const { code, message } = await guessed({ model, speculation } as Pair).then(
      () => ({ code: "none", message: "" }),
      (error) => error,
    );
    return `${code}: ${message}`;
  };
  const d2t = (values: bigint[]) => ({
    name: "d2t",
    shape: [values.length],
    values: BigInt64Array.from(values),
  });
  const output = (rows: number, width = 32) => ({
    name: "output.weight",
    shape: [width, rows],
    values: new Float32Array(width * rows).fill(0.1),
  });
  const embeddings = (rows: number, width = 32) => ({
    ...output(rows, width),
    name: "token_embd.weight",
  });
  const attention = (shape: number[]) => ({
    name: "blk.0.attn_v.weight",
    shape,
    values: new Float32Array(shape.reduce((product, length) => product * length, 1)),
  });

  test.each<[string, HeadFile, RegExp]>([
    ["another width", { metadata: { "eagle3.target_hidden_size": 64 } }, /ERR_/],
    [
      "layers that the model has not",
      { metadata: { "eagle3.target_layers": Int32Array.of(1, 4, 8) } },
      /^ERR_INVALID_ARGUMENT: .*reads layer 8, and the model has 8/,
    ],
    [
      "layers below the first",
      { metadata: { "eagle3.target_layers": Int32Array.of(-1, 4, 7) } },
      /^ERR_MODEL_INVALID: .*target_layers/,
    ],
    [
      "two layers to read",
      { metadata: { "eagle3.target_layers": Int32Array.of(1, 4) } },
      /^ERR_MODEL_INVALID/,
    ],
    ["more layers of its own", { metadata: { "eagle3.block_count": 2 } }, /^ERR_MODEL_INVALID/],
    ["no projection", { without: ["fc.weight"] }, /^ERR_MODEL_INVALID: .*fc\.weight/],
    ["no values", { without: ["blk.0.attn_v.weight"] }, /^ERR_MODEL_INVALID: .*attn_v/],
    ["values of another shape", { tensors: [attention([32, 32])] }, /^ERR_MODEL_INVALID/],
    ["another width of its own", { width: 64 }, /^ERR_INVALID_ARGUMENT: .*is 64 wide/],
    [
      "heads of two widths",
      { metadata: { "eagle3.attention.key_length": 8 } },
      /^ERR_MODEL_INVALID/,
    ],
    [
      "tokens beyond the vocabulary",
      { tensors: [output(2), d2t([3n, 2n ** 31n])] },
      /^ERR_MODEL_INVALID: .*"d2t" to hold ids from 0 to \d+, found 2147483648/,
    ],
    [
      "a token that is just beyond it",
      { tensors: [output(2), d2t([3n, BigInt(VOCABULARY.length)])] },
      /^ERR_MODEL_INVALID: .*"d2t" to hold ids/,
    ],
    [
      "tokens below it",
      { tensors: [output(2), d2t([3n, -1n])] },
      /^ERR_MODEL_INVALID: .*"d2t" to hold ids from 0 to \d+, found -1/,
    ],
    ["too few embeddings", { tensors: [embeddings(9)] }, /^ERR_MODEL_INVALID: .*a row for each/],
    ["an output layer of other tokens", { tensors: [output(9)] }, /^ERR_MODEL_INVALID/],
  ])("a head with %s", async (name, file, expected) => {
    writeEagle3(at(name), file);
    const { model } = pairOf("eagle3");
    const found = await Model.load(at(name)).then(
      async (draft) => {
        await using _ = draft;
        return await refusal(model, { type: "eagle3", draft });
      },
      ({ code, message }) => `${code}: ${message}`,
    );
    expect(found).toMatch(expected);
    // Nobody else is hurt.
    const { usage } = await pairOf("eagle3").plain.generate([5, 6], { maxTokens: 2 }).result();
    expect(usage.completionTokens).toBeGreaterThan(0);
  });

  test("a head with tokens, and an output layer, of its own works", async () => {
    const size = VOCABULARY.length;
    const tensors = [embeddings(size, 16), output(3, 16), d2t([7n, 9n, 11n])];
    writeEagle3(at("own"), { width: 16, tensors });
    await using draft = await Model.load(at("own"));
    const pair = { ...pairOf("eagle3"), speculation: { type: "eagle3", draft } as const };
    await using context = await guessed(pair);
    const prompt = anyText(41, 30);
    const result = await context.generate(prompt, talks(pair.model)).result();
    await expectPlain([prompt], [result], likeHere(pair.model));
    expect(result.speculation?.proposed).toBeGreaterThan(0);
  });

  test("other models as heads, heads of other models, and a head by itself", async () => {
    const { model, speculation } = pairOf("eagle3");
    if (speculation.type !== "eagle3") throw new Error("It has no head.");
    const { draft } = speculation;
    expect(await refusal(model, { type: "eagle3", draft: model })).toMatch(
      /^ERR_INVALID_ARGUMENT: .*architecture "eagle3", got "llama"/,
    );
    const glm = pairOf("mtp").model;
    expect(await refusal(glm, { type: "eagle3", draft })).toMatch(/^ERR_UNSUPPORTED: .*"glm4moe"/);
    expect(await refusal(model, { type: "draft", draft })).toMatch(/^ERR_UNSUPPORTED/);
    await expect((draft as Model).createContext()).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    writeModelOfKind(at("shared"), "heads that share keys");
    await using other = await Model.load(at("shared"));
    expect(await refusal(other, { type: "eagle3", draft })).toMatch(
      /^ERR_INVALID_ARGUMENT: .*(reads layer 4|rows of 32)/,
    );
    await using words = await Model.load(at("head"), { vocabOnly: true });
    expect(await refusal(model, { type: "eagle3", draft: words })).toMatch(/^ERR_UNSUPPORTED/);
  });

  test("models without layers that predict, or with some that were not loaded", async () => {
    const mtp: SpeculationOptions = { type: "mtp" };
    expect(await refusal(pairOf("eagle3").model, mtp)).toMatch(/^ERR_UNSUPPORTED: .*no layers/);
    await using bare = await Model.load(at("mtp"));
    expect(await refusal(bare, mtp)).toMatch(/^ERR_INVALID_ARGUMENT: .*`mtp: true`/);
    writeMtp(at("cut"), { without: ["blk.8.nextn.eh_proj.weight"] });
    await using cut = await Model.load(at("cut"), { mtp: true });
    expect(await refusal(cut, mtp)).toMatch(/^ERR_MODEL_INVALID: .*eh_proj/);
    writeModelOfKind(at("states"), "states in the place of a cache");
    await using states = await Model.load(at("states"), { mtp: true });
    expect(await refusal(states, mtp)).toMatch(/^ERR_UNSUPPORTED: .*recurrent layers/);
  });

  test.each<[string, HeadFile]>([
    ["no experts that all share", { metadata: { "glm4moe.expert_shared_count": 0 } }],
    ["two layers that predict", { metadata: { "glm4moe.nextn_predict_layers": 2 } }],
    ["no norm of the rows", { without: ["blk.8.nextn.hnorm.weight"] }],
    ["no experts", { without: ["blk.8.ffn_down_exps.weight"] }],
  ])("a model whose predicting layers have %s", async (name, file) => {
    writeMtp(at(name), file);
    const outcome = await Model.load(at(name), { mtp: true }).then(
      async (model) => {
        await using _ = model;
        return await refusal(model, { type: "mtp" });
      },
      ({ code }) => `${code}: `,
    );
    expect(outcome).toMatch(/^(none|ERR_MODEL_INVALID|ERR_UNSUPPORTED): /);
  });
});
