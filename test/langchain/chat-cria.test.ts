import {
  AIMessage,
  type AIMessageChunk,
  type BaseMessage,
  ChatMessage,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
  type UsageMetadata,
} from "@langchain/core/messages";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { type Context, CriaError, Grammar, Model } from "../../lib/index.js";
import { ChatCria, type ChatCriaFields } from "../../lib/langchain/langchain.js";
import { endTokens, forbidden } from "../support/demo.js";
import { flagging } from "../support/moderators.js";
import { MODEL } from "../support/paths.js";
import { connected, idle } from "../support/remote.js";
import { call, type ScriptedAnswer, scripted } from "../support/scripted-context.js";
import { template } from "../support/templates.js";

let demo: Model;
let context: Context;
beforeAll(async () => {
  demo = await Model.load(MODEL);
  context = await demo.createContext({ contextSize: 2048, sequences: 2 });
});
afterAll(() => demo.dispose());

const PNG = "iVBORw0KGgo=";
const GREEDY = { temperature: 0, date: "26 Jul 2024" } as const;

function played(
  answers: readonly (string | ScriptedAnswer)[],
  fields: Partial<ChatCriaFields> = {},
) {
  const script = scripted(answers);
  return { script, chat: new ChatCria({ context: script.context, ...fields }) };
}

/** Declared by a message structure, which nobody gave. */
const usageOf = (message: AIMessageChunk | undefined) =>
  message?.usage_metadata as UsageMetadata | undefined;

async function added(chunks: AsyncIterable<AIMessageChunk>): Promise<AIMessageChunk | undefined> {
  let whole: AIMessageChunk | undefined;
  for await (const chunk of chunks) whole = whole === undefined ? chunk : whole.concat(chunk);
  return whole;
}

const weather = tool(async ({ city }) => `It is clear in ${city}.`, {
  name: "get_weather",
  description: "The weather of a city",
  schema: z.object({ city: z.string() }),
});

test("invoke: the answer, its usage and why it ended", async () => {
  const { script, chat } = played(["Hello there."]);
  const answer = await chat.invoke([new SystemMessage("Be brief."), new HumanMessage("Hi")]);
  expect(answer.content).toBe("Hello there.");
  expect(answer.usage_metadata).toEqual({
    ...{ input_tokens: 10, output_tokens: 3, total_tokens: 13 },
    ...{ input_token_details: { cache_read: 4 }, output_token_details: { reasoning: 0 } },
  });
  expect(answer.response_metadata).toMatchObject({
    ...{ model_provider: "cria", model_name: "model" },
    ...{ finish_reason: "stop", stop_reason: "end-of-turn" },
  });
  expect(script.asked[0]?.prompt).toContain("Be brief.");
});

test("stream: chunks as they come, which add up to the answer; callbacks hear them", async () => {
  const { chat } = played([{ pieces: ["Once ", "upon ", "a time."] }]);
  const heard: string[] = [];
  const callbacks = [{ handleLLMNewToken: (token: string) => void heard.push(token) }];
  const texts: string[] = [];
  let whole: AIMessageChunk | undefined;
  for await (const chunk of await chat.stream("Hi", { callbacks })) {
    texts.push(chunk.text);
    whole = whole === undefined ? chunk : whole.concat(chunk);
  }
  expect(texts.filter((text) => text !== "").length).toBeGreaterThan(1);
  expect(heard).toEqual(texts);
  expect(whole?.text).toBe("Once upon a time.");
  expect(usageOf(whole)?.total_tokens).toBe(13);
  expect(whole?.response_metadata.finish_reason).toBe("stop");
});

test("an agent: the model calls a tool, and answers with its result", async () => {
  const { script, chat } = played([
    call("get_weather", { city: "Lima" }),
    call("get_weather", { city: "Cusco" }),
    "Both are clear.",
  ]);
  const agent = chat.bindTools([weather]);
  const messages: BaseMessage[] = [new HumanMessage("How is the weather?")];
  let answer = await agent.invoke(messages);
  for (; answer.tool_calls?.length; answer = await agent.invoke(messages)) {
    messages.push(answer);
    for (const one of answer.tool_calls)
      messages.push(await weather.invoke({ ...one, type: "tool_call" }));
  }
  expect(answer.content).toBe("Both are clear.");
  expect(messages.filter(ToolMessage.isInstance).map(({ content }) => content)).toEqual([
    ...["It is clear in Lima.", "It is clear in Cusco."],
  ]);
  const prompts = script.asked.map(({ prompt }) => prompt);
  expect(prompts[0]).toContain('"name": "get_weather"');
  expect(prompts[2]).toContain("It is clear in Cusco.");
  expect(prompts[2]?.startsWith(prompts[1] as string)).toBe(true);
});

test("a real model calls a tool; its calls are streamed whole", async () => {
  const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const description = "Get the current weather for a city";
  const defined = { name: "get_weather", description, parameters: city };
  const chat = new ChatCria({ context, ...GREEDY }).bindTools([
    { type: "function", function: defined },
  ]);
  const whole = await added(await chat.stream("What is the weather in Lisbon?"));
  expect(whole?.tool_calls).toEqual([
    { name: "get_weather", args: { city: "Lisbon" }, id: "call_0", type: "tool_call" },
  ]);
  expect(whole?.response_metadata.finish_reason).toBe("tool_calls");
});

test("a call that was cut off is invalid, and never one to carry out", async () => {
  const broken = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Li';
  const chat = new ChatCria({
    ...{ context, ...GREEDY, constrainTools: false },
    chatTemplate: template("Qwen-Qwen3-0.6B"),
    grammar: Grammar.gbnf(`root ::= ${JSON.stringify(broken)}`),
  }).bindTools([weather]);
  const answer = await chat.invoke("Hi");
  expect(answer.tool_calls).toEqual([]);
  expect(answer.invalid_tool_calls).toMatchObject([{ name: "get_weather" }]);
  const whole = await added(await chat.stream("Hi"));
  expect(whole?.tool_calls).toEqual([]);
  expect(whole?.invalid_tool_calls).toMatchObject([{ name: "get_weather" }]);
});

test("thoughts are apart from the answer, and are told again", async () => {
  const chat = new ChatCria({
    ...{ context, ...GREEDY, chatTemplate: template("Qwen-Qwen3-0.6B") },
    grammar: Grammar.gbnf('root ::= "<think>\\nPeru, hm.\\n</think>\\n\\nLima."'),
  });
  const answer = await chat.invoke("What is the capital of Peru?");
  expect(answer.content).toBe("Lima.");
  expect(String(answer.additional_kwargs.reasoning_content).trim()).toBe("Peru, hm.");
  expect(usageOf(answer)?.output_token_details?.reasoning).toBeGreaterThan(1);
  const again = await chat.invoke([new HumanMessage("x"), answer, new HumanMessage("y")]);
  expect(again.content).toBe("Lima.");
});

describe("withStructuredOutput", () => {
  const schema = z.object({ animal: z.enum(["llama", "alpaca"]), legs: z.literal(4) });

  test.each(["jsonSchema", "functionCalling"] as const)("by %s", async (method) => {
    const chat = new ChatCria({ context, ...GREEDY });
    const answer = await chat.withStructuredOutput(schema, { method }).invoke("What is a llama?");
    expect(schema.parse(answer)).toEqual(answer);
    const raw = chat.withStructuredOutput(schema, { method, includeRaw: true });
    const both = await raw.invoke("What is a llama?");
    expect(AIMessage.isInstance(both.raw)).toBe(true);
    expect(both.parsed).toEqual(answer);
  });

  test("by a JSON Schema, and any JSON object", async () => {
    const { script, chat } = played(['{"legs":4}', '{"a":1}']);
    const legs = { type: "object", properties: { legs: { const: 4 } }, required: ["legs"] };
    expect(await chat.withStructuredOutput(legs).invoke("x")).toEqual({ legs: 4 });
    const any = chat.withStructuredOutput(legs, { method: "jsonMode" });
    expect(await any.invoke("x")).toEqual({ a: 1 });
    for (const { options } of script.asked) {
      expect(options.sampler?.steps.map(({ type }) => type)).toContain("grammar");
    }
  });

  test("another method is refused", () => {
    const { chat } = played([]);
    const method = "guessing" as never;
    expect(() => chat.withStructuredOutput(schema, { method })).toThrow(/"jsonSchema"/);
  });
});

test("it is a part of a chain, and answers batches", async () => {
  const { script, chat } = played(["Hello.", "Hello.", "Hello."]);
  const prompt = ChatPromptTemplate.fromMessages([
    ["system", "You speak {language}."],
    ["human", "{input}"],
  ]);
  const chain = prompt.pipe(chat).pipe(new StringOutputParser());
  const inputs = ["a", "b", "c"].map((input) => ({ language: "Quechua", input }));
  expect(await chain.batch(inputs)).toEqual(["Hello.", "Hello.", "Hello."]);
  expect(script.asked[0]?.prompt).toContain("You speak Quechua.");
  expect(script.together).toBeGreaterThan(1);
});

test("an abort rejects with its reason, and frees the place", async () => {
  const chat = new ChatCria({ context, logitBias: forbidden(endTokens(demo)) });
  const controller = new AbortController();
  const { signal } = controller;
  const reading = (async () => {
    for await (const _ of await chat.stream("Hi", { signal }))
      controller.abort(new Error("enough"));
  })();
  await expect(reading).rejects.toThrow("enough");
  const stopped = AbortSignal.abort(new Error("before"));
  await expect(chat.invoke("Hi", { signal: stopped })).rejects.toThrow("before");
  await idle(context);
});

test("a reader that leaves frees the place", async () => {
  const chat = new ChatCria({ context, logitBias: forbidden(endTokens(demo)) });
  for await (const _ of await chat.stream("Hi")) break;
  await idle(context);
});

test("settings reach the sampler: the model's, and those of a call", async () => {
  const { script, chat } = played(["x", "x"], { temperature: 0.5, topK: 7, maxTokens: 9 });
  await chat.invoke("Hi", { stop: ["END"], settings: { topK: 3 } });
  const [{ options }] = script.asked as [(typeof script.asked)[number]];
  expect(options).toMatchObject({ maxTokens: 9, stop: ["END"] });
  const steps = new Map(options.sampler?.steps.map((step) => [step.type, step]));
  expect(steps.get("top-k")).toMatchObject({ value: 3 });
  expect(steps.get("temperature")).toMatchObject({ value: 0.5 });
  expect(chat.getLsParams({ stop: ["END"] } as never)).toEqual({
    ...{ ls_provider: "cria", ls_model_name: "model", ls_model_type: "chat" },
    ...{ ls_temperature: 0.5, ls_max_tokens: 9, ls_stop: ["END"] },
  });
  const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
  expect(() => new ChatCria({ context: {} as never })).toThrow(/a Context/);
  expect(() => played([], { temperatur: 1 } as never)).toThrow(/did you mean `temperature`/);
  await expect(chat.invoke("Hi", { settings: { topK: -1 } })).rejects.toEqual(refused);
});

test.each(["any", "get_weather"])("tool_choice %s forces a call", async (tool_choice) => {
  const { script, chat } = played([call("get_weather", { city: "Lima" })]);
  const answer = await chat.bindTools([weather], { tool_choice }).invoke("Hi");
  expect(answer.tool_calls).toHaveLength(1);
  expect(script.asked[0]?.options.sampler?.steps.map(({ type }) => type)).toContain("grammar");
});

test("tool_choice none tells the model of no tools, and unknown tools are refused", async () => {
  const { script, chat } = played(["Hi."]);
  await chat.bindTools([weather], { tool_choice: "none" }).invoke("Hi");
  expect(script.asked[0]?.prompt).not.toContain("get_weather");
  expect(() => chat.bindTools([{ title: "x" }])).toThrow(/`tools\[0\]`/);
});

test("what a guard forbids ends the answer as content_filter, with the verdict", async () => {
  const { chat } = played(["All good. A bad word."], { guard: flagging("bad") });
  const { content, response_metadata } = await chat.invoke("Hi");
  expect(content).not.toContain("bad");
  expect(response_metadata).toMatchObject({
    ...{ finish_reason: "content_filter", moderation: { safe: false } },
  });
});

describe("messages", () => {
  test("of all kinds are told", async () => {
    const { script, chat } = played(["x"]);
    await chat.invoke([
      new ChatMessage({ role: "developer", content: "Be brief." }),
      new HumanMessage({ content: [{ type: "text", text: "In parts." }] }),
      new AIMessage({
        content: [{ type: "text", text: "I call." }],
        tool_calls: [{ id: "a", name: "get_weather", args: { city: "Lima" } }],
        invalid_tool_calls: [{ id: "b", name: "get_weather", args: "{", error: "x" }],
      }),
      new ToolMessage({ tool_call_id: "b", content: "Not JSON" }),
      new ToolMessage({ tool_call_id: "a", content: "clear" }),
    ]);
    const told = script.asked[0]?.prompt as string;
    for (const said of [
      "Be brief.",
      "In parts.",
      "I call.",
      '"city": "Lima"',
      "Not JSON",
      "clear",
    ]) {
      expect(told).toContain(said);
    }
  });

  test.each([
    ["a URL", { type: "image_url", image_url: `data:image/png;base64,${PNG}` }, "image"],
    ["a URL within", { type: "image_url", image_url: { url: `data:;base64,${PNG}` } }, "image"],
    ["a block of data", { type: "image", mimeType: "image/png", data: PNG }, "image"],
    ["a block of bytes", { type: "image", data: Buffer.from(PNG, "base64") }, "image"],
    ["a block with a URL", { type: "image", url: `data:image/png;base64,${PNG}` }, "image"],
    [
      "an older block",
      { type: "image", source_type: "base64", mime_type: "image/png", data: PNG },
      "image",
    ],
    ["sound", { type: "input_audio", input_audio: { data: PNG, format: "wav" } }, "audio"],
    ["a block of sound", { type: "audio", mimeType: "audio/wav", data: PNG }, "audio"],
    ["a block of bytes of sound", { type: "audio", data: Buffer.from(PNG, "base64") }, "audio"],
  ])("with %s give its bytes on", async (_, part, kind) => {
    const { chat, script } = played(["x"]);
    await chat.invoke([new HumanMessage({ content: [part as never] })]);
    const [{ segments } = { segments: [] }] = script.asked;
    expect(segments).toContainEqual({ [kind]: new Uint8Array(Buffer.from(PNG, "base64")) });
  });

  test.each([
    [
      "a picture by its address",
      new HumanMessage({
        content: [{ type: "image_url", image_url: { url: "file:///etc/passwd" } }],
      }),
    ],
    ["a path", new HumanMessage({ content: [{ type: "image", image: "/etc/passwd" }] })],
    ["a path of a sound", new HumanMessage({ content: [{ type: "audio", audio: "/etc/passwd" }] })],
    ["an address", new HumanMessage({ content: [{ type: "image", url: "https://x.y/z" }] })],
    ["a removal", new RemoveMessage({ id: "x" })],
  ])("with %s are refused", async (_, message) => {
    const { chat } = played(["x"]);
    const refused = expect.objectContaining({ code: "ERR_UNSUPPORTED" });
    await expect(chat.invoke([message])).rejects.toEqual(refused);
  });
});

test("tokens are counted by the model's own tokenizer, and nothing is fetched", async () => {
  const chat = new ChatCria({ context });
  const text = "What is a baby llama called?";
  const { length } = demo.tokenize(text);
  expect(await chat.getNumTokens(text)).toBe(length);
  expect(await chat.getNumTokens([{ type: "text", text }])).toBe(length);
});

test("agents are told what the model can do", () => {
  const { profile } = new ChatCria({ context });
  expect(profile).toMatchObject({
    ...{ maxInputTokens: 2048, toolCalling: true, structuredOutput: true, imageInputs: false },
  });
});

test("without a context it says what is missing", () => {
  const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
  expect(() => new ChatCria(undefined as never)).toThrow(refused);
  expect(() => new ChatCria({} as never)).toThrow(refused);
});

test("a failure of the engine comes as it is", async () => {
  const error = new CriaError("ERR_DECODE_FAILED", "It broke");
  const { chat } = played([{ pieces: ["Once"], error }]);
  await expect(chat.invoke("Hi")).rejects.toBe(error);
});

test("a context behind a port works as well", async () => {
  const { engine, served } = connected({ demo });
  const model = await engine.Model.load("demo");
  const remote = await model.createContext({ contextSize: 1024 });
  const question = "What is a baby llama called?";
  const [there, here] = await Promise.all(
    [remote, context].map((one) => new ChatCria({ context: one, ...GREEDY }).invoke(question)),
  );
  expect(there?.content).toBe(here?.content);
  engine.close();
  await served.closed;
});
