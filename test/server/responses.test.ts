import type { ResponseStreamEvent, Tool } from "openai/resources/responses/responses";
import { Grammar, Model } from "../../lib/index.js";
import { responseFrame } from "../../lib/server/responses/response-output.js";
import { ResponsePieces } from "../../lib/server/responses/response-pieces.js";
import { readResponseBody } from "../../lib/server/responses/response-request.js";
import { MODEL } from "../support/paths.js";
import { errorShape, eventsOf, type ServedHttp, served } from "../support/served.js";
import { template } from "../support/templates.js";

let model: Model;
let here: ServedHttp;
beforeAll(async () => {
  model = await Model.load(MODEL);
  const context = { contextSize: 512, sequences: 2 };
  here = await served({
    models: {
      demo: { model, context, sampling: { temperature: 0 } },
      // What it says is played by a grammar.
      thinker: {
        ...{ model, context, chatTemplate: template("Qwen-Qwen3-0.6B") },
        sampling: { grammar: Grammar.gbnf(`root ::= "<think>\\nHm.\\n</think>\\n\\nLima."`) },
      },
    },
  });
});
afterAll(async () => {
  await here.close();
  await model.dispose();
});

const ANSWER = "A baby llama is called a cria.";
const ASKED = { model: "demo", input: "What is a baby llama called?" };
const WEATHER: Tool = {
  type: "function",
  name: "get_weather",
  description: "Get the current weather for a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: true,
};

test("a whole answer", async () => {
  const response = await here.client.responses.create(ASKED);
  expect(response.output_text).toBe(ANSWER);
  expect(response).toMatchObject({
    ...{ object: "response", status: "completed", model: "demo", error: null, store: false },
    output: [
      {
        ...{ type: "message", role: "assistant", status: "completed" },
        content: [{ type: "output_text", text: ANSWER, annotations: [] }],
      },
    ],
    usage: { output_tokens: 10, output_tokens_details: { reasoning_tokens: 0 } },
  });
});

test("in events, from which the client puts the same answer together", async () => {
  const stream = here.client.responses.stream({ ...ASKED, top_logprobs: 1 });
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event as ResponseStreamEvent);
  const { output_text, output } = await stream.finalResponse();
  expect(output_text).toBe(ANSWER);
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual([...events.keys()]);
  const types = events.map(({ type }) => type);
  expect(types.filter((type, at) => type !== types[at - 1])).toEqual([
    ...["response.created", "response.in_progress", "response.output_item.added"],
    ...["response.content_part.added", "response.output_text.delta", "response.output_text.done"],
    ...["response.content_part.done", "response.output_item.done", "response.completed"],
  ]);
  const [item] = output;
  const logprobs = item?.type === "message" && item.content[0]?.type === "output_text";
  expect(logprobs).toBe(true);
  const [done] = events.filter(({ type }) => type === "response.output_text.done");
  const told = done?.type === "response.output_text.done" ? done.logprobs : [];
  expect(told.map(({ token }) => token).join("")).toBe(ANSWER);
});

test("an answer that is cut off is incomplete", async () => {
  const cut = await here.client.responses.create({ ...ASKED, max_output_tokens: 2 });
  expect(cut).toMatchObject({
    ...{ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    output: [{ status: "incomplete" }],
  });
  const stream = here.client.responses.stream({ ...ASKED, max_output_tokens: 2 });
  expect(await stream.finalResponse()).toMatchObject({ status: "incomplete" });
});

test("a call and its result, whole and in events", async () => {
  const question = { role: "user", content: "What is the weather in Lisbon?" } as const;
  const ask = { model: "demo", input: [question], tools: [WEATHER] };
  const whole = await here.client.responses.create(ask);
  const streamed = await here.client.responses.stream(ask).finalResponse();
  for (const { output } of [whole, streamed]) {
    expect(output).toMatchObject([
      { type: "function_call", name: "get_weather", arguments: '{"city":"Lisbon"}' },
    ]);
  }
  const [call] = whole.output;
  if (call?.type !== "function_call") throw new Error("It did not call");
  const result = '{"temperature":21,"condition":"sunny"}';
  const after = await here.client.responses.create({
    ...ask,
    // As it came, the way programs send it back.
    input: [
      question,
      call,
      { type: "function_call_output", call_id: call.call_id, output: result },
    ],
  });
  expect(after.output_text).toBe("It is 21 degrees and sunny in Lisbon.");
});

test("thoughts are items of their own, whole and in events", async () => {
  const ask = { model: "thinker", input: "What is the capital of Peru?" };
  const whole = await here.client.responses.create(ask);
  const stream = here.client.responses.stream(ask);
  const types = new Set<string>();
  for await (const { type } of stream) types.add(type);
  for (const response of [whole, await stream.finalResponse()]) {
    const [thought, message] = response.output;
    expect(thought).toMatchObject({
      ...{ type: "reasoning", summary: [], status: "completed" },
      content: [{ type: "reasoning_text", text: expect.stringMatching(/^\s*Hm\.\s*$/) }],
    });
    expect(message).toMatchObject({ type: "message", content: [{ text: "Lima." }] });
    expect(response.usage?.output_tokens_details.reasoning_tokens).toBeGreaterThan(0);
    expect(response.output).toHaveLength(2);
  }
  expect([...types]).toContain("response.reasoning_text.delta");
  expect([...types]).toContain("response.reasoning_text.done");
});

test("a conversation's items are messages of a chat", () => {
  const text = (type: string, said: string) => [{ type, text: said }];
  const { plan } = readResponseBody({
    instructions: "Be brief.",
    input: [
      { role: "developer", content: "Be kind." },
      { role: "user", content: text("input_text", "Hi") },
      {
        type: "reasoning",
        id: "rs_1",
        summary: text("summary_text", "short"),
        content: text("reasoning_text", "hm"),
      },
      { type: "message", role: "assistant", content: text("output_text", "Let me see."), id: "m" },
      { type: "function_call", call_id: "a", name: "f", arguments: "{}", status: "completed" },
      { type: "function_call", call_id: "b", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "a", output: "1" },
      { type: "function_call_output", call_id: "b", output: text("input_text", "2") },
      { type: "reasoning", summary: text("summary_text", "sum") },
      { role: "assistant", content: "3" },
      { role: "assistant", content: "4" },
    ],
    tools: [{ type: "function", name: "f", parameters: {} }],
    tool_choice: { type: "function", name: "f" },
    max_output_tokens: 5,
    text: { format: { type: "json_object" } },
  });
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  expect(plan).toMatchObject({
    messages: [
      { role: "system", content: "Be brief." },
      { role: "developer", content: "Be kind." },
      { role: "user", content: "Hi" },
      {
        ...{ role: "assistant", content: "Let me see.", reasoning_content: "hm" },
        tool_calls: [call("a"), call("b")],
      },
      { role: "tool", tool_call_id: "a", content: "1" },
      { role: "tool", tool_call_id: "b", content: "2" },
      { role: "assistant", content: "3", reasoning_content: "sum" },
      { role: "assistant", content: "4" },
    ],
    tools: [{ type: "function", function: { name: "f", parameters: {} } }],
    toolChoice: { type: "function", function: { name: "f" } },
    maxTokens: 5,
    schema: { type: "object" },
  });
});

test("what is said or thought behind a call comes back as it came", () => {
  const call = (id: string) => ({ type: "function_call", call_id: id, name: "f", arguments: "{}" });
  const output = (id: string) => ({ type: "function_call_output", call_id: id, output: "21" });
  const said = (text: string) => ({
    ...{ type: "message", role: "assistant", content: [{ type: "output_text", text }] },
  });
  const thought = {
    type: "reasoning",
    summary: [],
    content: [{ type: "reasoning_text", text: "hm" }],
  };
  const read = (...items: object[]) =>
    readResponseBody({ input: [{ role: "user", content: "Hi" }, ...items] }).plan.messages.slice(1);
  expect(read(call("a"), said("One moment."), output("a"))).toMatchObject([
    { role: "assistant", content: "One moment.", tool_calls: [{ id: "a" }] },
    { role: "tool", tool_call_id: "a" },
  ]);
  expect(
    read(said("Well."), call("a"), thought, call("b"), output("a"), output("b")),
  ).toMatchObject([
    {
      ...{ role: "assistant", content: "Well.", reasoning_content: "hm" },
      tool_calls: [{ id: "a" }, { id: "b" }],
    },
    { role: "tool", tool_call_id: "a" },
    { role: "tool", tool_call_id: "b" },
  ]);
});

test.each([
  [{ type: "function_call_output", call_id: "x", output: "1" }, "input[2]"],
  [
    { role: "user", content: [{ type: "input_image", image_url: "https://x/y.png" }] },
    "input[2].content",
  ],
])("what is wrong with an item is told by its own place: %j", async (item, param) => {
  const refused = await here.post("/v1/responses", {
    model: "demo",
    instructions: "Be brief.",
    input: [
      { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] },
      { role: "assistant", content: "Hi" },
      item,
    ],
  });
  expect(refused.status).toBe(400);
  const { error } = (await refused.json()) as { error: { message: string; param: string } };
  expect(error.param).toBe(param);
  expect(error.message).toContain(`\`body.${param}\``);
});

test("what fails in a stream is an event of type error, as the others are of theirs", async () => {
  const sampling = { grammar: Grammar.gbnf("root ::= [a-z] root") };
  const slow = await served({ models: { demo: { model, sampling } }, timeout: 150, keepAlive: 1 });
  const answer = await slow.post("/v1/responses", { input: "Hi", stream: true });
  const last = eventsOf(await answer.text()).at(-1);
  const told = errorShape({ code: "timeout", type: "timeout_error" });
  expect(last).toEqual({
    name: "error",
    data: { type: "error", code: "timeout", message: expect.any(String), param: null, ...told },
  });
  const stream = await slow.client.responses.create({ model: "demo", input: "Hi", stream: true });
  const all = async () => {
    for await (const _ of stream);
  };
  await expect(all()).rejects.toMatchObject({ code: "timeout" });
  await slow.close();
});

test("a call that broke off is incomplete: nobody is to carry it out", async () => {
  const sent: { type?: string; item?: { type: string; status: string } }[] = [];
  const events = { send: async (event: object) => void sent.push(event) };
  const pieces = new ResponsePieces(events as never, responseFrame("demo", {}));
  const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
  for (const [place, id] of ["whole", "cut", "last"].entries()) {
    await pieces.callBegins(place, { id, name: "f" });
    await pieces.callArguments(place, '{"ci');
    if (id === "whole") await pieces.callEnds();
  }
  const end = { finish: "stop", reasoningTokens: 0, logprobs: [], result: { usage } };
  await pieces.end(end as never);
  const done = sent.filter(({ type }) => type === "response.output_item.done");
  expect(done.map(({ item }) => item?.status)).toEqual(["completed", "incomplete", "incomplete"]);
});

test.each<[string, object]>([
  ["input", {}],
  ["input", { input: 3 }],
  ["input[0].content[0].type", { input: [{ role: "user", content: [{ type: "input_file" }] }] }],
  ["input[0].type", { input: [{ type: "item_reference", id: "x" }] }],
  ["input[0].role", { input: [{ role: "x", content: "" }] }],
  ["previous_response_id", { input: "x", previous_response_id: "resp_1" }],
  ["tools[0].type", { input: "x", tools: [{ type: "web_search" }] }],
  ["tool_choice", { input: "x", tool_choice: "required" }],
  ["text.format.type", { input: "x", text: { format: { type: "x" } } }],
  ["text.format.schema", { input: "x", text: { format: { type: "json_schema", name: "x" } } }],
  ["reasoning.effort", { input: "x", reasoning: { effort: "x" } }],
  ["temperature", { input: "x", temperature: -1 }],
  ["include[0]", { input: "x", include: ["x"] }],
  ["stream", { input: "x", stream: 1 }],
])("%s is named in its error", async (param, body) => {
  const refused = await here.post("/v1/responses", body);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toEqual(errorShape({ type: "invalid_request_error", param }));
});
