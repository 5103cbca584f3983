import type { MessagePort } from "node:worker_threads";
// A user's program, as strict as TypeScript can be; compiled for ESM and for CommonJS.
import {
  type Backend,
  type BatchRequest,
  type BatchResult,
  type CacheType,
  ChatSession,
  type ChatSessionOptions,
  type Context,
  type ContextOptions,
  CriaError,
  type CriaErrorCode,
  type Device,
  type DeviceMemory,
  defineTool,
  type EvaluateOptions,
  engineInfo,
  estimateMemory,
  type GenerateManyOptions,
  type GenerateOptions,
  type Generation,
  type GenerationChunk,
  type GenerationResult,
  Grammar,
  type InferArguments,
  type LoadModelOptions,
  listDevices,
  type MemoryEstimate,
  Model,
  type Prompt,
  promptToString,
  Sampler,
  type SamplerStep,
  type ScoreOptions,
  type Sequence,
  type StandardSchema,
  setLogHandler,
  type TokenLogprob,
  type TokenLogprobs,
  type Tool,
} from "cria";
import { type CriaProvider, createCria, type LanguageModel } from "cria/ai-sdk";
import {
  connect,
  LlamaGuard as RemoteGuard,
  ChatSession as RemoteSession,
  defineTool as remoteTool,
} from "cria/electron";
import { serve } from "cria/electron/server";
import { type AnsweredRequest, createServer, type ServerOptions } from "cria/server";

const load: LoadModelOptions = {
  gpuLayers: "auto",
  onProgress: (fraction: number) => void fraction,
};
const kvCacheType: CacheType = "q8_0";
const options: ContextOptions = {
  contextSize: "auto",
  sequences: 4,
  kvCache: "unified",
  kvCacheSize: 8192,
  kvCacheType: { key: kvCacheType },
};

/** The shortcuts: sampling options beside the others, one stop string, one text, the whole result. */
export async function everyDay(context: Context, embedder: Context): Promise<string> {
  const generate: GenerateOptions = {
    temperature: 0.2,
    topK: 20,
    penalties: { repeat: 1.1 },
    grammar: Grammar.json(),
    seed: 1,
    stop: "\n",
  };
  const result: GenerationResult = await context.generateText("x", generate);
  const vector: Float32Array = await embedder.embed("a llama");
  const vectors: Float32Array[] = await embedder.embed(["a llama", "an alpaca"] as const);
  for await (const { result } of context.generateMany([{ prompt: "x", topP: 0.5 }], { minP: 0 })) {
    if (result !== undefined) return result.text;
  }
  const session = new ChatSession(context, { temperature: 0, stop: "\n" });
  await session.send("x", { topK: 1 }).result();
  return `${result.text} ${vector.length} ${vectors[0]?.length}`;
}

export async function answer(path: string, signal: AbortSignal): Promise<string> {
  await using model = await Model.load(path, { ...load, signal });
  await using context: Context = await model.createContext(options);
  const prompt: Prompt = [{ control: "<|begin_of_text|>" }, { text: "Hi" }, { tokens: [1, 2] }];
  const generate: GenerateOptions = {
    sampler: Sampler.greedy(),
    maxTokens: 8,
    stop: ["\n"],
    signal,
  };
  await using generation: Generation = context.generate(prompt, generate);
  for await (const chunk of generation) take(chunk);
  const result: GenerationResult = await generation.result();
  const eot: number | null = model.specialTokens.eot;
  const tokens: Int32Array = model.tokenize(promptToString(prompt, model), { special: true });
  switch (result.stopReason) {
    case "end-of-text":
    case "end-of-turn":
    case "end-of-message":
      return `${result.stopToken ?? eot}`;
    case "stop-string":
    case "max-tokens":
    case "context-full":
    case "cancelled":
      return `${result.text} ${tokens.length} ${result.usage.promptTokens}`;
  }
}

function take({ text, tokens, logprobs }: GenerationChunk): [string, Int32Array, number] {
  return [text, tokens, likeliest(logprobs ?? []).length];
}

function likeliest(logprobs: TokenLogprobs[]): TokenLogprob[] {
  return logprobs.map(({ token, text, logprob, top }) => top[0] ?? { token, text, logprob });
}

interface Job extends BatchRequest {
  id: string;
}

export async function batch(context: Context, jobs: AsyncIterable<Job>): Promise<string[]> {
  const options: GenerateManyOptions = { ordered: true, logprobs: 2, cachePrompt: false };
  const texts: string[] = [];
  const show = (one: BatchResult<Job>): string =>
    one.result === undefined ? `${one.request.id} ${codeOf(one.error)}` : one.result.text;
  for await (const one of context.generateMany(jobs, options)) texts[one.index] = show(one);
  for await (const { request, result } of context.generateMany([{ prompt: "x", mine: 1 }])) {
    const mine: number = request.mine;
    texts.push(`${mine} ${result?.logprobs?.[0]?.text}`);
  }
  return texts;
}

export async function byHand(context: Context, sampler: Sampler): Promise<number> {
  const options: EvaluateOptions = { signal: AbortSignal.timeout(1000) };
  await using sequence: Sequence = await context.createSequence();
  await sequence.evaluate([{ text: "x" }], options);
  const token: number = await sequence.sample(sampler);
  await using forked = await sequence.fork();
  await forked.trim(sequence.tokens.length - 1);
  await forked.save("x");
  await forked.restore("x");
  const logits: Float32Array = await forked.logits();
  const scoring: ScoreOptions = { cachePrompt: false };
  const scores: Float32Array = await context.score("x", [token], scoring);
  return (logits[0] ?? 0) + (scores[0] ?? 0) + Number(forked.disposed);
}

export function describe(step: SamplerStep): string {
  switch (step.type) {
    case "greedy":
    case "dist":
    case "infill":
      return step.type;
    case "temperature":
    case "dynamic-temperature":
    case "top-k":
    case "top-p":
    case "min-p":
    case "typical-p":
    case "top-n-sigma":
      return `${step.type} ${step.value}`;
    case "penalties":
    case "dry":
      return `${step.lastN ?? 64}`;
    case "mirostat":
      return `${step.tau ?? 5}`;
    case "adaptive-p":
      return `${step.target}`;
    case "xtc":
      return `${step.probability}`;
    case "logit-bias":
      return JSON.stringify(step.biases);
    case "grammar":
      return step.grammar.source;
  }
}

export function codeOf(error: unknown): CriaErrorCode | undefined {
  return CriaError.is(error) ? error.code : undefined;
}

export const devices: Device[] = listDevices();
export const backend: Backend = engineInfo().backend;
export const backends: Record<"cpu" | "metal" | "cuda" | "vulkan", Backend> = {
  cpu: "cpu",
  metal: "metal",
  cuda: "cuda",
  vulkan: "vulkan",
};
export const sampler = new Sampler({
  temperature: 0.7,
  logitBias: new Map([[1, Number.NEGATIVE_INFINITY]]),
  grammar: Grammar.gbnf('root ::= "x"'),
}).with({ seed: 1 });
setLogHandler((level, message) => void `${level} ${message}`);
setLogHandler(null);

// @ts-expect-error: what llama.cpp calls "unified"
export const shared: ContextOptions = { kvCache: "shared" };
// @ts-expect-error: a misspelt option
new Sampler({ temprature: 1 });
// @ts-expect-error: it has no public constructor
new Model();
export function wrong(context: Context): void {
  // @ts-expect-error: a request needs a prompt
  context.generateMany([{ maxTokens: 1 }]);
  // @ts-expect-error: candidates are token ids
  void context.score("x", ["yes"]);
  // @ts-expect-error: one text gives one vector
  void context.embed("x").then(([first]: Float32Array[]) => first);
  // @ts-expect-error: a grammar is made by Grammar.gbnf
  context.generate("x", { grammar: 'root ::= "x"' });
  // @ts-expect-error: a context's model makes no contexts
  void context.model.createContext();
}
// @ts-expect-error: no such step
Sampler.chain([{ type: "top-q", value: 1 }]);
export function change(result: GenerationResult): void {
  // @ts-expect-error: results are read-only
  result.text = "";
}

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
function same<A, B>(_: Equal<A, B>): void {}
function read<const P>(_: P): { readonly [Key in "type"]: InferArguments<P> } {
  throw new Error("only its type matters");
}

export function inferred(): void {
  const trip = read({
    type: "object",
    properties: {
      city: { type: "string" },
      unit: { enum: ["C", "F"] },
      kind: { const: "trip" },
      days: { type: ["integer", "null"] },
      tags: { type: "array", items: { type: "string" } },
      pair: { type: "array", prefixItems: [{ type: "number" }, { type: "boolean" }] },
      place: {
        type: "object",
        properties: { lat: { type: "number" }, name: { type: "string" } },
        required: ["lat"],
      },
      either: { anyOf: [{ type: "string" }, { type: "null" }] },
      both: {
        allOf: [
          { type: "object", properties: { a: { type: "number" } }, required: ["a"] },
          { type: "object", properties: { b: { type: "string" } }, required: ["b"] },
        ],
      },
      counts: { type: "object", additionalProperties: { type: "number" } },
      free: {},
    },
    required: ["city", "unit", "kind", "days", "tags", "pair", "place", "both"],
  });
  same<(typeof trip)["type"]["city"], string>(true);
  same<(typeof trip)["type"]["unit"], "C" | "F">(true);
  same<(typeof trip)["type"]["kind"], "trip">(true);
  same<(typeof trip)["type"]["days"], number | null>(true);
  same<(typeof trip)["type"]["tags"], string[]>(true);
  same<(typeof trip)["type"]["pair"], readonly [number, boolean]>(true);
  same<Writable<(typeof trip)["type"]["place"]>, { lat: number; name?: string }>(true);
  same<(typeof trip)["type"]["either"], string | null | undefined>(true);
  same<(typeof trip)["type"]["both"]["a"], number>(true);
  same<(typeof trip)["type"]["both"]["b"], string>(true);
  same<(typeof trip)["type"]["counts"], Record<string, number> | undefined>(true);
  same<(typeof trip)["type"]["free"], unknown>(true);
  same<InferArguments<StandardSchema<{ id: bigint }>>, { id: bigint }>(true);
}

/** What a library of Standard Schemas gives. */
declare const schema: StandardSchema<{ readonly when: Date }>;

export const tools: Tool[] = [
  defineTool({
    name: "weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city"],
    },
    execute: ({ city, days }, { signal, callId }) => {
      const name: string = city;
      const count: number | undefined = days;
      return `${name} ${count} ${signal?.aborted} ${callId}`;
    },
  }),
  defineTool({
    name: "calendar",
    parameters: schema,
    jsonSchema: { type: "object" },
    execute: async ({ when }) => when.getTime(),
  }),
  defineTool({ name: "now", execute: () => Date.now() }),
  defineTool({
    name: "wrong",
    parameters: { type: "object", properties: { city: { type: "string" } } },
    // @ts-expect-error: the city need not be there
    execute: ({ city }) => city.length,
  }),
  defineTool({
    name: "misspelt",
    parameters: { type: "object", properties: { city: { type: "string" } } },
    // @ts-expect-error: the schema has no such property
    execute: ({ town }) => town,
  }),
];

/** Schemas that come from elsewhere: nothing is known of the arguments. */
export function fromElsewhere(name: string, parameters: Record<string, unknown>): Tool {
  return defineTool({ name, parameters, execute: (args) => args.anything });
}

export async function talk(context: Context, more: ChatSessionOptions): Promise<string> {
  const chat = new ChatSession(context, { ...more, system: "Be brief.", tools });
  for await (const event of chat.send("Hi", { toolChoice: "required" })) {
    switch (event.type) {
      case "text":
        return event.text;
      case "tool-call":
        return event.call.function.arguments;
      case "tool-result":
        return `${event.name} ${event.error ?? event.result}`;
      case "finish":
        return `${event.result.stopReason} ${event.result.toolCalls.length}`;
    }
  }
  return chat.messages.map(({ role }) => role).join(" ");
}

// The other side of a port: pages, and what serves them.
export async function remote(port: MessagePort): Promise<string> {
  const { Model: RemoteModel, closed } = connect(port);
  const model = await RemoteModel.load("assistant");
  const context = await model.createContext({ sequences: 2 });
  const weather = remoteTool({
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    execute: ({ city }) => city.length,
  });
  const guard = new RemoteGuard(context, { threshold: 0.5 });
  const session = new RemoteSession(context, { tools: [weather], guard, grammar: { gbnf: "" } });
  const { message } = await session.send("Hello", { signal: AbortSignal.timeout(1) }).result();
  const error: CriaError = await closed;
  return `${message.role} ${error.code} ${(await context.stats()).cachedTokens}`;
}
export const served = (port: MessagePort) =>
  serve(port, { models: (name) => (name === "assistant" ? "model.gguf" : undefined) }).closed;

export function http(model: Model, context: Context): number {
  const models: ServerOptions["models"] = {
    ...{ file: "model.gguf", model, context },
    own: { model, context: { sequences: 2 }, guard: { threshold: 0.5 }, sampling: { topK: 1 } },
  };
  const onRequest = ({ status, error }: AnsweredRequest) => console.error(status, error);
  return createServer({ models, cors: ["https://example.org"], onRequest }).listen(0)
    .maxConnections;
}

export async function memory(): Promise<[number, number | "all", string[]]> {
  const estimate: MemoryEstimate = await estimateMemory("model.gguf", { ...load, ...options });
  const names = estimate.perDevice.map(({ name }: DeviceMemory) => name);
  return [estimate.model + estimate.kvCache + estimate.compute, estimate.gpuLayers, names];
}

// Without a package of the AI SDK's.
const provider: CriaProvider<"v4"> = createCria({} as Context, { specification: "v4", minP: 0.1 });
const languageModel: LanguageModel<"v4"> = provider.languageModel();
export const four: "v4" = languageModel.specificationVersion;
