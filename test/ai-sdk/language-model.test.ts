import type { LanguageModelV3, LanguageModelV4, ProviderV3, ProviderV4 } from "@ai-sdk/provider";
import { z } from "zod";
import { createCria } from "../../lib/ai-sdk/ai-sdk.js";
import { type Context, Model } from "../../lib/index.js";
import { GENERATIONS } from "../support/ai-sdk.js";
import { endTokens, forbidden } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { connected, idle } from "../support/remote.js";
import { call, type ScriptedAnswer, scripted } from "../support/scripted-context.js";

let demo: Model;
let context: Context;
beforeAll(async () => {
  demo = await Model.load(MODEL);
  context = await demo.createContext({ contextSize: 2048, sequences: 2 });
});
afterAll(() => demo.dispose());

const inputSchema = z.object({ city: z.string() });
const GREEDY = { temperature: 0, date: "26 Jul 2024" } as const;

function played(...answers: (string | ScriptedAnswer)[]) {
  const script = scripted(answers);
  return { script, model: createCria(script.context).languageModel() };
}

describe.each(GENERATIONS)("%s", (_, ai) => {
  test("generateText: text, usage and finish reason", async () => {
    const { script, model } = played("Hello there.");
    const result = await ai.generateText({ model, system: "Be brief.", prompt: "Hi" });
    expect(result.text).toBe("Hello there.");
    expect(result.finishReason).toBe("stop");
    expect(result.warnings).toEqual([]);
    expect(result.usage).toMatchObject({
      inputTokens: 10,
      outputTokens: 3,
      totalTokens: 13,
      inputTokenDetails: { noCacheTokens: 6, cacheReadTokens: 4 },
      outputTokenDetails: { textTokens: 3, reasoningTokens: 0 },
    });
    expect(script.asked[0]?.prompt).toContain("Be brief.");
  });

  test("an agent calls a tool over several steps, and the model answers with its results", async () => {
    const { script, model } = played(
      call("get_weather", { city: "Lima" }),
      call("get_weather", { city: "Cusco" }),
      "Both are clear.",
    );
    const cities: string[] = [];
    const weather = ai.tool({
      description: "The weather of a city",
      inputSchema,
      execute: async ({ city }) => {
        cities.push(city);
        return { city, sky: "clear" };
      },
    });
    const agent = new ai.ToolLoopAgent({ model, tools: { get_weather: weather } });
    const result = await agent.generate({ prompt: "How is the weather?" });
    expect(result.text).toBe("Both are clear.");
    expect(cities).toEqual(["Lima", "Cusco"]);
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual([
      "tool-calls",
      "tool-calls",
      "stop",
    ]);
    const ids = result.steps.flatMap(({ toolCalls }) => toolCalls.map((one) => one.toolCallId));
    expect(ids).toEqual(["call_0", "call_1"]);
    const prompts = script.asked.map(({ prompt }) => prompt);
    expect(prompts[0]).toContain('"name": "get_weather"');
    expect(prompts[2]).toContain('{"city": "Cusco", "sky": "clear"}');
    for (const [step, prompt] of prompts.slice(1).entries()) {
      expect(prompt.startsWith(prompts[step] as string)).toBe(true); // so the cache serves it
    }
  });

  test("streamText: tool calls are streamed, then the text", async () => {
    const { model } = played(call("get_weather", { city: "Lima" }), "It is clear.");
    const weather = ai.tool({ inputSchema, execute: async ({ city }) => `clear in ${city}` });
    const tools = { get_weather: weather };
    const result = ai.streamText({ model, prompt: "Hi", tools, stopWhen: ai.stepCountIs(3) });
    const types: string[] = [];
    for await (const { type } of result.fullStream) types.push(type);
    expect(types).toEqual([
      ...["start", "start-step", "tool-input-start", "tool-input-delta", "tool-input-end"],
      ...["tool-call", "tool-result", "finish-step"],
      ...["start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"],
    ]);
    expect(await result.text).toBe("It is clear.");
  });

  test("a call of a tool that there is not, or with wrong arguments, is the SDK's to answer", async () => {
    const { model } = played(
      `${call("get_time", {})}; ${call("get_weather", { city: 5 })}`,
      "Sorry.",
    );
    let ran = 0;
    const weather = ai.tool({ inputSchema, execute: async () => ++ran });
    const settings = { constrainTools: false };
    const result = await ai.generateText({
      ...{ model, prompt: "Hi", tools: { get_weather: weather }, stopWhen: ai.stepCountIs(3) },
      providerOptions: { cria: settings },
    });
    expect(result.text).toBe("Sorry.");
    expect(ran).toBe(0);
    const [first] = result.steps;
    expect(first?.toolCalls.map(({ toolName, invalid }) => [toolName, invalid])).toEqual([
      ["get_time", true],
      ["get_weather", true],
    ]);
  });

  test("generateObject and Output.object: the model can only write what follows the schema", async () => {
    const model = createCria(context, GREEDY).languageModel();
    const schema = z.object({ animal: z.enum(["llama", "alpaca"]), legs: z.literal(4) });
    const prompt = "What is a llama?";
    const { object } = await ai.generateObject({ model, schema, prompt });
    expect(schema.parse(object)).toEqual(object);
    const { output } = await ai.generateText({
      ...{ model, prompt, output: ai.Output.object({ schema }) },
    });
    expect(output).toEqual(object);
    const streamed = ai.streamText({ model, prompt, output: ai.Output.object({ schema }) });
    let last: unknown;
    for await (const partial of streamed.partialOutputStream) last = partial;
    expect(last).toEqual(object);
  });

  test("tools and a schema in one call", async () => {
    const { script, model } = played(call("get_weather", { city: "Lima" }), '{"sky":"clear"}');
    const weather = ai.tool({ inputSchema, execute: async () => "clear" });
    const { output } = await ai.generateText({
      ...{ model, prompt: "Hi", tools: { get_weather: weather }, stopWhen: ai.stepCountIs(3) },
      output: ai.Output.object({ schema: z.object({ sky: z.string() }) }),
    });
    expect(output).toEqual({ sky: "clear" });
    for (const { options } of script.asked) {
      expect(options.sampler?.steps.map(({ type }) => type)).toContain("grammar");
    }
  });

  test("an abort ends the generation, and frees its place", async () => {
    const endless = { logitBias: forbidden(endTokens(demo)) };
    const model = createCria(context, endless).languageModel();
    const controller = new AbortController();
    const abortSignal = controller.signal;
    const result = ai.streamText({ model, prompt: "Hi", abortSignal, onError: () => {} });
    const types: string[] = [];
    for await (const { type } of result.fullStream) {
      types.push(type);
      if (type === "text-delta") controller.abort();
    }
    expect(types.at(-1)).toBe("abort");
    await idle(context);
    await expect(ai.generateText({ model, prompt: "Hi", abortSignal })).rejects.toThrow(/abort/i);
  });

  test("a registry of providers finds the models by the names of their contexts", async () => {
    const { script } = played("Hello.");
    const cria = createCria({ chat: script.context });
    const registry = ai.createProviderRegistry({ local: cria });
    const model = registry.languageModel("local:chat");
    expect((await ai.generateText({ model, prompt: "Hi" })).text).toBe("Hello.");
  });

  test("a real model calls a tool, and reads the second prompt from the cache", async () => {
    const model = createCria(context, GREEDY).languageModel();
    const weather = {
      description: "Get the current weather for a city",
      inputSchema: ai.jsonSchema<{ city: string }>({
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      }),
      execute: async ({ city }: { city: string }) => ({ city, temperature: 21 }),
    };
    const prompt = "What is the weather in Lisbon?";
    const result = await ai.generateText({
      ...{ model, prompt, tools: { get_weather: weather }, stopWhen: ai.stepCountIs(3) },
    });
    expect(result.steps[0]?.toolCalls).toMatchObject([
      { toolName: "get_weather", input: { city: "Lisbon" } },
    ]);
    expect(result.steps).toHaveLength(2);
    expect(result.totalUsage.inputTokenDetails.cacheReadTokens ?? 0).toBeGreaterThan(0);
  });

  test("a context behind a port works as well", async () => {
    const { engine, served } = connected({ demo });
    const model = await engine.Model.load("demo");
    const remote = await model.createContext({ contextSize: 1024 });
    const [there, here] = [remote, context].map((one) => createCria(one, GREEDY).languageModel());
    const prompt = "What is a baby llama called?";
    const result = ai.streamText({ model: there as NonNullable<typeof there>, prompt });
    const local = await ai.generateText({ model: here as NonNullable<typeof here>, prompt });
    expect(await result.text).toBe(local.text);
    engine.close();
    await served.closed;
  });
});

test("models and providers are of both specifications' types", () => {
  const three = createCria(context);
  const four = createCria(context, { specification: "v4" });
  const models: [LanguageModelV3, LanguageModelV4] = [three.languageModel(), four.languageModel()];
  const providers: [ProviderV3, ProviderV4] = [three, four];
  expect(models.map(({ specificationVersion }) => specificationVersion)).toEqual(["v3", "v4"]);
  expect(providers.map((one) => one.specificationVersion)).toEqual(["v3", "v4"]);
  expect(models[0].modelId).toBe(demo.metadata.get("general.name"));
  expect(() => three.imageModel()).toThrow(/no pictures/);
});
