// What programs written for Anthropic's API do, by its own client.
import Anthropic, { APIError } from "@anthropic-ai/sdk";
import { Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { ENDLESS, type ServedHttp, served } from "../support/served.js";
import { template } from "../support/templates.js";

let model: Model;
let here: ServedHttp;
let client: Anthropic;
const clientOf = ({ url }: ServedHttp, apiKey = "none") =>
  new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
beforeAll(async () => {
  model = await Model.load(MODEL);
  const context = { contextSize: 512, sequences: 2 };
  here = await served({
    models: {
      demo: { model, context },
      thinker: { model, context, chatTemplate: template("Qwen-Qwen3-0.6B") },
    },
  });
  client = clientOf(here);
});
afterAll(async () => {
  await here.close();
  await model.dispose();
});

const QUESTION = { role: "user", content: "What is a baby llama called?" } as const;
const ANSWER = "A baby llama is called a cria.";
const asked = { model: "demo", messages: [QUESTION], max_tokens: 60, temperature: 0 };
const WEATHER: Anthropic.Tool = {
  name: "get_weather",
  description: "Get the current weather for a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const weather = {
  ...{ ...asked, tools: [WEATHER] },
  messages: [
    { role: "user", content: "What is the weather in Lisbon?" },
  ] as Anthropic.MessageParam[],
};

test("a whole answer, and its prompt's tokens beforehand", async () => {
  const answer = await client.messages.create(asked);
  expect(answer).toMatchObject({
    ...{
      type: "message",
      role: "assistant",
      model: "demo",
      content: [{ type: "text", text: ANSWER }],
    },
    ...{ stop_reason: "end_turn", stop_sequence: null, usage: { output_tokens: 10 } },
  });
  expect(answer.id).toMatch(/^msg_[0-9a-f]{24}$/);
  const { max_tokens: _, temperature: __, ...prompt } = asked;
  const { input_tokens } = await client.messages.countTokens(prompt);
  const { usage } = answer;
  expect(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)).toBe(input_tokens);
  // What came from the cache is told apart, as there.
  const again = await client.messages.create(asked);
  expect(again.usage.cache_read_input_tokens).toBeGreaterThan(0);
  expect(again.usage.input_tokens + (again.usage.cache_read_input_tokens ?? 0)).toBe(input_tokens);
});

test("the same in pieces, by the client's own helper", async () => {
  const stream = client.messages.stream({
    ...asked,
    system: [{ type: "text", text: "Be brief." }],
  });
  let told = "";
  stream.on("text", (text) => {
    told += text;
  });
  const message = await stream.finalMessage();
  expect(message.content).toEqual([{ type: "text", text: told }]);
  expect(message).toMatchObject({ stop_reason: "end_turn" });
  const whole = await client.messages.create({ ...asked, system: "Be brief." });
  expect(whole.content).toEqual(message.content);
  expect(message.usage.output_tokens).toBe(whole.usage.output_tokens);
});

test("a limit and a stop sequence", async () => {
  const cut = await client.messages.create({ ...asked, max_tokens: 2 });
  expect(cut).toMatchObject({ stop_reason: "max_tokens", content: [{ text: "A baby" }] });
  for (const stream of [false, true]) {
    const ask = { ...asked, stop_sequences: [" called"] };
    const stopped = stream
      ? await client.messages.stream(ask).finalMessage()
      : await client.messages.create(ask);
    expect(stopped).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: " called" });
    expect(stopped.content).toEqual([{ type: "text", text: "A baby llama is" }]);
  }
});

test("a tool is called, whole and in pieces, and its result is answered", async () => {
  const called = await client.messages.create(weather);
  const use = { type: "tool_use", id: "call_0", name: "get_weather", input: { city: "Lisbon" } };
  expect(called).toMatchObject({ stop_reason: "tool_use", content: [use] });
  const streamed = await client.messages.stream(weather).finalMessage();
  expect(streamed).toMatchObject({ stop_reason: "tool_use", content: [use] });
  const result = { type: "tool_result", tool_use_id: "call_0" } as const;
  const content = JSON.stringify({ temperature: 21, condition: "sunny" });
  const answered = await client.messages.create({
    ...weather,
    messages: [
      ...weather.messages,
      { role: "assistant", content: called.content },
      { role: "user", content: [{ ...result, content: [{ type: "text", text: content }] }] },
    ],
  });
  expect(answered.content).toEqual([
    { type: "text", text: "It is 21 degrees and sunny in Lisbon." },
  ]);
});

test("a choice of tools is held to", async () => {
  const any = await client.messages.create({
    ...weather,
    messages: [QUESTION],
    tool_choice: { type: "any" },
  });
  expect(any.stop_reason).toBe("tool_use");
  const none = await client.messages.create({ ...weather, tool_choice: { type: "none" } });
  expect(none.content.map(({ type }) => type)).not.toContain("tool_use");
});

test("thoughts are blocks before the answer, and may come back", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 } as const;
  const grammar = 'root ::= "<think>\\nHm.\\n</think>\\n\\nLima."';
  const ask = { ...asked, model: "thinker", thinking, ...{ grammar } };
  const whole = await client.messages.create(ask);
  expect(whole.content).toEqual([
    { type: "thinking", thinking: expect.stringMatching(/^\s*Hm\.\s*$/), signature: "" },
    { type: "text", text: "Lima." },
  ]);
  const streamed = await client.messages.stream(ask).finalMessage();
  expect(streamed.content).toEqual(whole.content);
  const messages = [QUESTION, { role: "assistant" as const, content: whole.content }, QUESTION];
  expect(await client.messages.create({ ...ask, messages })).toMatchObject({
    stop_reason: "end_turn",
  });
  const silent = {
    ...ask,
    ...{ grammar: 'root ::= "Lima."' },
    thinking: { type: "disabled" } as const,
  };
  expect((await client.messages.create(silent)).content).toEqual([{ type: "text", text: "Lima." }]);
});

test("what fails throws the client's own errors", async () => {
  const failure = (params: object, by = client) =>
    by.messages.create({ ...asked, ...params } as never).catch((error: unknown) => error);
  const told = (type: string) => ({
    error: { type: "error", error: { type, message: expect.any(String) } },
  });
  const wrong = await failure({ temperature: 9 });
  expect(wrong).toBeInstanceOf(APIError);
  expect(wrong).toMatchObject({ status: 400, ...told("invalid_request_error") });
  expect((wrong as Error).message).toContain("temperature");
  expect(await failure({ model: "gpt" })).toMatchObject({
    status: 404,
    ...told("not_found_error"),
  });
  for (const params of [
    { messages: [] },
    { messages: [{ role: "user", content: [{ type: "document" }] }] },
    {
      messages: [
        { role: "user", content: [{ type: "image", source: { type: "file", file_id: "x" } }] },
      ],
    },
    { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "x" }] }] },
    { messages: [{ role: "system", content: "x" }] },
    { tools: [{ type: "web_search_20250305", name: "web_search" }] },
    { tool_choice: { type: "tool" } },
    { thinking: { type: "hard" } },
    { mcp_servers: [] },
  ]) {
    expect(await failure(params)).toMatchObject({ status: 400, ...told("invalid_request_error") });
  }
  const user = (content: unknown) => ({ role: "user", content });
  for (const [params, field] of [
    [{ stop_sequences: Array(17).fill("x") }, "`body.stop_sequences`"],
    [
      { system: "x", messages: [user([{ type: "tool_result", tool_use_id: "x" }])] },
      "`body.messages[0]`",
    ],
    [
      {
        system: "x",
        messages: [
          user("Hi"),
          { role: "assistant", content: "Hi" },
          user([{ type: "image", source: { type: "url", url: "https://x/y.png" } }]),
        ],
      },
      "`body.messages[2].content`",
    ],
  ] as const) {
    expect(((await failure(params)) as Error).message).toContain(field);
  }
  const locked = await served({ models: { demo: { model } }, apiKeys: ["a-key-of-some-length"] });
  expect(await failure({}, clientOf(locked))).toMatchObject({
    ...{ status: 401, ...told("authentication_error") },
  });
  const { content } = await clientOf(locked, "a-key-of-some-length").messages.create({
    ...asked,
    max_tokens: 1,
  });
  expect(content).toHaveLength(1);
  await locked.close();
});

test("what fails in a stream is its last event", async () => {
  const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
  const sampling = {
    logitBias: Object.fromEntries(
      ids.filter((id) => model.isEndOfGeneration(id)).map((id) => [id, -100]),
    ),
  };
  const slow = await served({ models: { demo: { model, sampling } }, timeout: 150, keepAlive: 1 });
  const { messages } = ENDLESS;
  const stream = clientOf(slow).messages.stream({
    ...asked,
    messages: [...messages],
    max_tokens: 2000,
  });
  await expect(stream.finalMessage()).rejects.toMatchObject({
    error: { type: "error", error: { type: "timeout_error" } },
  });
  await slow.close();
});
