import { nativeContextOptions } from "../../lib/context/context-options.js";
import { nativeGenerateOptions } from "../../lib/generation/generate-options.js";
import { Grammar, Sampler, type SamplerOptions } from "../../lib/index.js";
import { readOptions } from "../../lib/internal/checks.js";
import { CriaError } from "../../lib/internal/errors.js";
import type { NativeModelInfo } from "../../lib/internal/native.js";
import type { LoadedModel } from "../../lib/model/loaded-model.js";
import { nativeModelOptions } from "../../lib/model/model-options.js";

const info = {
  architecture: "llama",
  generates: true,
  metadata: ["llama.pooling_type", "3"],
  contextLength: 2048,
  vocabularySize: 100,
  positionCount: 0,
  fingerprint: "0123456789abcdef",
} as NativeModelInfo;

const load = (options: unknown) => nativeModelOptions("/m.gguf", options as never);
const context = (options: unknown) => nativeContextOptions(options as never, info);
const generate = (options: unknown) =>
  nativeGenerateOptions(
    options as never,
    { vocabularySize: 100 } as LoadedModel,
    (given) => new Sampler(given),
  );
const sampler = (options: unknown) => new Sampler(options as SamplerOptions);

const throwing = new Proxy(
  {},
  {
    get: () => {
      throw new Error("get");
    },
    ownKeys: () => {
      throw new Error("ownKeys");
    },
  },
);

const notIntegers = (...more: unknown[]) => [
  Number.NaN,
  1.5,
  "1",
  1n,
  null,
  2 ** 53,
  Infinity,
  ...more,
];
const notNumbers = (...more: unknown[]) => [Number.NaN, "0.5", null, {}, -Infinity, ...more];
const notBooleans = [0, 1, "true", null, {}];
const notFunctions = [null, {}, "f", 1];
const notSignals = [null, {}, { aborted: true }, new AbortController(), throwing, "abort"];
const notObjects = [null, 1, "x", true, [], () => {}, new Map(), new Date(), throwing];

type Read = (options: unknown) => unknown;

/** [what reads it, option, values that it takes, values that it refuses] */
const table: [string, Read, string, unknown[], unknown[]][] = [
  ["load", load, "gpuLayers", [0, 99, "auto", "all"], notIntegers(-1, "some")],
  ["load", load, "devices", [[], ["CPU"]], ["CPU", [1], [null], {}, Array(17).fill("x"), null]],
  ["load", load, "splitMode", ["none", "layer", "tensor"], ["row", 1, null, "None"]],
  [
    "load",
    load,
    "tensorSplit",
    [[], [1, 0, 2.5]],
    [1, ["1"], [-1], [Number.NaN], Array(17).fill(1)],
  ],
  ["load", load, "mainGpu", [0, 15], notIntegers(-1, 16)],
  ["load", load, "mmap", [true, false], notBooleans],
  ["load", load, "mlock", [true, false], notBooleans],
  ["load", load, "checkTensors", [true, false], notBooleans],
  ["load", load, "vocabOnly", [true, false], notBooleans],
  ["load", load, "mtp", [true, false], notBooleans],
  [
    "load",
    load,
    "metadataOverrides",
    [{}, { "a.b": 1, c: "x", d: true, e: -1.5 }],
    [
      ...notObjects,
      { a: null },
      { a: {} },
      { a: Number.NaN },
      { a: 1n },
      { "": 1 },
      { a: "x".repeat(128) },
      { ["k".repeat(128)]: 1 },
      { "a\0b": 1 },
    ],
  ],
  ["load", load, "onProgress", [() => {}], notFunctions],
  ["load", load, "signal", [new AbortController().signal], notSignals],

  ["context", context, "contextSize", ["auto", 1, 100_000], notIntegers(0, -1, "max", 2 ** 31)],
  ["context", context, "sequences", [1, 256], notIntegers(0, -1, 257)],
  [
    "context",
    context,
    "kvCache",
    ["auto", "per-sequence", "unified"],
    ["shared", "separate", null, 1],
  ],
  ["context", context, "kvCacheSize", [2048], notIntegers(0, -1, 2049)],
  ["context", context, "batchSize", [1, 512], notIntegers(0, -1, 2 ** 31)],
  ["context", context, "microBatchSize", [1, 2048, 4096], notIntegers(0, -1, 2 ** 31)],
  ["context", context, "threads", [1, 512], notIntegers(0, -1, 513)],
  ["context", context, "batchThreads", [1, 512], notIntegers(0, -1, 513)],
  ["context", context, "flashAttention", ["auto", true, false], ["on", 1, null]],
  [
    "context",
    context,
    "kvCacheType",
    ["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", { key: "q4_0" }, {}],
    ["q6_k", "F16", null, 1, ["f16"], { key: "q6_k" }, { value: 1 }, { keys: "f16" }, new Map()],
  ],
  [
    "context",
    context,
    "rope",
    [{}, { frequencyBase: 10_000 }, { frequencyScale: 0.5 }],
    [
      ...notObjects,
      ...notNumbers(0, -1).map((frequencyBase) => ({ frequencyBase })),
      ...notNumbers(0, -1).map((frequencyScale) => ({ frequencyScale })),
      { base: 1 },
    ],
  ],
  ["context", context, "signal", [new AbortController().signal], notSignals],

  [
    "generate",
    generate,
    "sampler",
    [new Sampler()],
    [null, {}, { temperature: 0 }, Sampler, throwing],
  ],
  ["generate", generate, "maxTokens", [0, 1, 2 ** 31 - 1], notIntegers(-1, 2 ** 31)],
  [
    "generate",
    generate,
    "stop",
    [[], ["\n", "👩‍🚀", "\0"], "\n", "end"],
    ["", [""], 1, [1], "\ud800", ["\ud800"], {}, null],
  ],
  ["generate", generate, "special", [true, false], notBooleans],
  ["context", context, "embeddings", [true, false], notBooleans],
  ["context", context, "pooling", [], ["Mean", "max", 1, null, ["mean"], throwing, "mean"]],

  ["generate", generate, "signal", [new AbortController().signal], notSignals],
  ["generate", generate, "onProgress", [() => {}], notFunctions],

  ["sampler", sampler, "temperature", [0, 0.8, 1000], notNumbers(-0.1, 1001, Infinity)],
  ["sampler", sampler, "topK", [0, 40, 2 ** 31 - 1], notIntegers(-1, 2 ** 31)],
  ["sampler", sampler, "topP", [0, 0.5, 1], notNumbers(-0.1, 1.1)],
  ["sampler", sampler, "minP", [0, 0.5, 1], notNumbers(-0.1, 1.1)],
  [
    "sampler",
    sampler,
    "penalties",
    [{}, { lastN: 0, repeat: 0.01, frequency: -100, presence: 100 }],
    [
      ...notObjects,
      ...notIntegers(-1, 1_048_577).map((lastN) => ({ lastN })),
      ...notNumbers(0, -1, 101).map((repeat) => ({ repeat })),
      ...notNumbers(101).map((frequency) => ({ frequency })),
      ...notNumbers(101).map((presence) => ({ presence })),
      { last: 1 },
    ],
  ],
  [
    "sampler",
    sampler,
    "logitBias",
    [{}, new Map(), { 5: 1 }, new Map([[5, -Infinity]]), Object.create(null)],
    [
      ...[
        null,
        1,
        "x",
        [],
        [1, 2],
        new Set(),
        Int32Array.of(1),
        throwing,
        new Proxy(new Map(), {}),
      ],
      ...[{ a: 1 }, { "-1": 1 }, { "01": 1 }, { 1.5: 1 }, { [2 ** 31]: 1 }],
      ...[Number.NaN, Infinity, "1", null, 1e7].map((bias) => ({ 5: bias })),
      new Map([["5", 1]]),
      new Map([[-1, 1]]),
    ],
  ],
  [
    "sampler",
    sampler,
    "grammar",
    [Grammar.gbnf('root ::= "x"')],
    [null, "root ::= x", {}, throwing],
  ],
  ["sampler", sampler, "seed", [0, 2 ** 32 - 2], notIntegers(-1, 2 ** 32 - 1)],
];

/** What a sampler takes, `generate` takes, too, within the same bounds. */
const flat = table
  .filter(([what]) => what === "sampler")
  .map(([, , ...rest]): (typeof table)[number] => ["generate", generate, ...rest]);

describe.each(
  [...table, ...flat].map(([what, read, option, good, bad]) => ({ what, read, option, good, bad })),
)("$what $option", ({ read, option, good, bad }) => {
  test("takes what it should, undefined as not given", () => {
    for (const value of good) expect(() => read({ [option]: value })).not.toThrow();
    expect(comparable(read({ [option]: undefined }))).toEqual(comparable(read({})));
  });

  test("refuses the rest and names itself", () => {
    const outcomes = bad.map((value) => {
      try {
        return read({ [option]: value });
      } catch (error) {
        return error;
      }
    });
    for (const [index, outcome] of outcomes.entries()) {
      expect([index, CriaError.is(outcome) && outcome.code]).toEqual([
        index,
        "ERR_INVALID_ARGUMENT",
      ]);
      expect((outcome as Error).message).toContain(option);
    }
  });
});

/** Without the seed, which is drawn anew. */
function comparable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === "seed" ? 0 : inner)));
}

describe.each([
  ["load", load, "chekTensors", "checkTensors"],
  ["context", context, "contextsize", "contextSize"],
  ["generate", generate, "max_tokens", "maxTokens"],
  ["generate", generate, "temprature", "temperature"],
  ["sampler", sampler, "temprature", "temperature"],
] as [string, Read, string, string][])("%s options", (_, read, misspelt, right) => {
  test("must be a plain object, where there are any", () => {
    for (const value of notObjects) {
      expect(() => read(value)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    }
    expect(() => read(undefined)).not.toThrow();
    expect(() => read(Object.create(null))).not.toThrow();
  });

  test("with a misspelt name point at the nearest known one", () => {
    expect(() => read({ [misspelt]: 1 })).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringContaining(`did you mean \`${right}\`?`),
      }),
    );
    expect(() => read({ somethingElse: 1 })).toThrow(/Unknown option "somethingElse".*known are/);
    expect(() => read({ [Symbol("s")]: 1 })).toThrow(/Unknown option Symbol\(s\)/);
  });

  test("are read once, so that what was checked is what is used", () => {
    let reads = 0;
    const options = Object.defineProperty({}, right, {
      enumerable: true,
      get: () => {
        reads++;
        return undefined;
      },
    });
    read(options);
    expect(reads).toBe(1);
  });
});

describe("context options together", () => {
  const native = (options: object) => context(options).native;

  test("have the documented defaults", () => {
    expect(native({})).toEqual({
      contextSize: 2048,
      controlVectors: [],
      kvCacheSize: 2048,
      sequences: 1,
      kvCache: "per-sequence",
      swaFull: false,
      checkpointMemory: 512 * 1024 * 1024,
      draftedTokens: 0,
      takesForced: false,
      batchSize: 2048,
      microBatchSize: 512,
      threads: 0,
      batchThreads: 0,
      flashAttention: "auto",
      guesser: "ngram",
      kvCacheTypeKey: "f16",
      kvCacheTypeValue: "f16",
      ropeFrequencyBase: 0,
      ropeFrequencyScale: 0,
      embeddings: false,
      pooling: "none",
    });
  });

  test("have other defaults for embeddings, the pooling of the model's file among them", () => {
    const wanted = { embeddings: true, contextSize: 2048, sequences: 64, microBatchSize: 512 };
    expect(native({ embeddings: true })).toMatchObject({ ...wanted, pooling: "last" });
    expect(native({ embeddings: true, pooling: "cls" }).pooling).toBe("cls");
    expect(native({ embeddings: true, batchSize: 8 })).toMatchObject({
      sequences: 8,
      microBatchSize: 8,
    });
    const silent = { ...info, metadata: ["general.name", "llama.pooling_type"] };
    expect(nativeContextOptions({ embeddings: true }, silent).native.pooling).toBe("mean");
    const encoder = { ...info, generates: false, contextLength: 8192 };
    const { native: long } = nativeContextOptions({ embeddings: true }, encoder);
    expect(long.contextSize).toBe(2048);
  });

  test("follow one another", () => {
    expect(native({ threads: 3 })).toMatchObject({ threads: 3, batchThreads: 3 });
    expect(native({ contextSize: 100, sequences: 4 })).toMatchObject({ kvCacheSize: 400 });
    expect(native({ batchSize: 64 })).toMatchObject({ batchSize: 64, microBatchSize: 64 });
    expect(native({ microBatchSize: 4096 })).toMatchObject({
      batchSize: 4096,
      microBatchSize: 4096,
    });
    expect(native({ kvCacheType: { value: "f32" } })).toMatchObject({
      kvCacheTypeKey: "f16",
      kvCacheTypeValue: "f32",
    });
    expect(native({ kvCache: "unified", sequences: 8, kvCacheSize: 1000 })).toMatchObject({
      contextSize: 1000,
      kvCacheSize: 1000,
    });
  });

  test.each<[object, RegExp]>([
    [{ batchSize: 3, sequences: 4 }, /from 4 to .*`options\.batchSize`, got 3/],
    [{ batchSize: 64, microBatchSize: 65 }, /from 1 to 64 for `options\.microBatchSize`/],
    [{ contextSize: 10, sequences: 2, kvCacheSize: 10 }, /contextSize × sequences \(20\), got 10/],
    [
      { contextSize: 10, sequences: 2, kvCacheSize: 9, kvCache: "unified" },
      /from contextSize \(10\)/,
    ],
    [{ contextSize: 10, sequences: 2, kvCacheSize: 21, kvCache: "unified" }, /sequences \(20\)/],
    [{ contextSize: 2 ** 30, sequences: 2 }, /contextSize × sequences up to/],
    [{ pooling: "mean" }, /`options\.pooling` needs `embeddings: true`/],
    [{ embeddings: true, kvCache: "unified" }, /`options\.kvCache` has no meaning/],
    [{ embeddings: true, kvCacheSize: 512 }, /`options\.kvCacheSize` has no meaning/],
    [{ embeddings: true, sequences: 257 }, /from 1 to 256/],
    [{ embeddings: true, contextSize: 2 ** 24 + 1 }, /`options\.contextSize/],
    [{ embeddings: true, microBatchSize: 2 ** 16 + 1 }, /`options\.microBatchSize`/],
    [{ kvCacheType: "q8_0", flashAttention: false }, /q8_0.*needs flash attention/],
  ])("refuse %j", (options, message) => {
    expect(() => native(options)).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });
});

test("what a getter throws becomes the cause", () => {
  const cause = new Error("getter");
  const options = {
    get a(): number {
      throw cause;
    },
  };
  expect(() => readOptions(options, "options", ["a"])).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARGUMENT", cause }),
  );
});
