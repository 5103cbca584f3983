import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Context,
  type ContextOptions,
  type GenerateOptions,
  type GenerationResult,
  type LoraAdapter,
  Model,
  type Prompt,
  type ScaledAdapter,
} from "../../lib/index.js";
import { LAYERS, WIDTH, writeControlVector, writeLora } from "../support/adapters.js";
import { chosen, endTokens, forbidden, idsOf, PROMPTS, question } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { referenceGreedy } from "../support/reference.js";

const directory = mkdtempSync(join(tmpdir(), "cria-adapters-"));
const at = (name: string) => join(directory, name);
const TOKENS = 16;
const FLAGS = ["--n", String(TOKENS), "--ctx", "512", "--threads", "1"];
const SHAPE: ContextOptions = { contextSize: 512 };
/** What the order of sums makes of logits, with weights and activations of 8 bits. */
const ROUNDED = 0.25;
/** What the activated LoRA waits for: the header of an answer. */
const INVOCATION = [
  { control: "<|start_header_id|>" },
  { text: "assistant" },
  { control: "<|end_header_id|>" },
];

let model: Model;
let one: LoraAdapter;
let other: LoraAdapter;
let activated: LoraAdapter;
let ids: Int32Array[];

beforeAll(async () => {
  model = await Model.load(MODEL);
  ids = PROMPTS.map((prompt) => idsOf(model, prompt));
  writeLora(at("one.gguf"), 1);
  writeLora(at("other.gguf"), 2, { rank: 8 });
  writeLora(at("activated.gguf"), 3, { invocation: [...idsOf(model, INVOCATION)] });
  one = await model.loadLora(at("one.gguf"));
  other = await model.loadLora(at("other.gguf"));
  activated = await model.loadLora(at("activated.gguf"));
});
afterAll(async () => {
  await model.dispose();
  rmSync(directory, { recursive: true });
});

const greedily = (adapters?: readonly ScaledAdapter[]): GenerateOptions => ({
  temperature: 0,
  maxTokens: TOKENS,
  ...(adapters && { adapters }),
});

const tokensOf = async (result: Promise<GenerationResult>) => chosen(await result);

/** What a plain loop over llama.h with these adapters says behind each of the prompts. */
const reference = (flags: readonly string[], prompts: readonly Int32Array[] = ids) =>
  referenceGreedy(prompts, [...FLAGS, ...flags]);

const loraFlags = (name: string, scale = 1) => [
  ...["--lora", at(`${name}.gguf`), "--lora-scale", String(scale)],
];

/** Exact, as a plain loop is: a row that is evaluated alone is rounded in another way than several. */
async function eachPrompt(context: Context, options: GenerateOptions): Promise<number[][]> {
  const results: number[][] = [];
  for (const prompt of PROMPTS) {
    results.push(
      await tokensOf(context.generateText(prompt, { cachePrompt: "exact", ...options })),
    );
  }
  return results;
}

describe("a LoRA adapter", () => {
  test("tells what it is", () => {
    expect(one.path).toBe(at("one.gguf"));
    expect(one.sizeInBytes).toBe(4 /* bytes */ * 4 /* rank */ * LAYERS * 4096);
    expect(one.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(one.fingerprint).not.toBe(other.fingerprint);
    expect([...one.invocationTokens]).toEqual([]);
    expect([...activated.invocationTokens]).toEqual([...idsOf(model, INVOCATION)]);
  });

  test.each([1, -0.5, 2])(
    "of scale %d is llama.cpp's plain loop, token for token",
    async (scale) => {
      const context = await model.createContext(SHAPE);
      const expected = await reference(loraFlags("one", scale));
      const plain = await reference([]);
      expect(expected).not.toEqual(plain);
      expect(await eachPrompt(context, greedily([{ adapter: one, scale }]))).toEqual(expected);
      await context.dispose();
    },
  );

  test("goes together with another", async () => {
    const context = await model.createContext(SHAPE);
    const expected = await reference([...loraFlags("one", 0.7), ...loraFlags("other", 0.3)]);
    const both = [
      { adapter: other, scale: 0.3 },
      { adapter: one, scale: 0.7 },
    ];
    expect(await eachPrompt(context, greedily(both))).toEqual(expected);
    await context.dispose();
  });

  test("of scale 0 changes nothing, and shares the cache of a request without any", async () => {
    const context = await model.createContext(SHAPE);
    await context.generateText(PROMPTS[3]!, greedily());
    const result = await context.generateText(PROMPTS[3]!, greedily([{ adapter: one, scale: 0 }]));
    expect(result.usage.cachedTokens).toBeGreaterThan(0);
    expect(chosen(result)).toEqual((await reference([]))[3]);
    await context.dispose();
  });
});

/** How far behind the likeliest token a sequence with these adapters has each of those chosen, at most. */
async function gapOf(
  context: Context,
  prompt: Prompt,
  tokens: readonly number[],
  adapters: readonly ScaledAdapter[] = [],
): Promise<number> {
  await using sequence = await context.createSequence({ adapters });
  await sequence.evaluate(prompt);
  let gap = 0;
  for (const token of tokens) {
    const logits = await sequence.logits();
    gap = Math.max(gap, Math.max(...logits) - (logits[token] as number));
    await sequence.evaluate([token]);
  }
  return gap;
}

describe.each(["per-sequence", "unified"] as const)("in one context, %s", (kvCache) => {
  test("requests with different adapters run together, each as alone", async () => {
    const context = await model.createContext({ ...SHAPE, kvCache, sequences: 6 });
    const alone = await model.createContext(SHAPE);
    const sets: (readonly ScaledAdapter[] | undefined)[] = [
      undefined,
      [{ adapter: one }],
      [{ adapter: one, scale: 0.5 }],
      [{ adapter: other }],
      [{ adapter: one }, { adapter: other }],
    ];
    const jobs = PROMPTS.slice(0, 4).flatMap((prompt) => sets.map((set) => ({ prompt, set })));
    const together = await Promise.all(
      jobs.map(({ prompt, set }) => tokensOf(context.generateText(prompt, greedily(set)))),
    );
    let wrong = 0; // with others than its own
    for (const [index, { prompt, set }] of jobs.entries()) {
      const tokens = together[index] as number[];
      if (kvCache === "per-sequence") {
        const fresh = { ...greedily(set), cachePrompt: false };
        expect(tokens).toEqual(await tokensOf(alone.generateText(prompt, fresh)));
      } else if (index < 2 * sets.length) {
        // Who is in the batch decides how sums are rounded.
        expect(await gapOf(alone, prompt, tokens, set)).toBeLessThan(ROUNDED);
        wrong = Math.max(wrong, await gapOf(alone, prompt, tokens, [{ adapter: one, scale: -1 }]));
      }
    }
    if (kvCache === "unified") expect(wrong).toBeGreaterThan(4 * ROUNDED);
    expect(context.stats.activeGenerations).toBe(0);
    await Promise.all([context.dispose(), alone.dispose()]);
  });

  test("no cached prefix is shared across sets", async () => {
    const context = await model.createContext({ ...SHAPE, kvCache, sequences: 2 });
    const prompt = question("Where do llamas live? Answer in one short sentence, please.");
    const cached = async (set?: readonly ScaledAdapter[]) =>
      (await context.generateText(prompt, greedily(set))).usage.cachedTokens;
    expect(await cached()).toBe(0);
    expect(await cached([{ adapter: one }])).toBe(0);
    expect(await cached([{ adapter: one }])).toBeGreaterThan(0);
    expect(await cached()).toBeGreaterThan(0);
    expect(await cached([{ adapter: one, scale: 0.5 }])).toBe(0);
    await context.dispose();
  });
});

describe("an activated LoRA", () => {
  const set = () => [{ adapter: activated }];

  test("counts from its invocation on, as in a plain loop", async () => {
    const context = await model.createContext(SHAPE);
    for (const index of [0, 3, 5]) {
      const prompt = ids[index] as Int32Array;
      const from = prompt.length - INVOCATION.length - 1;
      const flags = [...loraFlags("activated"), "--lora-from", String(from)];
      const [expected] = await reference(flags, [prompt]);
      expect(await tokensOf(context.generateText(PROMPTS[index]!, greedily(set())))).toEqual(
        expected,
      );
    }
    await context.dispose();
  });

  test("shares what is before with a request without it", async () => {
    const context = await model.createContext({ ...SHAPE, sequences: 2 });
    const prompt = question("Where do llamas live? Answer in one short sentence, please.");
    const from = idsOf(model, prompt).length - INVOCATION.length - 1;
    await context.generateText(prompt, greedily());
    const { usage } = await context.generateText(prompt, greedily(set()));
    expect(usage.cachedTokens).toBe(from);
    const exact = await context.generateText(prompt, { ...greedily(set()), cachePrompt: "exact" });
    expect(chosen(exact)).toEqual(
      chosen(await context.generateText(prompt, { ...greedily(set()), cachePrompt: false })),
    );
    await context.dispose();
  });

  test("changes nothing where it is not invoked", async () => {
    const context = await model.createContext(SHAPE);
    const [expected] = await reference([], [ids[2] as Int32Array]);
    expect(await tokensOf(context.generateText(PROMPTS[2]!, greedily(set())))).toEqual(expected);
    await context.dispose();
  });

  test("is one at a time, and none of a sequence's", async () => {
    writeLora(at("second.gguf"), 4, { invocation: [5, 6] });
    const second = await model.loadLora(at("second.gguf"));
    const context = await model.createContext({ ...SHAPE, sequences: 2 });
    const two = [{ adapter: activated }, { adapter: second }];
    await expect(context.generateText("a", greedily(two))).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("at most one activated LoRA"),
    });
    await expect(context.createSequence({ adapters: set() })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    await Promise.all([context.dispose(), second.dispose()]);
  });
});

describe("sequences", () => {
  test("have adapters, their forks and files, too", async () => {
    const context = await model.createContext({ ...SHAPE, sequences: 3 });
    const adapters = [{ adapter: one }];
    const sequence = await context.createSequence({ adapters });
    await sequence.evaluate(PROMPTS[3]!);
    const expected = await sequence.logits();
    const plain = await context.createSequence();
    await plain.evaluate(PROMPTS[3]!);
    expect(await plain.logits()).not.toEqual(expected);

    await sequence.save(at("one.state"));
    await plain.save(at("plain.state"));
    await expect(plain.restore(at("one.state"))).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
    });
    await expect(sequence.restore(at("plain.state"))).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
    });
    const fork = await sequence.fork();
    await fork.restore(at("one.state"));
    expect(await fork.logits()).toEqual(expected);
    await context.dispose();
  });

  test("score and choose take adapters", async () => {
    const context = await model.createContext({ ...SHAPE, sequences: 2 });
    const candidates = [10, 20, 30];
    const plain = await context.score(PROMPTS[0]!, candidates);
    const adapted = await context.score(PROMPTS[0]!, candidates, { adapters: [{ adapter: one }] });
    expect(adapted).not.toEqual(plain);
    const texts = [" yes", " no"];
    const [a] = await context.choose(PROMPTS[0]!, texts);
    const [b] = await context.choose(PROMPTS[0]!, texts, { adapters: [{ adapter: one }] });
    expect(b!.logprob).not.toBe(a!.logprob);
    await context.dispose();
  });
});

describe("loading and disposing", () => {
  test("works while generations run, which go on with what they have", async () => {
    const context = await model.createContext({ ...SHAPE, sequences: 3 });
    const expected = await reference(loraFlags("one"), [ids[1] as Int32Array]);
    const own = await model.loadLora(at("one.gguf"));
    const bias = forbidden(endTokens(model));
    const long = { ...greedily(), maxTokens: 120, logitBias: bias };
    const running = [context.generateText("a b c", long), context.generateText("d e f", long)];
    const with_ = context.generateText(PROMPTS[1]!, greedily([{ adapter: own }]));
    await own.dispose();
    expect(own.disposed).toBe(true);
    for (let i = 0; i < 5; i++) await (await model.loadLora(at("other.gguf"))).dispose();
    expect(await tokensOf(with_)).toEqual(expected[0]);
    const alone = await context.generateText("a b c", { ...long, cachePrompt: false });
    expect((await running[0])?.text).toBe(alone.text);
    await Promise.all(running);
    expect(() => context.generate("a", greedily([{ adapter: own }]))).toThrow(
      expect.objectContaining({ code: "ERR_DISPOSED" }),
    );
    await own.dispose();
    await context.dispose();
  });

  test("ends with the model", async () => {
    const mine = await Model.load(MODEL);
    const adapter = await mine.loadLora(at("one.gguf"));
    const late = expect(mine.loadLora(at("other.gguf"))).rejects.toMatchObject({
      code: "ERR_DISPOSED",
    });
    await mine.dispose();
    expect(adapter.disposed).toBe(true);
    await adapter.dispose();
    await late;
    await expect(mine.loadLora(at("one.gguf"))).rejects.toMatchObject({ code: "ERR_DISPOSED" });
  });

  test("can be aborted", async () => {
    const signal = AbortSignal.abort(new Error("no more"));
    await expect(model.loadLora(at("one.gguf"), { signal })).rejects.toThrow("no more");
  });

  test("refuses what is no adapter of the model's in a request", async () => {
    const context = await model.createContext(SHAPE);
    const stranger = await Model.load(MODEL);
    const its = await stranger.loadLora(at("one.gguf"));
    const refused = (adapters: unknown, words: string) =>
      expect(() => context.generate("a", { adapters } as never)).toThrow(
        expect.objectContaining({
          code: "ERR_INVALID_ARGUMENT",
          message: expect.stringContaining(words),
        }),
      );
    refused([{ adapter: its }], "belongs to another model");
    refused([{ adapter: one }, { adapter: one }], "twice");
    refused([one], "options.adapters[0]");
    refused([{ adapter: {} }], "a LoraAdapter");
    refused([{ adapter: one, scale: Number.NaN }], "options.adapters[0].scale");
    refused([{ adapter: one, scale: "1" }], "options.adapters[0].scale");
    refused([{ adapter: one, weight: 1 }], "weight");
    refused({ adapter: one }, "options.adapters");
    await Promise.all([context.dispose(), stranger.dispose()]);
  });
});

describe("control vectors", () => {
  const control = at("control.gguf");
  const raw = (name: string, values: Float32Array) => {
    writeFileSync(at(name), Buffer.from(values.buffer));
    return ["--control", at(name)];
  };

  test("are llama.cpp's plain loop, token for token, summed and cut to layers", async () => {
    const first = writeControlVector(control, 1, 2);
    const second = writeControlVector(at("second-control.gguf"), 2, 2);
    const sum = first.map((value, index) => {
      const layer = 1 + Math.floor(index / WIDTH);
      const more = layer >= 2 && layer <= 3 ? Math.fround((second[index] as number) * -0.5) : 0;
      return value + more;
    });
    const expected = await reference(raw("sum", sum));
    expect(expected).not.toEqual(await reference([]));
    const context = await model.createContext({
      ...SHAPE,
      controlVectors: [
        { path: control },
        { path: at("second-control.gguf"), scale: -0.5, layers: [2, 3] },
      ],
    });
    expect(await eachPrompt(context, greedily())).toEqual(expected);
    const sequence = await context.createSequence();
    await sequence.evaluate("a b c");
    await sequence.save(at("control.state"));
    const plain = await model.createContext(SHAPE);
    const other = await plain.createSequence();
    await expect(other.restore(at("control.state"))).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
    });
    await Promise.all([context.dispose(), plain.dispose()]);
  });

  test.each([
    [{ path: MODEL }, "ERR_MODEL_INVALID", "is not a control vector"],
    [{ path: "missing.gguf" }, "ERR_MODEL_INVALID", "missing.gguf"],
    [{ path: control, layers: [2, LAYERS] }, "ERR_INVALID_ARGUMENT", `layers 1 to ${LAYERS - 1}`],
    [{ path: control, layers: [3, 2] }, "ERR_INVALID_ARGUMENT", "layers"],
    [{ path: control, layers: [0, 2] }, "ERR_INVALID_ARGUMENT", "layers"],
    [{ path: control, scale: Number.POSITIVE_INFINITY }, "ERR_INVALID_ARGUMENT", "scale"],
    [{ file: control }, "ERR_INVALID_ARGUMENT", "file"],
  ])("refuses %j", async (vector, code, words) => {
    const made = model.createContext({ ...SHAPE, controlVectors: [vector as never] });
    await expect(made).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });
});
