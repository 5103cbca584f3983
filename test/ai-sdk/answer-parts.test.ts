import { createCria, type StreamPart } from "../../lib/ai-sdk/ai-sdk.js";
import { type Context, CriaError, Grammar, Model } from "../../lib/index.js";
import { endTokens, forbidden } from "../support/demo.js";
import { flagging } from "../support/moderators.js";
import { MODEL } from "../support/paths.js";
import { idle } from "../support/remote.js";
import { call, type ScriptedAnswer, scripted } from "../support/scripted-context.js";
import { template } from "../support/templates.js";

let demo: Model;
let context: Context;
beforeAll(async () => {
  demo = await Model.load(MODEL);
  context = await demo.createContext({ contextSize: 4096 });
});
afterAll(() => demo.dispose());

type Options = Parameters<
  ReturnType<ReturnType<typeof createCria>["languageModel"]>["doStream"]
>[0];

const text = (said: string) => ({ type: "text", text: said });
const user = (...said: string[]) => ({ role: "user", content: said.map(text) });
const prompt = [user("Hi")];
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { type: "function", name: "get_weather", inputSchema: city } as const;
const code = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

function played(...answers: (string | ScriptedAnswer)[]) {
  const script = scripted(answers);
  return { script, model: createCria(script.context).languageModel() };
}

async function partsOf(stream: ReadableStream<StreamPart>): Promise<StreamPart[]> {
  const parts: StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** Every part is begun before and ended behind its pieces, none is empty, and the last is the end. */
function checkOrder(parts: readonly StreamPart[]): void {
  const open = new Map<string, number>();
  for (const part of parts) {
    const [, kind, step] = /^(text|reasoning|tool-input)-(start|delta|end)$/.exec(part.type) ?? [];
    if (kind === undefined) continue;
    const { id, delta = "" } = part as { id: string; delta?: string };
    if (step === "start") expect(open.has(id)).toBe(false);
    else expect(open.has(id)).toBe(true);
    if (step === "start") open.set(id, 0);
    if (step === "delta") {
      expect(delta).not.toBe("");
      open.set(id, (open.get(id) as number) + delta.length);
    }
    if (step === "end" && kind !== "tool-input") expect(open.get(id)).toBeGreaterThan(0);
    if (step === "end") open.delete(id);
  }
  expect([...open]).toEqual([]);
  expect(parts[0]?.type).toBe("stream-start");
  expect(parts.at(-1)?.type).toBe("finish");
}

const QWEN3 = template("Qwen-Qwen3-0.6B");
const THOUGHT = "<think>\nPeru, hm.\n</think>\n\n";
const CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lima"}}\n</tool_call>';

/** The demo model with another's template, which can say nothing but this. */
function saying(answer: string, more: object = {}): Options {
  const grammar = `root ::= ${JSON.stringify(answer)}`;
  const own = { grammar, chatTemplate: QWEN3, constrainTools: false, ...more };
  return { prompt, temperature: 0, providerOptions: { cria: own } };
}

describe("an answer of a model that thinks", () => {
  test("has thoughts, text and a call, streamed in their order", async () => {
    const model = createCria(context).languageModel();
    const options = { ...saying(`${THOUGHT}Let me see.\n${CALL}`), tools: [weather] };
    const parts = await partsOf((await model.doStream(options)).stream);
    checkOrder(parts);
    const kinds = parts.map(({ type }) => type).filter((type) => !type.endsWith("-delta"));
    expect(kinds).toEqual([
      ...["stream-start", "response-metadata", "reasoning-start", "reasoning-end"],
      ...["text-start", "text-end", "tool-input-start", "tool-input-end", "tool-call", "finish"],
    ]);
    const inputs = parts.flatMap((part) => (part.type === "tool-input-delta" ? [part.delta] : []));
    expect(inputs.length).toBeGreaterThan(1);
    const called = parts.find(({ type }) => type === "tool-call");
    expect(called).toEqual({
      ...{ type: "tool-call", toolCallId: "call_0", toolName: "get_weather" },
      input: inputs.join(""),
    });
    expect(JSON.parse(inputs.join(""))).toEqual({ city: "Lima" });

    const whole = await model.doGenerate(options);
    const { content, finishReason, usage } = whole;
    expect(content.map(({ type }) => type)).toEqual(["reasoning", "text", "tool-call"]);
    expect(content[2]).toEqual(called);
    expect(finishReason).toEqual({ unified: "tool-calls", raw: "tool-calls" });
    expect(usage.outputTokens.reasoning).toBeGreaterThan(1);
    const { total, text: spoken, reasoning } = usage.outputTokens;
    expect((spoken ?? 0) + (reasoning ?? 0)).toBe(total);
  });

  test("has no parts of white space alone", async () => {
    const model = createCria(context).languageModel();
    const options = { ...saying(`${THOUGHT}\n\n${CALL}`), tools: [weather] };
    const { content } = await model.doGenerate(options);
    expect(content.map(({ type }) => type)).toEqual(["reasoning", "tool-call"]);
    checkOrder(await partsOf((await model.doStream(options)).stream));
  });

  test("thinks as hard as specification 4 asks, as far as cria knows such an effort", async () => {
    const model = createCria(context, { specification: "v4" }).languageModel();
    const off = await model.doGenerate({
      ...{ prompt, temperature: 0, reasoning: "none" },
      providerOptions: { cria: { chatTemplate: QWEN3, grammar: 'root ::= "Lima."' } },
    });
    expect(off.content).toEqual([{ type: "text", text: "Lima." }]);
    expect(off.warnings).toEqual([]);
    const { warnings } = await model.doGenerate({ ...saying(THOUGHT), reasoning: "xhigh" });
    expect(warnings).toMatchObject([{ type: "compatibility", feature: "reasoning" }]);
    await expect(model.doGenerate({ ...saying("x"), reasoning: "a lot" })).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /`reasoning`.*"a lot"/),
    );
  });
});

test.each([
  ["end-of-text", "stop"],
  ["stop-string", "stop"],
  ["max-tokens", "length"],
  ["context-full", "length"],
] as const)("the stop reason %s is told as %s, and as it is", async (stopReason, unified) => {
  const { model } = played({ pieces: ["Hi."], stopReason });
  const { finishReason, providerMetadata } = await model.doGenerate({ prompt });
  expect(finishReason).toEqual({ unified, raw: stopReason });
  expect(providerMetadata).toEqual({ cria: { stopReason } });
});

test("what a guard forbids ends the answer as content-filter, with the verdict", async () => {
  const { context: guarded } = scripted(["All good. A bad word."]);
  const model = createCria(guarded, { guard: flagging("bad") }).languageModel();
  const { content, finishReason, providerMetadata } = await model.doGenerate({ prompt });
  expect(finishReason).toEqual({ unified: "content-filter", raw: "moderated" });
  expect(JSON.stringify(content)).not.toContain("bad");
  expect(providerMetadata?.cria.moderation).toMatchObject({ safe: false, judged: "assistant" });
});

test("a call that cannot be read is given as such: its input is no JSON", async () => {
  const broken = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Li';
  const model = createCria(context).languageModel();
  const options = { ...saying(broken), tools: [weather], maxOutputTokens: 200 };
  const { content } = await model.doGenerate(options);
  const called = content.find(({ type }) => type === "tool-call");
  expect(called).toMatchObject({ toolName: "get_weather" });
  expect(() => JSON.parse((called as { input: string }).input)).toThrow();
  checkOrder(await partsOf((await model.doStream(options)).stream));
});

describe("the prompt", () => {
  test("is told as it is: thoughts, calls and all kinds of results", async () => {
    const { script, model } = played("Done.");
    const called = (id: string, input: unknown) =>
      ({ type: "tool-call", toolCallId: id, toolName: "get_weather", input }) as const;
    const result = (id: string, output: object) => ({
      ...{ type: "tool-result", toolCallId: id, toolName: "get_weather", output },
    });
    const outputs = [
      [{ type: "text", value: "clear" }, "clear"],
      [{ type: "json", value: { sky: "clear" } }, '{"sky": "clear"}'],
      [{ type: "json", value: null }, "null"],
      [{ type: "error-text", value: "No signal" }, '{"error": "No signal"}'],
      [{ type: "error-json", value: { code: 7 } }, '{"error": {"code": 7}}'],
      [{ type: "execution-denied", reason: "Not today" }, '{"error": "Not today"}'],
      [{ type: "content", value: [text("one"), text("two")] }, '"one\\ntwo"'],
    ] as const;
    const ids = outputs.map((_, index) => `id${index}`);
    await model.doGenerate({
      prompt: [
        { role: "system", content: "Be brief." },
        user("How is", "the weather?"),
        {
          role: "assistant",
          content: [text("Let me see."), ...ids.map((id) => called(id, { city: id }))],
        },
        {
          role: "tool",
          content: ids.map((id, index) => result(id, outputs[index]?.[0] as object)),
        },
      ],
      tools: [weather],
    });
    const [{ prompt: told } = { prompt: "" }] = script.asked;
    expect(told).toContain("How is\nthe weather?");
    expect(told).toContain("Let me see.");
    for (const [, said] of outputs) expect(told).toContain(said);
  });

  // AI SDK 7 knows no more of bytes that it cannot tell.
  test.each(["image", "image/*", "image/png"])(
    "with a file of %s are given its bytes",
    async (mediaType) => {
      const { script, model } = played("x");
      const part = { type: "file", mediaType, data: Uint8Array.of(1, 2) } as const;
      await model.doGenerate({ prompt: [{ role: "user", content: [part] }] });
      expect(script.asked[0]?.segments).toContainEqual({ image: Uint8Array.of(1, 2) });
    },
  );

  test.each([
    ["a PDF", { type: "file", mediaType: "application/pdf", data: new Uint8Array(4) }, /pdf/],
    [
      "a picture's address",
      { type: "file", mediaType: "image/*", data: new URL("https://x.y/z") },
      /fetches nothing/,
    ],
    [
      "a film",
      { type: "file", mediaType: "video/mp4", data: { type: "data", data: "AAAA" } },
      /video/,
    ],
    ["a part of its own", { type: "custom", kind: "a.b" }, /"custom"/],
  ])("with %s is refused with a code and its place", async (_, part, message) => {
    const { model } = played("x");
    const refused = expect.objectContaining({
      ...{ code: "ERR_UNSUPPORTED", message: expect.stringMatching(message) },
      details: { name: "prompt[0].content[1]" },
    });
    const call = { prompt: [{ role: "user", content: [text("Look:"), part] }] };
    await expect(model.doGenerate(call)).rejects.toEqual(refused);
    await expect(model.doStream(call)).rejects.toEqual(refused);
    // So that the SDK does not download it before.
    expect(Object.values(model.supportedUrls)[0]?.[0]?.test("https://x.y/z")).toBe(true);
  });

  test("may have a text as a file of specification 4", async () => {
    const { script, model } = played("x");
    const file = { type: "file", mediaType: "text/plain", data: { type: "text", text: "Inline." } };
    await model.doGenerate({ prompt: [{ role: "user", content: [file] }] });
    expect(script.asked[0]?.prompt).toContain("Inline.");
  });
});

describe("settings", () => {
  test("reach the sampler, the standard ones and cria's own", async () => {
    const { asked, context: one } = scripted(["x"]);
    const model = createCria(one, { minP: 0.2, temperature: 0.9 }).languageModel();
    await model.doGenerate({
      ...{ prompt, temperature: 0.5, topK: 7, topP: 0.8, seed: -1, maxOutputTokens: 9 },
      ...{ presencePenalty: 0.5, frequencyPenalty: 0.25, stopSequences: ["END", ""] },
      providerOptions: { cria: { xtc: { probability: 0.1 }, penalties: { repeat: 1.1 } } },
    });
    const { options } = asked[0] as (typeof asked)[number];
    expect(options).toMatchObject({ maxTokens: 9, stop: ["END"] });
    expect(options.sampler?.seed).toBe(2 ** 32 - 2);
    const steps = Object.fromEntries(
      (options.sampler?.steps ?? []).map((step) => [step.type, step]),
    );
    expect(steps).toMatchObject({
      "top-k": { value: 7 },
      "top-p": { value: 0.8 },
      "min-p": { value: 0.2 },
      penalties: { repeat: 1.1, frequency: 0.25, presence: 0.5 },
      xtc: { probability: 0.1 },
    });
  });

  test("that cannot be honoured are warned of", async () => {
    const { model } = played("x");
    const tools = [
      { ...weather, inputExamples: [{ input: { city: "Lima" } }] },
      { type: "provider", id: "openai.web_search", name: "web_search", args: {} },
    ] as const;
    const { warnings } = await model.doGenerate({ prompt, tools });
    expect(warnings).toMatchObject([
      { type: "unsupported", feature: "inputExamples of get_weather" },
      { type: "unsupported", feature: "provider tool openai.web_search" },
    ]);
  });

  test.each<[string, Partial<Options>, RegExp]>([
    ["another name", { providerOptions: { cria: { minp: 1 } } }, /did you mean `minP`/],
    [
      "the SDK's own name",
      { providerOptions: { cria: { stopSequences: ["x"] } } },
      /stopSequences/,
    ],
    [
      "a limit that is given twice",
      { maxOutputTokens: 1, providerOptions: { cria: { maxTokens: 2 } } },
      /twice/,
    ],
    ["one that is given twice", { topK: 1, providerOptions: { cria: { topK: 2 } } }, /twice/],
    ["a wrong value", { temperature: -1 }, /temperature/],
    ["half a seed", { seed: 0.5 }, /integer.*`seed`/],
    ["no schema", { responseFormat: { type: "json", schema: 5 } }, /responseFormat\.schema/],
  ])("%s is refused", async (_, options, message) => {
    const { model } = played("x");
    const refused = code("ERR_INVALID_ARGUMENT", message);
    await expect(model.doGenerate({ prompt, ...options })).rejects.toEqual(refused);
  });

  test("a limit for all calls, which a call's own goes before", async () => {
    const script = scripted(["x", "x"]);
    const model = createCria(script.context, { maxTokens: 7 }).languageModel();
    await model.doGenerate({ prompt });
    await model.doGenerate({ prompt, maxOutputTokens: 3 });
    expect(script.asked.map(({ options }) => options.maxTokens)).toEqual([7, 3]);
  });

  test("JSON without a schema is an object", async () => {
    const { asked, context: one } = scripted(["{}"]);
    const model = createCria(one).languageModel();
    await model.doGenerate({ prompt, responseFormat: { type: "json" } });
    expect(asked[0]?.options.sampler?.steps.map(({ type }) => type)).toContain("grammar");
  });

  test("wrong defaults and contexts are told when the model is made", () => {
    const one = scripted([]).context;
    expect(() => createCria({} as never)).toThrow(/at least one Context/);
    expect(() => createCria({ a: 5 } as never)).toThrow(/`contexts.a`/);
    expect(() => createCria(one, { specification: "v2" as never })).toThrow(/"v3", "v4"/);
    expect(() => createCria(one, { maxOutputTokens: 5 } as never)).toThrow(/maxOutputTokens/);
    expect(() => createCria(one, { temperature: -1 }).languageModel()).toThrow(/temperature/);
    expect(() => createCria({ a: one, b: one }).languageModel()).toThrow(/say which/);
    expect(() => createCria({ a: one }).languageModel("b")).toThrow(/no context "b".*"a"/);
    expect(() => createCria(one).textEmbeddingModel()).toThrow(/embeddings: true/);
  });
});

describe("a stream", () => {
  test("tells a failure in its midst as a part, and ends", async () => {
    const error = new CriaError("ERR_DECODE_FAILED", "It broke");
    const { model } = played({ pieces: ["Once"], error });
    const parts = await partsOf((await model.doStream({ prompt })).stream);
    checkOrder(parts);
    expect(parts.slice(-2)).toMatchObject([
      { type: "error", error },
      { type: "finish", finishReason: { unified: "error" } },
    ]);
    const { model: again } = played({ pieces: ["Once"], error });
    await expect(again.doGenerate({ prompt })).rejects.toBe(error);
  });

  test("that nobody reads any more frees its place", async () => {
    const model = createCria(context, { logitBias: forbidden(endTokens(demo)) }).languageModel();
    const reader = (await model.doStream({ prompt })).stream.getReader();
    for (let i = 0; i < 4; i++) await reader.read();
    await reader.cancel();
    await idle(context);
  });

  test("is ended by an abort with the signal's reason, also while it waits", async () => {
    const never = new Promise(() => {});
    const { model, script } = played({ pieces: ["Once", never] }, { pieces: [never] });
    const controller = new AbortController();
    const abortSignal = controller.signal;
    const { stream } = await model.doStream({ prompt, abortSignal });
    const reading = partsOf(stream);
    const waiting = model.doGenerate({ prompt, abortSignal });
    while (script.running < 2) await new Promise(setImmediate);
    controller.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    await expect(waiting).rejects.toThrow("enough");
    while (script.running > 0) await new Promise(setImmediate);
  });
});

test("a grammar may be given as one, too", async () => {
  const model = createCria(context, { grammar: Grammar.gbnf('root ::= "yes"') }).languageModel();
  const { content } = await model.doGenerate({ prompt, temperature: 0 });
  expect(content).toEqual([{ type: "text", text: "yes" }]);
});

test("calls in one answer have ids of their own", async () => {
  const two = `${call("get_weather", { city: "a" })}; ${call("get_weather", { city: "b" })}`;
  const { model } = played(two);
  const { content } = await model.doGenerate({ prompt, tools: [weather] });
  expect(content).toMatchObject([{ toolCallId: "call_0" }, { toolCallId: "call_1" }]);
});
