import type { LanguageModelV3Middleware, LanguageModelV4Middleware } from "@ai-sdk/provider";
import { createCria, guardMiddleware } from "../../lib/ai-sdk/ai-sdk.js";
import { deferred } from "../../lib/internal/deferred.js";
import { GENERATIONS } from "../support/ai-sdk.js";
import { flagging } from "../support/moderators.js";
import { call, type ScriptedAnswer, scripted } from "../support/scripted-context.js";

const inner = (...answers: (string | ScriptedAnswer)[]) => {
  const script = scripted(answers);
  return { script, model: createCria(script.context).languageModel() };
};
const city = { type: "object", properties: { city: { type: "string" } } } as const;

describe.each(GENERATIONS)("%s", (_, ai) => {
  const guarded = (guard: ReturnType<typeof flagging>, ...answers: (string | ScriptedAnswer)[]) => {
    const { script, model } = inner(...answers);
    const middleware = guardMiddleware(guard);
    return { script, model: ai.wrapLanguageModel({ model, middleware }) };
  };

  test("what is safe passes as it is, whole and streamed", async () => {
    const guard = flagging("bad");
    const { model } = guarded(guard, "All good.", "All good.");
    const result = await ai.generateText({ model, prompt: "Hi" });
    expect([result.text, result.finishReason]).toEqual(["All good.", "stop"]);
    expect(await ai.streamText({ model, prompt: "Hi" }).text).toBe("All good.");
    expect(guard.judged.map((messages) => messages.at(-1)?.role)).toEqual([
      ...["user", "assistant", "user", "assistant"],
    ]);
  });

  test("an input that is not safe never reaches the model", async () => {
    const { script, model } = guarded(flagging("bad"));
    const result = await ai.generateText({ model, prompt: "a bad question" });
    expect([result.text, result.finishReason]).toEqual(["", "content-filter"]);
    expect(result.providerMetadata?.cria?.moderation).toMatchObject({ safe: false });
    const streamed = ai.streamText({ model, prompt: "a bad question" });
    expect([await streamed.text, await streamed.finishReason]).toEqual(["", "content-filter"]);
    expect(script.asked).toEqual([]);
  });

  test.each([
    ["a text", "All good. A bad word."],
    ["a call", call("get_weather", { city: "bad" })],
  ])("an answer that is not safe is never shown: %s", async (_, answer) => {
    const { model } = guarded(flagging("bad"), answer, answer);
    let ran = 0;
    const weather = ai.tool({ inputSchema: ai.jsonSchema(city), execute: async () => ++ran });
    const asked = { model, prompt: "Hi", tools: { get_weather: weather } };
    const result = await ai.generateText(asked);
    expect([result.content, result.finishReason]).toEqual([[], "content-filter"]);
    expect(result.usage.outputTokens).toBe(3);
    const shown: unknown[] = [];
    const streamed = ai.streamText(asked);
    for await (const part of streamed.fullStream) shown.push(part);
    expect(JSON.stringify(shown)).not.toContain("bad");
    expect(await streamed.finishReason).toBe("content-filter");
    expect(ran).toBe(0);
  });
});

const prompt = [{ role: "user", content: [{ type: "text", text: "Hi" }] }];

test("a guard that fails, or says nothing, fails the call: nothing passes unjudged", async () => {
  const failing = { moderate: () => Promise.reject(new Error("no guard")) };
  const silent = { moderate: async () => ({}) as never };
  for (const [guard, message] of [
    [failing, "no guard"],
    [silent, "verdict"],
  ] as const) {
    const middleware = guardMiddleware({ output: guard });
    const { model } = inner("x", "x");
    const doGenerate = () => model.doGenerate({ prompt });
    const whole = middleware.wrapGenerate({ doGenerate, params: { prompt } });
    await expect(whole).rejects.toThrow(message);
    const doStream = () => model.doStream({ prompt });
    const { stream } = await middleware.wrapStream({ doStream, params: { prompt } });
    await expect(stream.getReader().read()).rejects.toThrow(message);
  }
});

test("a reader that leaves ends the answer behind it, and nothing of it is judged", async () => {
  let reason: unknown;
  const stream = new ReadableStream({
    start: (controller) => controller.enqueue({ type: "text-start", id: "0" }), // and nothing more yet
    cancel: (given) => {
      reason = given;
    },
  });
  const guard = flagging("bad");
  const { wrapStream } = guardMiddleware(guard);
  const answer = await wrapStream({ doStream: async () => ({ stream }), params: { prompt } });
  await answer.stream.cancel("enough");
  expect(reason).toBe("enough");
  expect(guard.judged).toHaveLength(1); // the input
});

test("a reader that leaves while the answer is judged ends that, too", async () => {
  const judging = deferred<AbortSignal | undefined>();
  const never = new Promise<never>(() => {});
  const guard = {
    moderate: (_: unknown, options?: { signal?: AbortSignal }) => {
      judging.resolve(options?.signal);
      return never;
    },
  };
  const { model } = inner("All good.");
  const { wrapStream } = guardMiddleware({ output: guard });
  const doStream = () => model.doStream({ prompt });
  const abortSignal = new AbortController().signal;
  const answer = await wrapStream({ doStream, params: { prompt, abortSignal } });
  const signal = await judging.promise;
  expect(signal?.aborted).toBe(false);
  await answer.stream.cancel();
  expect(signal?.aborted).toBe(true);
});

test("what nobody can judge is refused: a picture in the prompt, a file in the answer", async () => {
  const middleware = guardMiddleware(flagging("bad"));
  const picture = { type: "file", mediaType: "image/png", data: "AAAA" };
  const seen = { prompt: [{ role: "user", content: [picture] }] };
  const refused = expect.objectContaining({ code: "ERR_UNSUPPORTED" });
  const doGenerate = async () => ({ content: [picture], usage: {}, warnings: [] });
  await expect(middleware.wrapGenerate({ doGenerate, params: seen })).rejects.toEqual(refused);
  const drawn = middleware.wrapGenerate({ doGenerate, params: { prompt } });
  await expect(drawn).rejects.toEqual(refused);
});

test("it is of both specifications' types, and its options are checked", () => {
  const three: LanguageModelV3Middleware = guardMiddleware(flagging("x"));
  const four: LanguageModelV4Middleware = guardMiddleware(flagging("x"), { specification: "v4" });
  expect([three, four].map((one) => one.specificationVersion)).toEqual(["v3", "v4"]);
  expect(() => guardMiddleware({ input: undefined } as never)).toThrow(/`guard.input`/);
  expect(() => guardMiddleware(flagging("x"), { v: 3 } as never)).toThrow(/specification/);
});

test("nothing else that a provider tells of an answer shows what was blocked", async () => {
  const middleware = guardMiddleware({ output: flagging("bad") });
  const said = "a bad word";
  const response = { id: "1", modelId: "m", headers: { h: "1" }, body: { text: said } };
  const answer = (text: string) => ({
    ...{ content: [{ type: "text", text }], finishReason: { unified: "stop" }, usage: {} },
    ...{ warnings: [], request: { body: "Hi" }, response, raw: text },
    providerMetadata: { other: { text } },
  });
  const result = await middleware.wrapGenerate({
    ...{ doGenerate: async () => answer(said), params: { prompt } },
  });
  expect(result).toMatchObject({
    ...{ content: [], warnings: [], request: { body: "Hi" } },
    response: { id: "1", modelId: "m", headers: { h: "1" } },
  });
  expect(JSON.stringify(result)).not.toContain(said);
  // What is safe passes whole.
  const doGenerate = async () => answer("good");
  expect(await middleware.wrapGenerate({ doGenerate, params: { prompt } })).toMatchObject({
    response,
  });
});

test("a piece of a text that was not begun is judged, too", async () => {
  const middleware = guardMiddleware({ output: flagging("bad") });
  const parts = [
    { type: "stream-start", warnings: [] },
    { type: "text-delta", id: "1", delta: "a bad " },
    { type: "text-delta", id: "1", delta: "word" },
    { type: "finish", finishReason: { unified: "stop" }, usage: {} },
  ];
  const stream = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  const told = await middleware.wrapStream({
    doStream: async () => ({ stream }),
    params: { prompt },
  });
  const shown: { type: string }[] = [];
  for await (const part of told.stream) shown.push(part);
  expect(shown.map(({ type }) => type)).toEqual(["stream-start", "finish"]);
});
