import type { ChatCompletion } from "openai/resources/chat/completions";
import type { Completion } from "openai/resources/completions";
import type { CreateEmbeddingResponse } from "openai/resources/embeddings";
import type { ModerationCreateResponse } from "openai/resources/moderations";
import type {
  BatchChatCompletion,
  BatchCompletion,
  BatchEmbeddings,
  BatchModeration,
} from "../../../lib/batch/output/openai-answers.js";
import { type BatchOutputLine, Model, type RunBatchOptions, runBatch } from "../../../lib/index.js";
import { errorOf, inputFile, linesOf, outputFile, temporaryFolder } from "../../support/batch.js";
import { MODEL } from "../../support/paths.js";

// That this file compiles (npm run typecheck) is half of the test: no cast stands in these.
const chatBody = (body: BatchChatCompletion): ChatCompletion => body;
const completionBody = (body: BatchCompletion): Completion => body;
const embeddingsBody = (body: BatchEmbeddings): CreateEmbeddingResponse => body;
const moderationBody = (body: BatchModeration): ModerationCreateResponse => body;

const folder = temporaryFolder();
let model: Model;
beforeAll(async () => {
  model = await Model.load(MODEL);
});
afterAll(() => model.dispose());

async function run(lines: readonly (object | string)[], options: Partial<RunBatchOptions> = {}) {
  const output = outputFile(folder);
  const summary = await runBatch(model, {
    ...{ input: inputFile(folder, lines), output, sequences: 4, ordered: true },
    ...{ context: { contextSize: 512 }, sampling: { temperature: 0 } },
    guardOptions: { variant: "llama-guard-3-1b" },
    ...options,
  });
  return { summary, lines: linesOf(output) };
}

const request = (custom_id: string, url: string, body: object) => ({
  ...{ custom_id, method: "POST", url: `/v1/${url}` },
  body: { model: "gpt-4o-mini", ...body },
});
const chat = (id: string, content: string, body: object = {}) =>
  request(id, "chat/completions", { messages: [{ role: "user", content }], ...body });

function bodyOf<T>(lines: readonly BatchOutputLine[], id: string): T {
  const line = lines.find(({ custom_id }) => custom_id === id);
  expect(line?.error).toBeNull();
  return line?.response?.body as T;
}

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Tells the weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

test("a file as OpenAI's guide has them runs unchanged", async () => {
  const { summary, lines } = await run([
    '{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-3.5-turbo-0125", "messages": [{"role": "system", "content": "You answer in one word."},{"role": "user", "content": "Say hello."}],"max_tokens": 16}}',
    '{"custom_id": "request-2", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-3.5-turbo-0125", "messages": [{"role": "user", "content": "What is a llama?"}],"max_completion_tokens": 64, "temperature": 0, "user": "me", "store": false, "metadata": {"a": "b"}}}',
  ]);
  expect(summary).toMatchObject({ done: 2, errors: 0 });
  const [first, second] = lines;
  expect(first).toMatchObject({
    id: expect.stringMatching(/^batch_req_[0-9a-f]{32}$/),
    custom_id: "request-1",
    response: { status_code: 200, request_id: expect.any(String) },
    error: null,
  });
  const body = chatBody(bodyOf(lines, second?.custom_id as string));
  expect(body).toMatchObject({ object: "chat.completion", model: "gpt-3.5-turbo-0125" });
  expect(body.choices[0]?.message.content).toMatch(/llama/);
  expect(body.choices[0]?.finish_reason).toBe("stop");
  const { prompt_tokens = 0, completion_tokens, total_tokens } = body.usage ?? {};
  expect(prompt_tokens).toBeGreaterThan(10);
  expect(total_tokens).toBe(prompt_tokens + (completion_tokens ?? 0));
});

test("chats: choices, log-probabilities, schemas, calls of tools", async () => {
  const { lines } = await run([
    chat("n", "Say hello.", { n: 3, temperature: 1.5, max_tokens: 6 }),
    chat("logprobs", "Say hello.", { logprobs: true, top_logprobs: 2, max_tokens: 3 }),
    chat("object", "Rate it.", { response_format: { type: "json_object" }, max_tokens: 40 }),
    chat("schema", "Rate it.", {
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "rating",
          strict: true,
          schema: {
            type: "object",
            properties: { label: { enum: ["good", "bad"] } },
            required: ["label"],
          },
        },
      },
    }),
    chat("call", "What is the weather in Lima?", { tools: [WEATHER], tool_choice: "required" }),
    chat("none", "What is the weather in Lima?", { tools: [WEATHER], tool_choice: "none" }),
    chat("stop", "What is a llama?", { stop: [" "] }),
    chat("bias", "Say hello.", { logit_bias: { 65: 100 }, max_tokens: 3 }),
  ]);
  const n = chatBody(bodyOf(lines, "n"));
  expect(n.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
  const [token] = chatBody(bodyOf(lines, "logprobs")).choices[0]?.logprobs?.content ?? [];
  expect(token?.top_logprobs).toHaveLength(2);
  expect(token?.top_logprobs[0]?.token).toBe(token?.token);
  expect(token?.logprob).toBeLessThanOrEqual(0);
  const content = (id: string) => chatBody(bodyOf(lines, id)).choices[0]?.message.content ?? "";
  expect(content("object")).toMatch(/^\s*\{/);
  expect(["good", "bad"]).toContain(JSON.parse(content("schema")).label);
  const call = chatBody(bodyOf(lines, "call")).choices[0];
  expect(call).toMatchObject({
    finish_reason: "tool_calls",
    message: {
      content: null,
      tool_calls: [
        {
          id: "call_0",
          type: "function",
          function: { name: "get_weather", arguments: '{"city":"Lima"}' },
        },
      ],
    },
  });
  expect(chatBody(bodyOf(lines, "none")).choices[0]?.message.tool_calls).toBeUndefined();
  expect(content("stop")).not.toMatch(/ /);
  expect(content("bias")).toBe(model.detokenize([65, 65, 65]));
});

test("completions: several prompts and choices, token ids, log-probabilities", async () => {
  const ids = [...model.tokenize("The llama")];
  const { lines } = await run([
    request("two", "completions", { prompt: ["One", "Two"], n: 2, max_tokens: 3, logprobs: 2 }),
    request("ids", "completions", { prompt: ids, max_tokens: 3 }),
    { id: "simple", prompt: "Once upon a time", maxTokens: 4, topK: 1, stop: [], logprobs: 1 },
  ]);
  const two = completionBody(bodyOf(lines, "two"));
  expect(two.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  expect(two.choices[0]?.text).toBe(two.choices[1]?.text);
  expect(two.choices[0]?.text).not.toBe(two.choices[2]?.text);
  const { tokens = [], top_logprobs = [], text_offset = [] } = two.choices[0]?.logprobs ?? {};
  expect(tokens.join("")).toBe(two.choices[0]?.text);
  expect([tokens.length, top_logprobs.length, text_offset.length]).toEqual([3, 3, 3]);
  expect(completionBody(bodyOf(lines, "ids")).usage).toMatchObject({ prompt_tokens: ids.length });
  expect(completionBody(bodyOf(lines, "simple")).choices[0]?.finish_reason).toBe("length");
});

test("embeddings and moderations", async () => {
  const { lines } = await run([
    request("float", "embeddings", { input: ["a llama", "an alpaca"] }),
    request("base64", "embeddings", { input: "a llama", encoding_format: "base64" }),
    request("bad", "moderations", { input: "How do I build a bomb?" }),
    request("good", "moderations", { input: [{ type: "text", text: "What is a llama?" }] }),
    request("dimensions", "embeddings", { input: "a", dimensions: 5 }),
  ]);
  const { data, usage } = embeddingsBody(bodyOf(lines, "float"));
  expect(data.map(({ embedding }) => embedding.length)).toEqual([
    model.embeddingLength,
    model.embeddingLength,
  ]);
  expect(Math.hypot(...(data[0]?.embedding ?? []))).toBeCloseTo(1, 4);
  expect(usage.total_tokens).toBeGreaterThan(3);
  const base64 = bodyOf<{ data: { embedding: string }[] }>(lines, "base64").data[0]?.embedding;
  const bytes = Buffer.from(base64 ?? "", "base64");
  expect(bytes.readFloatLE(0)).toBeCloseTo(data[0]?.embedding[0] ?? 0, 4);
  const [bad] = moderationBody(bodyOf(lines, "bad")).results;
  expect(bad?.flagged).toBe(true);
  expect(bad?.categories["illicit/violent"]).toBe(true);
  expect(bad?.category_scores["illicit/violent"]).toBeGreaterThan(0.5);
  expect(moderationBody(bodyOf(lines, "good")).results[0]).toMatchObject({ flagged: false });
  expect(errorOf(lines, "dimensions")).toMatch(/only be the model's own/);
});

test("a model that is no guard judges nothing: an error of each such line", async () => {
  const lines = [
    request("m", "moderations", { input: "x" }),
    { id: "g", prompt: "x", maxTokens: 1 },
  ];
  const { summary, lines: answers } = await run(lines, { guardOptions: {} });
  expect(summary).toMatchObject({ done: 2, errors: 1 });
  expect(errorOf(answers, "m")).toMatch(/^1 ERR_UNSUPPORTED: Expected a Llama Guard 3 model/);
});

test("parallel_tool_calls: false ends an answer with its first call", async () => {
  const parameters = { type: "object", properties: { at: { const: 1 } }, required: ["at"] };
  const ping = { type: "function", function: { name: "ping", parameters } };
  // A line break, the likeliest token here, goes on with another call wherever it may.
  const line = (id: string, more: object) =>
    chat(id, "Ping.", {
      ...{ tools: [ping], tool_choice: "required", max_tokens: 200 },
      ...{ logit_bias: { [String(model.tokenize("\n")[0])]: 100 }, ...more },
    });
  const { lines } = await run([
    line("one", { parallel_tool_calls: false }),
    line("several", { parallel_tool_calls: true }),
    line("default", { parallel_tool_calls: null }),
  ]);
  const told = (id: string) => {
    const { choices, usage } = bodyOf<BatchChatCompletion>(lines, id);
    expect(choices[0]?.finish_reason).toBe("tool_calls");
    const calls = choices[0]?.message.tool_calls ?? [];
    expect(new Set(calls.map(({ function: { name } }) => name))).toEqual(new Set(["ping"]));
    return { calls: calls.length, tokens: usage?.completion_tokens };
  };
  const one = told("one");
  expect(one.calls).toBe(1);
  expect(one.tokens).toBeLessThan(100);
  expect(told("several")).toEqual({ calls: expect.any(Number), tokens: 200 });
  expect(told("several").calls).toBeGreaterThan(1);
  expect(told("default")).toEqual(told("several"));
});

test("what cannot be honoured is an error that names it", async () => {
  const body = (id: string, more: object) => chat(id, "Hello", more);
  const { lines } = await run([
    body("stream", { stream: true }),
    body("ok", { stream: false, n: null, max_tokens: 1, tools: [], parallel_tool_calls: false }),
    body("effort", { reasoning_effort: "most" }),
    body("unknown", { temprature: 1 }),
    body("parallel", { tools: [WEATHER], parallel_tool_calls: 1 }),
    body("top", { top_logprobs: 2 }),
    body("hot", { temperature: 3 }),
    body("image", {
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }],
    }),
    body("schema", {
      response_format: { type: "json_schema", json_schema: { name: "x", schema: { not: {} } } },
    }),
    body("long", { messages: [{ role: "user", content: "word ".repeat(2000) }] }),
    request("echo", "completions", { prompt: "x", echo: true }),
    request("tokens", "embeddings", { input: [1, 2] }),
    request("nothing", "completions", {}),
  ]);
  expect(lines.filter(({ error }) => error === null).map((line) => line.custom_id)).toEqual(["ok"]);
  expect(errorOf(lines, "stream")).toMatch(/^1 ERR_UNSUPPORTED: `body.stream` cannot be true/);
  expect(errorOf(lines, "effort")).toMatch(/for `body.reasoning_effort`/);
  expect(errorOf(lines, "unknown")).toMatch(/`body.temprature`: did you mean `body.temperature`/);
  expect(errorOf(lines, "parallel")).toMatch(/boolean for `body.parallel_tool_calls`, got 1/);
  expect(errorOf(lines, "top")).toMatch(/needs `body.logprobs`/);
  expect(errorOf(lines, "hot")).toMatch(/from 0 to 2 for `body.temperature`, got 3/);
  expect(errorOf(lines, "image")).toMatch(/ERR_UNSUPPORTED: .*image_url/);
  expect(errorOf(lines, "schema")).toMatch(/ERR_SCHEMA_UNSUPPORTED/);
  expect(errorOf(lines, "long")).toMatch(/^10 ERR_CONTEXT_FULL/);
  expect(errorOf(lines, "echo")).toMatch(/`body.echo` cannot be honoured/);
  expect(errorOf(lines, "tokens")).toMatch(/given as token ids/);
  expect(errorOf(lines, "nothing")).toMatch(/a prompt for `body.prompt`, got undefined/);
});

test("a schema beside json_object is followed, too", async () => {
  const schema = {
    type: "object",
    properties: { label: { enum: ["a", "b"] } },
    required: ["label"],
  };
  const { lines } = await run([
    chat("object", "Rate it.", {
      max_tokens: 30,
      response_format: { type: "json_object", schema },
    }),
    chat("null", "Rate it.", {
      max_tokens: 40,
      response_format: { type: "json_schema", json_schema: { name: "x", strict: null, schema } },
    }),
  ]);
  for (const id of ["object", "null"]) {
    const answer = chatBody(bodyOf(lines, id)).choices[0]?.message.content ?? "";
    expect(["a", "b"]).toContain(JSON.parse(answer).label);
  }
});

test("a field that nobody knows is an error that names it, wherever it stands", async () => {
  const user = { role: "user", content: "x" };
  const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const asked = (id: string, more: object) => chat(id, "x", { messages: [user, more] });
  const formatted = (id: string, response_format: object) => chat(id, "x", { response_format });
  const schema = { type: "object" };
  const lines: Record<string, object> = {
    "body.messages[1].tool_cals": asked("0", { role: "assistant", content: "", tool_cals: [call] }),
    "body.messages[1].nmae": asked("1", { ...user, nmae: "Ada" }),
    "body.messages[1].reasoning": asked("2", {
      ...{ role: "assistant", content: "x", reasoning: "y" },
    }),
    "body.messages[1].content[0].txt": asked("3", {
      role: "user",
      content: [{ type: "text", text: "x", txt: "y" }],
    }),
    "body.messages[1].tool_calls[0].functoin": asked("4", {
      role: "assistant",
      tool_calls: [{ ...call, functoin: {} }],
    }),
    "body.messages[1].tool_calls[0].function.args": asked("5", {
      role: "assistant",
      tool_calls: [{ ...call, function: { ...call.function, args: "{}" } }],
    }),
    "body.response_format.schema": formatted("6", {
      ...{ type: "json_schema", json_schema: { name: "x", schema }, schema },
    }),
    "body.response_format.json_schema.shema": formatted("7", {
      type: "json_schema",
      json_schema: { name: "x", shema: schema, schema },
    }),
    "body.response_format.json_schema": formatted("8", {
      ...{ type: "json_object", json_schema: { schema } },
    }),
    "body.response_format.json_schema.schema": formatted("9", {
      ...{ type: "json_schema", json_schema: { name: "x" } },
    }),
    "body.moderation": chat("10", "x", { moderation: {} }),
    "messages[0].contnt": { id: "11", messages: [{ ...user, contnt: "y" }] },
  };
  const { lines: answers } = await run(Object.values(lines));
  for (const [index, name] of Object.keys(lines).entries()) {
    expect(errorOf(answers, String(index))).toContain(`\`${name}\``);
  }
  const tools = [{ ...WEATHER, function: { ...WEATHER.function, paramters: {} } }];
  const { lines: told } = await run([chat("tool", "x", { tools })]);
  expect(errorOf(told, "tool")).toMatch(/"paramters" in `body.tools\[0\].function`: did you mean/);
});

test("null is as good as nothing, wherever it stands", async () => {
  const nothing = {
    ...{ tools: null, tool_choice: null, stop: null, seed: null, max_tokens: null, n: null },
    ...{ response_format: null, logprobs: null, top_logprobs: null, logit_bias: null, user: null },
    ...{ temperature: null, top_p: null, max_completion_tokens: 3, parallel_tool_calls: null },
  };
  const tool = (more: object) => [{ type: "function", function: { name: "now", ...more } }];
  const call = { id: "c", type: "function", function: { name: "now", arguments: "{}" } };
  const messages = [
    { role: "system", content: "x", name: null },
    { role: "user", content: "x" },
    { role: "assistant", content: null, tool_calls: [call], refusal: null, audio: null },
    { role: "tool", content: "y", tool_call_id: "c", name: null },
    { role: "assistant", content: "z", tool_calls: null, function_call: null, annotations: [] },
    { role: "user", content: "x" },
  ];
  const { lines } = await run([
    chat("nothing", "x", nothing),
    chat("absent", "x", { max_tokens: 3, tools: tool({}) }),
    chat("null", "x", {
      ...{ max_tokens: 3, tools: tool({ description: null, parameters: null, strict: null }) },
    }),
    chat("messages", "x", { max_tokens: 3, messages }),
    { id: "simple", prompt: "x", maxTokens: 3, stop: null, tools: null, schema: null, topK: null },
  ]);
  expect(lines.map(({ error }) => error)).toEqual([null, null, null, null, null]);
  const tokens = (id: string) => chatBody(bodyOf(lines, id)).usage?.prompt_tokens;
  expect(tokens("null")).toBe(tokens("absent"));
});

test("errors name the line's own fields", async () => {
  const messages = [{ role: "user", content: "x" }];
  const { lines } = await run([
    chat("choice", "x", { tool_choice: "required" }),
    chat("other", "x", { tool_choice: { type: "function", function: { name: "nothing" } } }),
    chat("tool", "x", { tools: [5] }),
    chat("role", "x", { messages: [{ role: "nobody", content: "x" }] }),
    chat("bias", "x", { logit_bias: { 999999: 1 } }),
    request("ids", "completions", { prompt: [1, 999999] }),
    { id: "simple", messages, toolChoice: "required" },
    { id: "hot", prompt: "x", temperature: 1e308 },
    { id: "schema", messages, schema: { type: "nothing" } },
    `{"id": "deep", "messages": [], "tools": ${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
  ]);
  expect(errorOf(lines, "choice")).toMatch(/`body.tool_choice` needs `body.tools`/);
  expect(errorOf(lines, "other")).toMatch(/`body.tool_choice` needs `body.tools`/);
  expect(errorOf(lines, "tool")).toMatch(/for `body.tools\[0\]`, got 5/);
  expect(errorOf(lines, "role")).toMatch(/for `body.messages\[0\].role`, got "nobody"/);
  expect(errorOf(lines, "bias")).toMatch(/for `body.logit_bias`, got 999999/);
  expect(errorOf(lines, "ids")).toMatch(/for `body.prompt\[1\]`, got 999999/);
  expect(errorOf(lines, "simple")).toMatch(/`toolChoice` needs `tools`/);
  expect(errorOf(lines, "hot")).toMatch(/for `temperature`, got 1e\+308/);
  expect(errorOf(lines, "schema")).toMatch(
    / `schema`: no grammar is made of this JSON Schema: .*#\/type/,
  );
  expect(errorOf(lines, "deep")).toMatch(/ERR_INVALID_ARGUMENT: The tools .* cannot be read/);
});

test("what is wrong for all lines ends the run before the first one", async () => {
  await expect(run([{ prompt: "x" }], { tools: [5] as never })).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(/`options.tools\[0\]`, got 5/),
  });
  await expect(run([{ prompt: "x" }], { guard: {} as never })).rejects.toThrow(/options.guard/);
  // Moderations share the generations' context: its failure is told as it was.
  const moderation = [request("m", "moderations", { input: "x" })];
  await expect(run(moderation, { context: { contextSize: 2 ** 31 - 1 } })).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(/contextSize/),
  });
});

test("a moderation's tokens are counted, and what the cache had of them", async () => {
  const one = await run([request("m", "moderations", { input: "What is a llama?" })]);
  const { promptTokens, cachedTokens } = one.summary;
  expect(promptTokens).toBeGreaterThan(100); // the policy alone
  expect(cachedTokens).toBe(0);
  const inputs = Array.from({ length: 8 }, () => "What is a llama?");
  const generated = { id: "g", prompt: "Once upon a time", maxTokens: 20 };
  const many = await run([generated, request("m", "moderations", { input: inputs })]);
  const { usage } = bodyOf<BatchCompletion>(many.lines, "g");
  expect(many.summary.promptTokens).toBe(promptTokens * 8 + usage.prompt_tokens);
  expect(many.summary.cachedTokens).toBeGreaterThan(promptTokens);
  expect(many.summary.cachedTokens).toBeLessThan(promptTokens * 8);
});

test("the run's options hold for lines that do not say otherwise", async () => {
  const schema = {
    type: "object",
    properties: { label: { enum: ["a", "b"] } },
    required: ["label"],
  };
  const { lines } = await run(
    [
      { id: "prompt", prompt: "Rate it." },
      { id: "own", prompt: "x", maxTokens: 1 },
    ],
    { system: "You rate.", schema, maxTokens: 30, limit: 2 },
  );
  const chatted = chatBody(bodyOf(lines, "prompt"));
  expect(["a", "b"]).toContain(JSON.parse(chatted.choices[0]?.message.content ?? "").label);
  expect(chatBody(bodyOf(lines, "own")).choices[0]?.finish_reason).toBe("length");
});

test("the number of sequences is measured and told where it is not given", async () => {
  const told: number[] = [];
  const { summary } = await run([{ prompt: "x", maxTokens: 2 }], {
    sequences: undefined as never,
    onMeasured: ({ sequences, rates }) => {
      expect(rates.get(1)).toBeGreaterThan(0);
      told.push(sequences);
    },
  });
  expect(summary.done).toBe(1);
  expect(told).toHaveLength(1);
});
