import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Context,
  CriaError,
  Grammar,
  Model,
  Sampler,
  type Sequence,
} from "../../lib/index.js";
import { chosen, endTokens, forbidden, idsOf, PROMPTS } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { distance, referenceGreedy, referenceLogits, within } from "../support/reference.js";

const code = (code: string) => expect.objectContaining({ code });
const greedy = Sampler.greedy();
/** Rounding differs with what else is in the batch. */
const NEAR = within(0.05);

let model: Model;
let context: Context;
let endless: Sampler;
let hot: Sampler;
let prompt: Int32Array;
let opened: Sequence[] = [];

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 4 });
  const logitBias = forbidden(endTokens(model));
  endless = greedy.with({ logitBias });
  // At 2 the model still says the same thing a quarter of the time.
  hot = new Sampler({ temperature: 5, topK: 0, topP: 1, minP: 0, logitBias });
  prompt = idsOf(model, PROMPTS[0] as never);
});
afterEach(async () => {
  await Promise.all(opened.map((sequence) => sequence.dispose()));
  opened = [];
  expect(context.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
});
afterAll(() => model.dispose());

async function create(own = context): Promise<Sequence> {
  const sequence = await own.createSequence();
  opened.push(sequence);
  return sequence;
}

async function created(tokens: Int32Array): Promise<Sequence> {
  const sequence = await create();
  await sequence.evaluate(tokens);
  return sequence;
}

async function fork(sequence: Sequence): Promise<Sequence> {
  const forked = await sequence.fork();
  opened.push(forked);
  return forked;
}

/** Samples and evaluates so many tokens. */
async function go(sequence: Sequence, sampler: Sampler, count: number): Promise<number[]> {
  const tokens: number[] = [];
  while (tokens.length < count) {
    const token = await sequence.sample(sampler);
    tokens.push(token);
    if (model.isEndOfGeneration(token)) break;
    await sequence.evaluate([token]);
  }
  return tokens;
}

async function rowAfter(tokens: Int32Array): Promise<Float32Array> {
  return (await referenceLogits(tokens, ["--threads", "1"])).at(-1) as Float32Array;
}

async function expectRow(sequence: Sequence): Promise<void> {
  const expected = await rowAfter(sequence.tokens);
  expect(distance(await sequence.logits(), expected)).toBeLessThan(NEAR);
}

describe("evaluate, logits and sample", () => {
  test("are llama.h's plain loop, token for token", async () => {
    const ids = PROMPTS.slice(0, 3).map((one) => idsOf(model, one));
    const expected = await referenceGreedy(ids, ["--n", "24", "--ctx", "256", "--threads", "1"]);
    for (const [i, tokens] of ids.entries()) {
      const sequence = await created(tokens);
      expect(await go(sequence, greedy, 24)).toEqual(expected[i]);
      await sequence.dispose();
    }
  });

  test("work side by side and beside generations", async () => {
    const generation = context.generate(prompt, { sampler: endless, maxTokens: 30 });
    const three = await Promise.all([0, 1, 2].map(() => created(prompt)));
    const all = await Promise.all(three.map((sequence) => go(sequence, endless, 30)));
    const { tokens } = await generation.result();
    for (const one of all) expect(one).toEqual([...tokens]);
  });

  test("tell llama.h's logits after the last token, each time anew", async () => {
    const sequence = await created(prompt);
    await expectRow(sequence);
    const first = await sequence.logits();
    first.fill(0);
    await expectRow(sequence);
    await sequence.evaluate("more of it");
    await expectRow(sequence);
    await sequence.evaluate([{ control: "<|eot_id|>" }, { text: "\n" }]);
    await expectRow(sequence);
  });

  test("sample without evaluating", async () => {
    const sequence = await created(prompt);
    const token = await sequence.sample(greedy);
    expect(sequence.tokens).toEqual(prompt);
    expect(await sequence.sample(greedy)).toBe(token);
  });

  test("put a BOS in front of a string, at the start only", async () => {
    const sequence = await create();
    await sequence.evaluate("The");
    await sequence.evaluate(" llama");
    expect([...sequence.tokens]).toEqual([
      model.specialTokens.bos,
      ...model.tokenize("The"),
      ...model.tokenize(" llama"),
    ]);
  });

  test("draw what a generation with the same seed draws", async () => {
    for (const seed of [1, 2, 3]) {
      const sampler = hot.with({ seed });
      const options = { sampler, maxTokens: 20 };
      const expected = chosen(await context.generate(prompt, options).result());
      const sequence = await created(prompt);
      expect(await go(sequence, sampler, 20)).toEqual(expected);
      await sequence.dispose();
    }
  });

  test("follow a grammar", async () => {
    const sampler = greedy.with({ grammar: Grammar.gbnf('root ::= "yes, " ("a" | "b") "!"') });
    const sequence = await created(prompt);
    const tokens = await go(sequence, sampler, 30);
    expect(model.detokenize(tokens)).toMatch(/^yes, [ab]!$/);
  });
});

describe("a context's sequences", () => {
  test("are as many as it says, for createSequence and fork", async () => {
    const all = await Promise.all([0, 1, 2, 3].map(() => create()));
    await expect(context.createSequence()).rejects.toEqual(code("ERR_CONTEXT_FULL"));
    await expect(all[0]?.fork()).rejects.toEqual(code("ERR_CONTEXT_FULL"));
    await all[3]?.dispose();
    await create();
  });

  test("that are not taken are left to generations, which are refused where none is", async () => {
    const all = await Promise.all([0, 1, 2].map(() => create()));
    const options = { sampler: endless, maxTokens: 4 };
    expect((await context.generate("The", options).result()).tokens).toHaveLength(4);
    all.push(await create());
    const refused = context.generate("The", options).result();
    await expect(refused).rejects.toEqual(code("ERR_CONTEXT_FULL"));
    await all[0]?.dispose();
    expect((await context.generate("The", options).result()).tokens).toHaveLength(4);
  });

  test("hold contextSize tokens, and are as before where more are refused", async () => {
    const sequence = await created(prompt);
    const more = new Int32Array(257 - prompt.length).fill(prompt[0] as number);
    await expect(sequence.evaluate(more)).rejects.toEqual(code("ERR_CONTEXT_FULL"));
    expect(sequence.tokens).toEqual(prompt);
    await expectRow(sequence);
    await sequence.evaluate(more.subarray(1));
    expect(sequence.tokens).toHaveLength(256);
    await expect(sequence.evaluate([1])).rejects.toEqual(code("ERR_CONTEXT_FULL"));
  });
});

describe("what is cached of a generation", () => {
  test("is not evaluated again where it is asked for", async () => {
    const { tokens } = await context.generate(prompt, { sampler: endless, maxTokens: 8 }).result();
    const whole = [...prompt, ...tokens];
    const plain = await created(Int32Array.from(whole));
    const before = context.stats.decodedTokens;
    const sequence = await context.createSequence({ cached: whole });
    opened.push(sequence);
    expect(sequence.tokens).toHaveLength(0);
    await sequence.evaluate(whole);
    expect(context.stats.decodedTokens - before).toBe(1);
    expect([...sequence.tokens]).toEqual(whole);
    expect(distance(await sequence.logits(), await plain.logits())).toBeLessThan(NEAR);
  });

  test("does no harm where another prompt comes, or none", async () => {
    await context.generate(prompt, { sampler: endless, maxTokens: 8 }).result();
    const plain = await created(Int32Array.from([...prompt.slice(0, 4), ...prompt.slice(0, 4)]));
    const sequence = await context.createSequence({ cached: prompt });
    opened.push(sequence);
    const other = await fork(sequence);
    await sequence.evaluate(plain.tokens);
    await other.evaluate(plain.tokens);
    for (const one of [sequence, other]) {
      expect([...one.tokens]).toEqual([...plain.tokens]);
      expect(distance(await one.logits(), await plain.logits())).toBeLessThan(NEAR);
    }
    const unused = await context.createSequence({ cached: prompt });
    opened.push(unused);
    const folder = await mkdtemp(join(tmpdir(), "cria-cached-"));
    await unused.save(join(folder, "state"));
    await sequence.restore(join(folder, "state"));
    await rm(folder, { recursive: true });
    expect(sequence.tokens).toHaveLength(0);
  });

  test.each([{ cached: [] }, { cached: 1 }, { cached: [{ control: "<nothing>" }] }])(
    "is nothing of %j",
    (options) =>
      expect(context.createSequence(options as never)).rejects.toEqual(
        code("ERR_INVALID_ARGUMENT"),
      ),
  );
});

describe("fork", () => {
  test("goes on from the same state, and neither feels the other", async () => {
    const sequence = await created(prompt);
    await go(sequence, endless, 4);
    const before = context.stats.decodedTokens;
    const forked = await fork(sequence);
    expect(context.stats.decodedTokens - before).toBeLessThanOrEqual(1);
    expect(forked.tokens).toEqual(sequence.tokens);
    const [a, b] = await Promise.all([go(sequence, endless, 20), go(forked, endless, 20)]);
    expect(a).toEqual(b);
    await forked.evaluate("something else");
    await expectRow(sequence);
    await expectRow(forked);
    await sequence.dispose();
    await expectRow(forked);
  });

  test("copies the state of samplers", async () => {
    for (const sampler of [hot, hot.with({ seed: 9 })]) {
      const sequence = await created(prompt);
      await go(sequence, sampler, 5);
      const forked = await fork(sequence);
      expect(await go(forked, sampler, 12)).toEqual(await go(sequence, sampler, 12));
      await Promise.all([sequence.dispose(), forked.dispose()]);
    }
  });
});

describe("trim", () => {
  test("goes back, with the logits of the new end", async () => {
    const sequence = await created(prompt);
    const first = await go(sequence, endless, 10);
    await sequence.trim(prompt.length + 3);
    expect([...sequence.tokens]).toEqual([...prompt, ...first.slice(0, 3)]);
    await expectRow(sequence);
    expect(await go(sequence, endless, 7)).toEqual(first.slice(3));
    await sequence.trim(sequence.tokens.length);
    await expectRow(sequence);
    await sequence.trim(0);
    expect(sequence.tokens).toHaveLength(0);
    await expect(sequence.logits()).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
    await sequence.evaluate(prompt);
    expect(await go(sequence, endless, 10)).toEqual(first);
  });

  test("makes samplers forget: one with a seed draws the same again, one without does not", async () => {
    const seeded = hot.with({ seed: 5 });
    const sequence = await created(prompt);
    const draw = async (sampler: Sampler) => {
      await sequence.trim(prompt.length);
      return (await go(sequence, sampler, 16)).join();
    };
    expect(await draw(seeded)).toBe(await draw(seeded));
    expect(await draw(hot)).not.toBe(await draw(hot));
  });
});

describe("abort and dispose", () => {
  let small: Context;
  let long: Int32Array;

  beforeAll(async () => {
    small = await model.createContext({ contextSize: 512, batchSize: 16 });
    long = new Int32Array(440).fill(model.tokenize("a")[0] as number);
  });

  test("an aborted evaluate leaves the sequence as it was", async () => {
    const sequence = await create(small);
    await sequence.evaluate(prompt);
    for (let round = 0; round < 6; round++) {
      const controller = new AbortController();
      const evaluating = sequence.evaluate(long, { signal: controller.signal });
      await new Promise((resolve) => setTimeout(resolve, round));
      controller.abort("stop");
      const outcome = await evaluating.then(() => "faster", String);
      if (outcome === "faster") await sequence.trim(prompt.length);
      else expect(outcome).toBe("stop");
      const row = await sequence.logits(); // waits for what the abort undid
      expect(sequence.tokens).toEqual(prompt);
      expect(distance(row, await rowAfter(prompt))).toBeLessThan(NEAR);
    }
  });

  test("disposed while it evaluates: rejects, and gives its place back", async () => {
    for (let round = 0; round < 6; round++) {
      const sequence = await create(small);
      const ends = Promise.allSettled([sequence.evaluate(long), sequence.logits()]);
      await new Promise((resolve) => setTimeout(resolve, round));
      await sequence.dispose();
      const [evaluated, logits] = await ends;
      if (evaluated?.status === "rejected") expect(evaluated.reason).toEqual(code("ERR_DISPOSED"));
      expect(logits).toMatchObject({ status: "rejected", reason: code("ERR_DISPOSED") });
    }
    await (await create(small)).evaluate("The");
  });

  test("disposing the context rejects what is pending, and everything later", async () => {
    const own = await model.createContext({ contextSize: 512, batchSize: 16 });
    const sequence = await own.createSequence();
    const ends = Promise.allSettled([sequence.evaluate(long), sequence.fork(), sequence.trim(0)]);
    await own.dispose();
    for (const end of await ends) {
      expect(end).toMatchObject({ status: "rejected", reason: code("ERR_DISPOSED") });
    }
    await expect(sequence.logits()).rejects.toEqual(code("ERR_DISPOSED"));
    await sequence.dispose();
  });
});

describe("save and restore", () => {
  let directory: string;
  let file: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "cria-state-"));
    file = join(directory, "sequence.state");
    const sequence = await context.createSequence();
    await sequence.evaluate(prompt);
    await go(sequence, endless, 5);
    await sequence.save(file);
    await sequence.dispose();
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("bring a sequence back, in another context too, with nothing evaluated", async () => {
    const sequence = await created(prompt);
    await go(sequence, endless, 5);
    const { tokens } = sequence;
    const expected = await go(sequence, endless, 12);
    const other = await model.createContext({ contextSize: 128, sequences: 4 });
    for (const own of [context, other]) {
      const restored = await own.createSequence();
      await restored.evaluate("something else");
      const before = own.stats.decodedTokens;
      await restored.restore(file);
      expect(own.stats.decodedTokens).toBe(before);
      expect(restored.tokens).toEqual(tokens);
      await expectRow(restored);
      expect(await go(restored, endless, 12)).toEqual(expected);
      await restored.dispose();
    }
    await other.dispose();
  });

  test("write over an older file, and leave nothing else behind", async () => {
    const sequence = await created(prompt);
    const again = join(directory, "again.state");
    await sequence.save(again);
    await sequence.evaluate("more");
    await sequence.save(again);
    const { tokens } = sequence;
    const restored = await create();
    await restored.restore(again);
    expect(restored.tokens).toEqual(tokens);
    expect((await readdir(directory)).sort()).toEqual(["again.state", "sequence.state"]);
    await rm(again);
  });

  test("refuse a file that is none, or not whole, and leave the sequence as it was", async () => {
    const sequence = await created(prompt);
    const { size } = await stat(file);
    const content = await readFile(file);
    const broken: Record<string, (path: string) => Promise<void>> = {
      missing: async () => {},
      empty: (path) => writeFile(path, ""),
      text: (path) => writeFile(path, "not a state at all\n".repeat(100)),
      model: async (path) => writeFile(path, (await readFile(MODEL)).subarray(0, 4096)),
      ...Object.fromEntries(
        [4, 16, 64, size - 1, Math.floor(size / 2)].map((length) => [
          `cut at ${length}`,
          async (path: string) => {
            await writeFile(path, content);
            await truncate(path, length);
          },
        ]),
      ),
      longer: async (path) => {
        await writeFile(path, content);
        const handle = await open(path, "a");
        await handle.write("more");
        await handle.close();
      },
      "another header": async (path) => {
        const changed = Buffer.from(content);
        for (let i = 0; i < 16; i++) changed[i] = (changed[i] as number) ^ 0xff;
        await writeFile(path, changed);
      },
    };
    for (const make of Object.values(broken)) {
      const path = join(directory, "broken.state");
      await make(path);
      await expect(sequence.restore(path)).rejects.toEqual(code("ERR_STATE_INVALID"));
      expect(sequence.tokens).toEqual(prompt);
      await rm(path, { force: true });
    }
    await expect(sequence.restore(directory)).rejects.toEqual(code("ERR_STATE_INVALID"));
    await expectRow(sequence);
  });

  test("refuse what is longer than the context", async () => {
    const tiny = await model.createContext({ contextSize: 8, sequences: 4 });
    const sequence = await tiny.createSequence();
    await expect(sequence.restore(file)).rejects.toEqual(code("ERR_CONTEXT_FULL"));
    await tiny.dispose();
  });

  test("reject where the file cannot be written", async () => {
    const sequence = await created(prompt);
    const saving = sequence.save(join(directory, "no", "such", "directory"));
    const reason: unknown = await saving.catch((error: unknown) => error);
    expect(CriaError.is(reason)).toBe(true);
    await expectRow(sequence);
  });
});
