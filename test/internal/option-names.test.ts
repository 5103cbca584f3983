import {
  type Context,
  Grammar,
  LlamaGuard,
  Model,
  parseToolCalls,
  renderChat,
  runBatch,
  Sampler,
} from "../../lib/index.js";
import {
  misspeltOption,
  nearest,
  optionNames,
  unknownOption,
} from "../../lib/internal/option-names.js";
import { MODEL } from "../support/paths.js";

test.each([
  ["temprature", "temperature"],
  ["TopK", "topK"],
  ["top_p", "topP"],
  ["xyz", undefined],
  ["t".repeat(100), undefined],
])("nearest(%j) is %j", (key, name) => {
  expect(nearest(key, ["temperature", "topK", "topP"])).toBe(name);
});

describe("an option that belongs elsewhere", () => {
  let model: Model;
  let context: Context;
  let embedding: Context;
  beforeAll(async () => {
    model = await Model.load(MODEL);
    context = await model.createContext({ contextSize: 64 });
    embedding = await model.createContext({ contextSize: 64, embeddings: true });
  });
  afterAll(() => model.dispose());

  type Call = (options: never) => unknown;
  const generate: Call = (options) => context.generate("x", options);
  const create: Call = (options) => model.createContext(options);
  const load: Call = (options) => Model.load(MODEL, options);
  const sampler: Call = (options) => new Sampler(options);

  test.each<[string, Call, string, string]>([
    ["generate", generate, "contextSize", "it is an option of `model.createContext`"],
    ["generate", generate, "gpuLayers", "it is an option of `Model.load`"],
    ["generate", generate, "ordered", "it is an option of `context.generateMany`"],
    ["generate", generate, "responseSchema", "an option of `ChatSession` and `session.send`"],
    ["generate", generate, "n_ctx", "mean `contextSize`, an option of `model.createContext`?"],
    ["generate", generate, "contxtSize", "mean `contextSize`, an option of `model.createContext`?"],
    ["generate", generate, "max_tokens", "did you mean `maxTokens`?"],
    ["generate", generate, "num_predict", "did you mean `maxTokens`?"],
    ["generate", generate, "stop_sequences", "did you mean `stop`?"],
    ["generate", generate, "stopSequences", "did you mean `stop`?"],
    ["generate", generate, "top_p", "did you mean `topP`?"],
    ["generate", generate, "temp", "did you mean `temperature`?"],
    ["generate", generate, "frequency_penalty", "did you mean `penalties.frequency`?"],
    ["createContext", create, "temperature", "an option of `context.generate` and `Sampler`"],
    ["createContext", create, "topK", "an option of `context.generate` and `Sampler`"],
    ["createContext", create, "gpuLayers", "it is an option of `Model.load`"],
    ["createContext", create, "n_gpu_layers", "mean `gpuLayers`, an option of `Model.load`?"],
    ["createContext", create, "maxTokens", "an option of `context.generate` and `runBatch`"],
    ["createContext", create, "system", "an option of `ChatSession` and `runBatch`"],
    ["load", load, "n_ctx", "mean `contextSize`, an option of `model.createContext`?"],
    ["load", load, "embeddings", "it is an option of `model.createContext`"],
    ["Sampler", sampler, "maxTokens", "an option of `context.generate` and `runBatch`"],
    ["Sampler", sampler, "stop", "an option of `context.generate` and `runBatch`"],
    ["score", (o) => context.score("x", [1], o), "logprobs", "an option of `context.generate`"],
    ["embed", (o) => embedding.embed("x", o), "pooling", "an option of `model.createContext`"],
    ["tokenize", (o) => model.tokenize("x", o), "cutOff", "an option of `parser.finish`"],
    [
      "renderChat",
      (o) => renderChat([{ role: "user", content: "x" }], o),
      "guard",
      "an option of `ChatSession`",
    ],
    ["parseToolCalls", (o) => parseToolCalls("", o), "threshold", "an option of `LlamaGuard`"],
    ["LlamaGuard", (o) => new LlamaGuard(context, o), "root", "an option of `Grammar.gbnf`"],
    ["gbnf", (o) => Grammar.gbnf('root ::= "x"', o), "whiteSpace", "of `Grammar.jsonSchema`"],
    ["runBatch", (o) => runBatch(model, o), "temperature", "an option of `context.generate`"],
  ])("%s: %#", async (_, call, option, hint) => {
    const error = await Promise.resolve()
      .then(() => call({ [option]: 1 } as never))
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining(hint),
      details: { name: "options", option },
    });
    expect((error as Error).message).toMatch(/^Unknown option ".*" in `options`: /);
  });
});

test("an option that too many take, and what is like none, gets the list of what is known", () => {
  const known = optionNames("test", ["first", "second"]);
  for (const key of [
    "signal",
    "zzz",
    "",
    "__proto__",
    "constructor",
    "x".repeat(10_000),
    Symbol("s"),
  ]) {
    expect(unknownOption(key, "options", known).message).toMatch(/: known are `first`, `second`$/);
  }
});

test.each([
  ["topic", undefined],
  ["speed", undefined],
  ["text", undefined],
  ["contextSize", undefined],
  ["customer_id", undefined],
  ["max_tokens", "maxTokens"],
  ["maxToken", "maxTokens"],
  ["temprature", "temperature"],
  ["top_p", "topP"],
  ["stop_sequences", "stop"],
])("%s beside a request is taken for %s", (key, option) => {
  const known = ["prompt", "maxTokens", "temperature", "topP", "topK", "seed", "stop"];
  expect(misspeltOption(key, known)).toBe(option);
});

describe("what is often given in place of something else is told what it is for", () => {
  test.each([
    ["role", "prompt[0]", /ChatSession.*renderChatAsync/],
    ["content", "prompt[3]", /ChatSession.*renderChatAsync/],
    ["execute", "options.tools[0]", /defineTool\(/],
    ["parameters", "tools[12]", /defineTool\(/],
  ])("%s in %s", (key, name, words) => {
    expect(unknownOption(key, name, ["text"]).message).toMatch(words);
  });

  test("elsewhere the same names are options like others", () => {
    expect(unknownOption("role", "options", ["text"]).message).not.toMatch(/ChatSession/);
  });
});
