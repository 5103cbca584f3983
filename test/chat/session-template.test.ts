import {
  ChatSession,
  type Context,
  defineTool,
  Model,
  promptToString,
  renderChat,
  Sampler,
} from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { GREEDY, weather } from "../support/session-tools.js";
import { TEMPLATES, template, tokensOf } from "../support/templates.js";

const FRENCH = "What is the capital of France?";
let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 8192 });
});
afterAll(() => model.dispose());

/** The model as if it had a template of others; metadata cannot be overridden with so long a text. */
function dress(dressed: Model, name: string): Model {
  return Object.defineProperty(dressed, "chatTemplate", {
    value: template(name),
    configurable: true,
  });
}

describe("the model's own template", () => {
  const own = { ...GREEDY, format: "template" } as const;

  test("plain chat works, turn by turn", async () => {
    const chat = new ChatSession(context, own);
    const texts: string[] = [];
    for await (const event of chat.send(FRENCH)) if (event.type === "text") texts.push(event.text);
    expect(texts.join("")).toBe("The capital of France is Paris.");
    const { message } = await chat.send("What do llamas eat?").result();
    expect(message.content).toBe("Llamas eat grass, hay and other plants.");
  });

  test("calls are found by llama.cpp's parser and carried out", async () => {
    const chat = new ChatSession(context, { ...own, tools: [weather] });
    const turn = chat.send("What is the weather in Lisbon?");
    const events = [];
    for await (const event of turn) if (event.type !== "tool-call-delta") events.push(event);
    const { message } = await turn.result();
    expect(events.slice(0, 2)).toMatchObject([
      { type: "tool-call", call: { id: "call_0", format: "template", known: true } },
      { type: "tool-result", callId: "call_0", result: { temperature: 21 } },
    ]);
    expect(message.content).toBe("It is 21 degrees and sunny in Lisbon.");
  });

  test("a call that must come comes, behind the prompt's end in llama.cpp's grammar", async () => {
    const chat = new ChatSession(context, { ...own, tools: [weather] });
    const question = chat.send("What is the weather in Lisbon?", { toolChoice: "required" });
    const { messages } = await question.result();
    expect(messages[1]).toMatchObject({ tool_calls: [{ function: { name: "get_weather" } }] });
  });

  test("a call that was cut off is not carried out, and does not spoil the history", async () => {
    const ran: string[] = [];
    const tool = defineTool({
      ...weather.definition.function,
      parameters: { type: "object", properties: { city: { type: "string" } } },
      execute: ({ city }) => ran.push(city ?? ""),
    });
    const broken: string[] = [];
    for (let maxTokens = 2; maxTokens < 24; maxTokens++) {
      const chat = new ChatSession(context, { ...own, tools: [tool], maxToolRounds: 1, maxTokens });
      const turn = chat.send("What is the weather in Lisbon?");
      for await (const event of turn) {
        if (event.type !== "tool-call" || event.call.problem === undefined) continue;
        expect(event.call.function.arguments).toBe("{}");
        broken.push(event.call.source as string);
      }
      await chat.send(FRENCH).result();
    }
    expect(new Set(ran)).toEqual(new Set(["Lisbon"]));
    expect(broken.length).toBeGreaterThan(0);
  });

  test("answers of a typed format go on in a template's", async () => {
    const chat = new ChatSession(context, { ...GREEDY, tools: [weather] });
    await chat.send("What is the weather in Lisbon?").result();
    const { message } = await chat.send(FRENCH, { format: "template", tools: [] }).result();
    expect(message.content).not.toBe("");
  });
});

test("a template that is not Llama 3's is used of itself, turn by turn", async () => {
  const other = dress(await Model.load(MODEL), "Qwen-Qwen2.5-7B-Instruct");
  const own = await other.createContext({ contextSize: 1024 });
  const chat = new ChatSession(own, { ...GREEDY, system: "Be brief.", maxTokens: 20 });
  for (let turn = 0; turn < 3; turn++) {
    const { usage } = await chat.send("What do llamas eat?").result();
    const prompt = renderChat(chat.messages.slice(0, -1), { model: other });
    expect(promptToString(prompt)).toContain("<|im_start|>user\nWhat do llamas eat?<|im_end|>");
    expect(usage.promptTokens).toBe(tokensOf(other, prompt).length);
  }
  await other.dispose();
});

test.each(TEMPLATES)("%s: a turn with tools comes to its end", async (name) => {
  dress(model, name);
  const sampler = new Sampler({ temperature: 1, seed: 1 });
  const own = { sampler, tools: [weather], maxTokens: 8, maxToolRounds: 1 };
  for (const toolChoice of ["auto", "required"] as const) {
    const chat = new ChatSession(context, { ...own, format: "template", toolChoice });
    const { stopReason, messages } = await chat.send("What is the weather in Lisbon?").result();
    expect(stopReason).not.toBe("cancelled");
    expect(messages[1]).toMatchObject({ role: "assistant" });
  }
});

test("a turn that was stopped in a tool is gone on with where roles must alternate", async () => {
  dress(model, "mistralai-Mistral-Nemo-Instruct-2407");
  const text = { content: "What is the weather in Lisbon?" };
  const called = { name: "get_weather", arguments: { city: "Lisbon" } };
  const chat = new ChatSession(context, {
    format: "template",
    maxTokens: 4,
    messages: [
      { role: "user", ...text },
      { role: "assistant", tool_calls: [{ id: "call00000", function: called }] },
      { role: "tool", content: '{"error":"The call was cancelled."}' },
    ],
  });
  const { messages } = await chat.send("What do llamas eat?").result();
  expect(messages).toHaveLength(2);
});
