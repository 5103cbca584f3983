// Every public function, with arguments and options of any kind: a coded error, or a result that
// works. Values are made anew in each run.
import { join } from "node:path";
import fc from "fast-check";
import {
  ChatSession,
  CriaError,
  defineTool,
  estimateMemory,
  Grammar,
  LlamaGuard,
  Model,
  parseGuardVerdict,
  parseToolCalls,
  promptToString,
  renderChat,
  renderGuardPrompt,
  runBatch,
  Sampler,
  setLogHandler,
  ToolCallParser,
} from "../../dist/index.js";
import { hostile, mostly, optionsOf, Trap } from "./hostile-values.mjs";
import { demandCode, folder, fuzz, MODEL, REASON } from "./runner.mjs";

const model = await Model.load(MODEL);
const small = { contextSize: 64, threads: 1, batchSize: 64 };
const context = await model.createContext({ ...small, sequences: 3 });
const roomy = await model.createContext({ contextSize: 2048, threads: 1, batchSize: 64 });
const embedding = await model.createContext({ ...small, embeddings: true, sequences: 2 });

const is = (...values) => values.map((value) => () => value);
const aborted = () => AbortSignal.abort(REASON);
const fresh = () => new AbortController().signal;
const soon = () => {
  const controller = new AbortController();
  setImmediate(() => controller.abort(REASON));
  return controller.signal;
};
const signals = [fresh, fresh, aborted, soon];
const ignore = () => () => {};

const grammar = Grammar.gbnf('root ::= "a"+');
const tool = defineTool({ name: "look", parameters: { type: "object" }, execute: () => "seen" });
const definition = { type: "function", function: { name: "look", parameters: { type: "object" } } };
const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };

const SAMPLER = {
  temperature: is(0, 1, 0.5),
  topK: is(0, 5),
  topP: is(0.5, 1),
  minP: is(0, 0.1),
  typicalP: is(0.9),
  topNSigma: is(1),
  dynamicTemperature: optionsOf({ range: is(0.1), exponent: is(1) }),
  xtc: optionsOf({ probability: is(0.5), threshold: is(0.1) }),
  mirostat: optionsOf({ version: is(1, 2), tau: is(5), eta: is(0.1) }),
  adaptiveP: optionsOf({ target: is(0.3), decay: is(0.9) }),
  penalties: optionsOf({ lastN: is(8), repeat: is(1.1), frequency: is(0.1), presence: is(0.1) }),
  dry: optionsOf({ multiplier: is(1), base: is(2), allowedLength: is(2), breakers: is(["\n"]) }),
  logitBias: mostly(
    () => ({ 5: 1 }),
    () => new Map([[7, -Infinity]]),
  ),
  grammar: is(grammar),
  seed: is(0, 1, 2 ** 32 - 1),
};
const sampler = fc.oneof(
  { weight: 1, arbitrary: hostile },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      () => Sampler.greedy(),
      () => new Sampler({ seed: 1 }),
    ),
  },
);
const GENERATE = {
  sampler,
  maxTokens: is(0, 1, 3),
  stop: mostly(
    () => ["a", "llama"],
    () => "llama",
    () => [],
  ),
  special: is(true, false),
  signal: signals,
  logprobs: is(0, 3),
  cachePrompt: is(true, false, "exact"),
  maxPause: is(0, 20, Infinity),
  reasoningBudget: optionsOf(
    {
      tokens: is(0, 2),
      start: is("<think>", ""),
      ends: is(["</think>"], ["<|eot_id|>", ""]),
      open: is(true, false),
    },
    ["tokens"],
  ),
  onProgress: [ignore],
};
const FLAT = { ...GENERATE, ...SAMPLER };
const STEPS = [
  { type: "top-k", value: 5 },
  { type: "temperature", value: 0.5 },
  { type: "penalties", repeat: 1.1 },
  { type: "grammar", grammar },
  { type: "dist" },
  { type: "greedy" },
];
const segment = fc.oneof(
  optionsOf({
    text: is("The llama", ""),
    control: is("<|eot_id|>", "<|none|>"),
    tokens: is([1, 2], new Int32Array([3])),
  }),
  optionsOf({ text: is("a") }),
  hostile,
);
const prompt = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...is("The llama", "", [1, 2], new Int32Array([5, 6]))) },
  { weight: 1, arbitrary: hostile },
  { weight: 2, arbitrary: lists(segment) },
);
const part = optionsOf({ type: is("text", "text", "image_url"), text: is("part", "") }, [
  "type",
  "text",
]);
const call = optionsOf({
  id: is("c1", "c2"),
  type: is("function"),
  function: optionsOf({ name: is("look"), arguments: is("{}", '{"a": 1}', { a: 1 }) }),
});
const message = fc.oneof(
  { weight: 1, arbitrary: hostile },
  {
    weight: 5,
    arbitrary: optionsOf(
      {
        role: is("user", "user", "assistant", "system", "tool", "developer"),
        content: fc.oneof(mostly(...is("Hello", "<|eot_id|>")), lists(part)),
        name: is("name"),
        tool_calls: lists(call),
        tool_call_id: is("c1"),
      },
      ["role", "content"],
    ),
  },
  { weight: 6, arbitrary: fc.constantFrom(() => ({ role: "user", content: "Hello" })) },
);
const messages = fc.oneof(
  { weight: 1, arbitrary: hostile },
  { weight: 8, arbitrary: lists(message) },
);
const toolInput = mostly(
  () => tool,
  () => definition,
  () => ({ type: "function", function: { name: "a b" } }),
);
const tools = fc.oneof(
  { weight: 1, arbitrary: hostile },
  { weight: 8, arbitrary: lists(toolInput) },
);
const choices = ["auto", "none", "required", { type: "function", function: { name: "look" } }];
const RENDER = {
  format: is("auto", "llama-3", "llama-3.1", "llama-4", "template"),
  chatTemplate: is("{{ messages[0].content }}", "{% for %}", ""),
  toolFallback: is("describe", "error"),
  model: is(model),
  tools,
  builtinTools: is(["brave_search"], []),
  toolsInUserMessage: is(true, false),
  addGenerationPrompt: is(true, false),
  date: is("26 Jul 2024", new Date(0)),
  templateVariables: mostly(
    () => ({ a: 1 }),
    () => ({ nested: { list: [1, null] } }),
  ),
};
const { model: _, addGenerationPrompt: __, ...RENDER_TURN } = RENDER;
const { logprobs: ___, special: ____, reasoningBudget: _____, ...GENERATE_TURN } = GENERATE;
const TURN = {
  ...GENERATE_TURN,
  ...RENDER_TURN,
  toolChoice: mostly(...is(...choices)),
  maxToolRounds: is(0, 1),
  constrainTools: is(true, false),
  reasoning: optionsOf({
    effort: is("none", "low", "high"),
    budget: is(0, 2),
    show: is(true, false),
  }),
  summarize: mostly(
    () => () => "They spoke of llamas.",
    () => () => undefined,
  ),
  parallelToolCalls: is(true, false),
  responseSchema: mostly(
    () => schema,
    () => ({}),
  ),
};
const CONTEXT = {
  contextSize: is("auto", 16, 64),
  sequences: is(1, 2, 4),
  kvCache: is("auto", "per-sequence", "unified"),
  kvCacheSize: is(64, 128),
  swaFull: is(true, false),
  checkpointMemory: is(0, 1024),
  speculation: optionsOf(
    {
      type: is("ngram", "draft", "eagle3", "mtp"),
      draft: is({}),
      maxTokens: is(1, 63),
      takeForced: is(true),
    },
    ["type"],
  ),
  batchSize: is(16, 64),
  microBatchSize: is(8, 16),
  threads: is(1, 2),
  batchThreads: is(1),
  flashAttention: is("auto", true, false),
  kvCacheType: mostly(...is("f16", "q8_0"), () => ({ key: "f32", value: "f16" })),
  embeddings: is(true, false),
  pooling: is("mean", "none", "last"),
  rope: optionsOf({ frequencyBase: is(10_000), frequencyScale: is(1) }),
  signal: signals,
};
const LOAD = {
  gpuLayers: is("auto", "all", 0),
  devices: is([], ["CPU"]),
  splitMode: is("none", "layer"),
  tensorSplit: is([], [1]),
  mainGpu: is(0),
  mmap: is(true, false),
  mlock: is(false),
  checkTensors: is(true, false),
  vocabOnly: is(true, false),
  mtp: is(true, false),
  metadataOverrides: mostly(
    () => ({ "general.name": "x" }),
    () => ({ "llama.block_count": 1 }),
  ),
  onProgress: [ignore],
  signal: signals,
};
const GUARD = {
  variant: is("auto", "llama-guard-3-8b", "llama-guard-3-1b"),
  categories: lists(optionsOf({ code: is("S1", "S2"), name: is("One"), description: is("d") })),
  exclude: is(["S1"], []),
  threshold: is(0, 0.5, 1),
};
const BATCH = {
  input: fc.oneof(
    hostile,
    fc.constantFrom(
      () => [{ custom_id: "a", body: { prompt: "Hi", max_tokens: 1 } }],
      () => [],
    ),
  ),
  output: mostly(() => join(folder, "output.jsonl")),
  format: is("jsonl", "text"),
  resume: is(true, false),
  overwrite: is(true, true, false),
  ordered: is(true, false),
  limit: is(0, 1, 5),
  seed: is(0, 7),
  maxTokens: is(1, 2),
  sampling: optionsOf(SAMPLER),
  stop: is(["x"]),
  system: is("Be brief."),
  schema: mostly(() => schema),
  tools,
  date: is("26 Jul 2024"),
  chatTemplate: is("{{ messages[0].content }}", "{% for %}"),
  sequences: is(1, 2),
  context: optionsOf({ contextSize: is(64), threads: is(1) }),
  pooling: is("mean"),
  guardOptions: optionsOf(GUARD),
  onProgress: [ignore],
  onMeasured: [ignore],
  finish: signals,
  signal: signals,
};
const TOOL = {
  name: is("look", "a.b-c_d"),
  description: is("d", ""),
  parameters: fc.oneof(
    mostly(() => schema),
    optionsOf({ type: is("object"), properties: is({}), required: is([]), $ref: is("#") }),
    optionsOf({ "~standard": optionsOf({ version: is(1), vendor: is("v"), validate: [ignore] }) }),
  ),
  jsonSchema: is(schema),
  execute: [ignore],
};

/** Arrays of up to three, some of them with more to them. */
function lists(element) {
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .array(element, { maxLength: 3 })
        .map((makers) => () => makers.map((make) => make())),
    },
    { weight: 1, arbitrary: hostile },
  );
}

const options = (known, required) =>
  fc.oneof(
    { weight: 1, arbitrary: hostile },
    { weight: 12, arbitrary: optionsOf(known, required) },
  );
const text = mostly(
  () => "The llama <|eot_id|>",
  () => "",
);
const tokens = mostly(
  () => [1, 2, 3],
  () => new Int32Array([4]),
);
const read = async (results) => {
  let count = 0;
  for await (const { error } of results) {
    if (error !== undefined && !CriaError.is(error)) throw error;
    if (++count === 5) break;
  }
};

/** A call with arguments made of `arbitraries`; what it gives goes through `use`. */
function target(name, share, arbitraries, call, { use = (value) => value, also } = {}) {
  return {
    name,
    share,
    arbitrary: fc.tuple(...arbitraries),
    run: (makers) => demandCode(async () => use(await call(...makers.map((make) => make()))), also),
  };
}

const disposed = { use: (made) => made.dispose() };

/** What the user's iterable throws comes back as it is. */
const iterables = { also: (error) => error instanceof Trap };

/** Those of the file system keep their own code. */
const files = {
  also: (error) => error instanceof Trap || typeof error.cause?.syscall === "string",
};

async function manual(given, signal, choice) {
  const sequence = await context.createSequence();
  try {
    await sequence.evaluate(given, signal);
    await sequence.sample(choice);
    await sequence.trim(0);
  } finally {
    await sequence.dispose();
  }
}

await fuzz([
  target("sampler", 20, [options(SAMPLER)], (o) => new Sampler(o)),
  target("sampler-with", 10, [options(SAMPLER), options(SAMPLER)], (a, b) =>
    new Sampler(a).with(b),
  ),
  target(
    "sampler-chain",
    8,
    [
      lists(
        fc.oneof(fc.constantFrom(...is(...STEPS)), optionsOf({ type: is("top-k"), value: is(1) })),
      ),
      options({ seed: is(1) }),
    ],
    (steps, o) => Sampler.chain(steps, o),
  ),
  target("generate", 10, [prompt, options(GENERATE)], (p, o) => context.generate(p, o).result()),
  target("generate-text", 8, [prompt, options(FLAT)], (p, o) => context.generateText(p, o)),
  target("generate-chunks", 3, [prompt, options(GENERATE)], async (p, o) => {
    for await (const _chunk of context.generate(p, o)) break;
  }),
  target(
    "generate-many",
    4,
    [
      lists(fc.oneof(optionsOf({ prompt, ...GENERATE }, ["prompt"]), hostile)),
      options({ ...GENERATE, ordered: is(true, false) }),
    ],
    (requests, o) => read(context.generateMany(requests, o)),
    iterables,
  ),
  target(
    "score",
    6,
    [prompt, tokens, options({ signal: signals, cachePrompt: is(true), onUsage: [ignore] })],
    (...all) => context.score(...all),
  ),
  target(
    "choose",
    4,
    [
      prompt,
      mostly(
        () => ["a", "a llama"],
        () => ["", "<|eot_id|>"],
      ),
      options({
        ends: is(true, false),
        signal: signals,
        cachePrompt: is("exact"),
        onUsage: [ignore],
      }),
    ],
    (...all) => context.choose(...all),
  ),
  target(
    "infill",
    3,
    [
      options(
        {
          prefix: text,
          suffix: text,
          path: is("a.py"),
          files: lists(optionsOf({ path: is("b.py"), text })),
        },
        ["prefix", "suffix"],
      ),
      options(GENERATE),
    ],
    (input, o) => context.infill(input, o).result(),
  ),
  target("sequence", 4, [prompt, options({ signal: signals }), sampler], manual),
  target(
    "embed",
    4,
    [
      mostly(
        () => ["a llama"],
        () => "a",
      ),
      options({ normalize: is(true), signal: signals }),
    ],
    (...all) => embedding.embed(...all),
  ),
  target(
    "embed-many",
    3,
    [
      mostly(
        () => ["a llama", ""],
        () => [],
      ),
      options({ normalize: is(true), signal: signals }),
    ],
    (...all) => read(embedding.embedMany(...all)),
    iterables,
  ),
  target("rank", 2, [text, mostly(() => ["a", "b"]), options({ signal: signals })], (...all) =>
    embedding.rank(...all),
  ),
  target("tokenize", 5, [text, options({ special: is(true), addBos: is(true) })], (...all) =>
    model.tokenize(...all),
  ),
  target("detokenize", 5, [tokens, options({ special: is(true) })], (...all) =>
    model.detokenize(...all),
  ),
  target("token-id", 2, [text], (t) => model.tokenId(t)),
  target("end-of-generation", 2, [mostly(...is(1, 2))], (t) => model.isEndOfGeneration(t)),
  target("prompt-to-string", 4, [prompt, mostly(() => model)], (...all) => promptToString(...all)),
  target("gbnf", 4, [mostly(...is('root ::= "a"')), options({ root: is("root") })], (...all) =>
    Grammar.gbnf(...all),
  ),
  target(
    "json-schema",
    6,
    [
      fc.oneof(
        hostile,
        mostly(() => schema),
        TOOL.parameters,
      ),
      options({
        whiteSpace: is("none", "spaces", "lines"),
        additionalProperties: is("allow", "forbid"),
      }),
    ],
    (...all) => Grammar.jsonSchema(...all),
  ),
  target("render-chat", 15, [messages, options(RENDER)], (...all) => renderChat(...all)),
  target("chat-session", 10, [options({ ...TURN, system: is("s"), messages })], (o) => {
    const session = new ChatSession(context, o);
    return session.messages;
  }),
  target("chat-turn", 4, [fc.oneof(messages, message, text), options(TURN)], async (input, o) =>
    new ChatSession(context, { maxTokens: 2 }).send(input, o).result(),
  ),
  target(
    "chat-storage",
    2,
    [
      messages,
      mostly(
        () => join(folder, "chat.json"),
        () => folder,
      ),
      options({ state: is(true, false), signal: signals }),
    ],
    async (given, path, o) => {
      const session = new ChatSession(context, { messages: given });
      await session.save(path, o);
      await session.restore(path, o);
    },
  ),
  target("chat-context", 1, [hostile, options(TURN)], (c, o) => new ChatSession(c, o)),
  target("guard-prompt", 8, [fc.oneof(messages, text), options(GUARD)], (...all) =>
    renderGuardPrompt(...all),
  ),
  target("guard-verdict", 4, [mostly(...is("safe", "unsafe\nS1")), options(GUARD)], (...all) =>
    parseGuardVerdict(...all),
  ),
  target(
    "llama-guard",
    3,
    [
      mostly(() => roomy),
      options(GUARD, ["variant"]),
      fc.oneof(messages, text),
      options({ signal: signals, categories: is(true, false), onUsage: [ignore] }),
    ],
    (c, o, conversation, more) => new LlamaGuard(c, o).moderate(conversation, more),
  ),
  target(
    "parse-tool-calls",
    8,
    [text, options({ tools, coerce: is(true), onlyGiven: is(true, false), createId: [ignore] })],
    (...all) => parseToolCalls(...all),
  ),
  target("tool-call-parser", 3, [text, options({ cutOff: is(true) })], (t, o) => {
    const parser = new ToolCallParser();
    return [parser.push(t), parser.finish(o)];
  }),
  target("define-tool", 12, [options(TOOL, ["name"])], (o) => defineTool(o)),
  target("log-handler", 1, [hostile], (handler) => {
    setLogHandler(handler);
    setLogHandler(null);
  }),
  target(
    "run-batch",
    3,
    [mostly(() => model), options(BATCH, ["input", "output"])],
    (m, o) => runBatch(m, o),
    files,
  ),
  target("create-context", 3, [options(CONTEXT)], (o) => model.createContext(o), disposed),
  target("load", 1, [mostly(() => MODEL), options(LOAD)], (p, o) => Model.load(p, o), disposed),
  target("estimate-memory", 3, [mostly(() => MODEL), options({ ...LOAD, ...CONTEXT })], (p, o) =>
    estimateMemory(p, o),
  ),
  target("constructors", 1, [hostile, hostile], (a, b) => {
    for (const Class of [Model, context.constructor, Grammar]) {
      try {
        new Class(a, b);
      } catch (error) {
        if (!CriaError.is(error)) throw error;
      }
    }
  }),
]);
await model.dispose();
