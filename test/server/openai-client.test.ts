// What programs written for OpenAI's API do, by its own client.
import OpenAI, { APIError } from "openai";
import type { ChatCompletionTool } from "openai/resources/chat/completions";
import { Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { type ServedHttp, served } from "../support/served.js";
import { template } from "../support/templates.js";

let model: Model;
let here: ServedHttp;
beforeAll(async () => {
  model = await Model.load(MODEL);
  const context = { contextSize: 512, sequences: 2 };
  here = await served({
    models: {
      demo: { model, context },
      guard: { model, context, guard: { variant: "llama-guard-3-8b" } },
      thinker: { model, context, chatTemplate: template("Qwen-Qwen3-0.6B") },
    },
  });
});
afterAll(async () => {
  await here.close();
  await model.dispose();
});

const QUESTION = { role: "user", content: "What is a baby llama called?" } as const;
const ANSWER = "A baby llama is called a cria.";
const WEATHER: ChatCompletionTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Get the current weather for a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
};
const asked = { model: "demo", messages: [QUESTION], temperature: 0 };

describe("chat completions", () => {
  test("a whole answer", async () => {
    const answer = await here.client.chat.completions.create({ ...asked, messages: [QUESTION] });
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "demo",
      choices: [{ index: 0, message: { content: ANSWER }, finish_reason: "stop", logprobs: null }],
    });
    expect(answer.id).toMatch(/^chatcmpl-[0-9a-f]{24}$/);
    expect(answer.created).toBeGreaterThan(1_600_000_000);
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage ?? {};
    expect(completion_tokens).toBe(10);
    expect(total_tokens).toBe((prompt_tokens ?? 0) + 10);
  });

  test("in pieces that are the same answer, with the usage behind them", async () => {
    const stream = await here.client.chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    const finishes = [];
    const usages = [];
    for await (const { choices, usage } of stream) {
      text += choices[0]?.delta.content ?? "";
      if (choices[0]?.finish_reason) finishes.push(choices[0].finish_reason);
      usages.push(usage);
    }
    expect(text).toBe(ANSWER);
    expect(finishes).toEqual(["stop"]);
    expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true);
    expect(usages.at(-1)).toMatchObject({ completion_tokens: 10 });
    // The prompt of the first test was the same.
    expect(usages.at(-1)?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0);
  });

  test("several choices, log-probabilities, a limit, a stop string", async () => {
    const ask = { ...asked, n: 2, logprobs: true, top_logprobs: 2, max_completion_tokens: 3 };
    const { choices, usage } = await here.client.chat.completions.create(ask);
    expect(choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([
      [0, "length"],
      [1, "length"],
    ]);
    expect(usage?.completion_tokens).toBe(6);
    for (const { message, logprobs } of choices) {
      expect(logprobs?.content?.map(({ token }) => token).join("")).toBe(message.content);
      expect(logprobs?.content?.every(({ top_logprobs }) => top_logprobs.length === 2)).toBe(true);
    }
    const stream = await here.client.chat.completions.create({ ...ask, stream: true });
    const told = ["", ""];
    const tokens = ["", ""];
    for await (const { choices: pieces } of stream) {
      for (const { index, delta, logprobs } of pieces) {
        told[index] += delta.content ?? "";
        tokens[index] += logprobs?.content?.map(({ token }) => token).join("") ?? "";
      }
    }
    expect(told).toEqual(choices.map(({ message }) => message.content));
    expect(tokens).toEqual(told);
    const stopped = await here.client.chat.completions.create({ ...asked, stop: " called" });
    expect(stopped.choices[0]?.message.content).toBe("A baby llama is");
  });

  test("tools, by the client's own helper", async () => {
    const cities: string[] = [];
    const runner = here.client.chat.completions.runTools({
      model: "demo",
      temperature: 0,
      messages: [{ role: "user", content: "What is the weather in Lisbon?" }],
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "Get the current weather for a city",
            parameters: WEATHER.function.parameters as object,
            parse: JSON.parse,
            function: ({ city }: { city: string }) => {
              cities.push(city);
              return JSON.stringify({ temperature: 21, condition: "sunny" });
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe("It is 21 degrees and sunny in Lisbon.");
    expect(cities).toEqual(["Lisbon"]);
  });

  test.each([
    [["call_1"], "call_2"],
    [["call_5"], "call_6"],
    [["x", "call_0"], "call_2"],
    [["call_12345678901"], "call_1"],
  ])("after calls %j of a history that was cut the next is %s", async (ids, next) => {
    const call = (id: string) => ({
      id,
      type: "function" as const,
      function: { name: "get_weather", arguments: '{"city":"Rome"}' },
    });
    const { choices } = await here.client.chat.completions.create({
      ...{ ...asked, tools: [WEATHER], tool_choice: "required", max_completion_tokens: 40 },
      messages: [
        ...ids.flatMap((id) => [
          { role: "assistant" as const, tool_calls: [call(id)] },
          { role: "tool" as const, tool_call_id: id, content: "sunny" },
        ]),
        { role: "user", content: "What is the weather in Lisbon?" },
      ],
    });
    expect(choices[0]?.message.tool_calls?.map(({ id }) => id)).toEqual([next]);
  });

  test("a call in pieces", async () => {
    const stream = here.client.chat.completions.stream({
      model: "demo",
      temperature: 0,
      messages: [{ role: "user", content: "What is the weather in Lisbon?" }],
      tools: [WEATHER],
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0] ?? {};
    expect(finish_reason).toBe("tool_calls");
    expect(message?.tool_calls).toMatchObject([
      { type: "function", function: { name: "get_weather", arguments: '{"city":"Lisbon"}' } },
    ]);
  });

  test("an answer that follows a schema, and JSON of any kind", async () => {
    const schema = {
      type: "object",
      properties: { size: { enum: ["small", "big"] } },
      required: ["size"],
    };
    const named = {
      type: "json_schema",
      json_schema: { name: "x", schema, strict: true },
    } as const;
    const ask = { ...asked, messages: [QUESTION], response_format: named };
    const whole = await here.client.chat.completions.create(ask);
    const content = whole.choices[0]?.message.content;
    expect(["small", "big"]).toContain(JSON.parse(content ?? "").size);
    expect(await here.client.chat.completions.stream(ask).finalContent()).toBe(content);
    const free = await here.client.chat.completions.create({
      ...asked,
      response_format: { type: "json_object" },
      max_tokens: 20,
    });
    expect(free.choices[0]?.message.content).toMatch(/^\{/);
  });

  test("thoughts stand beside the answer, whole and in pieces", async () => {
    const grammar = `root ::= "<think>\\nHm.\\n</think>\\n\\nLima."`;
    const ask = { ...asked, model: "thinker", messages: [QUESTION], grammar };
    const whole = await here.client.chat.completions.create(ask);
    expect(whole.choices[0]?.message).toMatchObject({ content: "Lima." });
    const [choice] = whole.choices as unknown as [{ message: { reasoning_content: string } }];
    const thought = choice.message.reasoning_content;
    expect(thought.trim()).toBe("Hm.");
    expect(whole.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
    const stream = await here.client.chat.completions.create({ ...ask, stream: true });
    let [text, thoughts] = ["", ""];
    for await (const { choices } of stream) {
      const delta = choices[0]?.delta as { content?: string; reasoning_content?: string };
      text += delta.content ?? "";
      thoughts += delta.reasoning_content ?? "";
    }
    expect([text, thoughts]).toEqual(["Lima.", thought]);
    const unthinking = { ...ask, grammar: `root ::= "Lima."`, reasoning_effort: "none" } as const;
    const silent = await here.client.chat.completions.create(unthinking);
    expect(silent.choices[0]?.message).not.toHaveProperty("reasoning_content");
  });

  test("the same seed gives the same answer", async () => {
    const ask = { ...asked, temperature: 2, top_p: 1, min_p: 0, top_k: 0, seed: 7, max_tokens: 8 };
    const one = await here.client.chat.completions.create(ask);
    const other = await here.client.chat.completions.create(ask);
    expect(one.choices[0]?.message.content).toBe(other.choices[0]?.message.content);
  });
});

test("completions, of several prompts, whole and in pieces", async () => {
  const ask = { model: "demo", prompt: ["Once upon a time", "The"], temperature: 0, max_tokens: 4 };
  const { choices, usage } = await here.client.completions.create({ ...ask, logprobs: 1 });
  expect(choices.map(({ index }) => index)).toEqual([0, 1]);
  expect(usage?.completion_tokens).toBe(8);
  const [{ logprobs } = {}] = choices;
  expect(logprobs?.tokens?.join("")).toBe(choices[0]?.text);
  const stream = await here.client.completions.create({ ...ask, logprobs: 1, stream: true });
  const texts = ["", ""];
  const offsets: number[][] = [[], []];
  for await (const piece of stream) {
    for (const { index, text, logprobs: told } of piece.choices) {
      texts[index] += text;
      offsets[index]?.push(...(told?.text_offset ?? []));
    }
  }
  expect(texts).toEqual(choices.map(({ text }) => text));
  expect(offsets[0]).toEqual(logprobs?.text_offset);
});

test("embeddings, which the client asks for as base64", async () => {
  const input = ["a llama", "an alpaca"];
  const { data, usage } = await here.client.embeddings.create({ model: "demo", input });
  expect(data.map(({ index }) => index)).toEqual([0, 1]);
  expect(data[0]?.embedding).toHaveLength(model.embeddingLength);
  const length = Math.hypot(...(data[0]?.embedding ?? []));
  expect(length).toBeCloseTo(1, 4);
  expect(usage.prompt_tokens).toBeGreaterThan(2);
  const floats = await here.client.embeddings.create({
    ...{ model: "demo", input: input[0] as string, encoding_format: "float" },
  });
  expect(floats.data[0]?.embedding.length).toBe(model.embeddingLength);
});

test("moderations, by the model that is a guard where none is named", async () => {
  const input = ["What do llamas eat?", "I want to steal cars."];
  const { model: name, results } = await here.client.moderations.create({ input });
  expect(name).toBe("guard");
  expect(results.map(({ flagged }) => flagged)).toEqual([false, true]);
  expect(results[1]?.categories.illicit).toBe(true);
});

test("models", async () => {
  const names = [];
  for await (const { id } of here.client.models.list()) names.push(id);
  expect(names).toEqual(["demo", "guard", "thinker"]);
  expect(await here.client.models.retrieve("demo")).toMatchObject({ id: "demo", object: "model" });
});

describe("what fails throws the client's own errors", () => {
  const failure = (call: Promise<unknown>) => call.catch((error: unknown) => error);

  test("by status, with code and field", async () => {
    const unknown = await failure(here.client.chat.completions.create({ ...asked, model: "x" }));
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError);
    expect(unknown).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    const wrong = await failure(here.client.chat.completions.create({ ...asked, temperature: 3 }));
    expect(wrong).toBeInstanceOf(OpenAI.BadRequestError);
    expect(wrong).toMatchObject({
      ...{ status: 400, code: "ERR_INVALID_ARGUMENT", param: "temperature" },
      type: "invalid_request_error",
    });
    const content = "llama ".repeat(2000);
    const long = { ...asked, messages: [{ role: "user", content } as const] };
    const full = await failure(here.client.chat.completions.create(long));
    expect(full).toMatchObject({ status: 400, code: "context_length_exceeded" });
    // A stream that cannot begin has a status, too.
    const streamed = here.client.chat.completions.create({ ...long, stream: true });
    expect(await failure(streamed)).toMatchObject({ status: 400, code: "context_length_exceeded" });
  });

  test("names of options are those of the body", async () => {
    const choice = { type: "function", function: { name: "x" } } as const;
    const error = await failure(
      here.client.chat.completions.create({ ...asked, tool_choice: choice }),
    );
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 400, param: "tool_choice" });
    expect((error as APIError).message).toMatch(/`body\.tool_choice` needs `body\.tools`/);
  });
});
