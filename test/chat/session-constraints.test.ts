import { Ajv2020 } from "ajv/dist/2020.js";
import {
  ChatSession,
  type Context,
  type Grammar,
  Model,
  type ParsedToolCall,
  Sampler,
  type ToolDefinition,
} from "../../lib/index.js";
import { type GrammarTriggers, triggersOf } from "../../lib/sampling/grammar.js";
import { answerGrammar } from "../../lib/tools/answer-grammar.js";
import { MODEL } from "../support/paths.js";
import { GREEDY, weather } from "../support/session-tools.js";

const ajv = new Ajv2020({ strict: false });
let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 2048 });
});
afterAll(() => model.dispose());

function tool(name: string, parameters: object): ToolDefinition {
  return { type: "function", function: { name, parameters } };
}
const TOOLS: readonly ToolDefinition[] = [
  tool("a.b-c_d", {
    type: "object",
    properties: { unit: { enum: ["C", "F"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
    required: ["unit", "days"],
  }),
  tool("tree", {
    type: "object",
    properties: { root: { $ref: "#/$defs/node" } },
    required: ["root"],
    $defs: {
      node: {
        type: "object",
        properties: {
          $ref: { type: "boolean" },
          children: { type: "array", items: { $ref: "#/$defs/node" }, maxItems: 1 },
        },
        required: ["$ref"],
      },
    },
  }),
  tool("text", {
    type: "object",
    properties: {
      word: { type: "string", minLength: 1, maxLength: 8 },
      list: { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 3 },
      more: { anyOf: [{ type: "null" }, { const: "yes" }] },
    },
    required: ["word", "list"],
  }),
];

function expectValid(calls: readonly ParsedToolCall[], tools = TOOLS): void {
  for (const { known, problem, function: called } of calls) {
    expect({ known, problem }).toEqual({ known: true, problem: undefined });
    const { parameters } = tools.find((one) => one.function.name === called.name)?.function ?? {};
    const valid = ajv.validate(parameters as object, JSON.parse(called.arguments));
    expect([called, valid, ajv.errors]).toEqual([called, true, null]);
  }
}

const wild = (seed: number, options = {}) =>
  new Sampler({ temperature: 1.5, topK: 0, topP: 1, minP: 0, seed, ...options });

describe("toolChoice", () => {
  test("none: the model is told of no tools, and calls none", async () => {
    const chat = new ChatSession(context, { ...GREEDY, tools: [weather], maxTokens: 40 });
    const result = await chat
      .send("What is the weather in Lisbon?", { toolChoice: "none" })
      .result();
    expect(result.toolCalls).toEqual([]);
    expect(result.messages).toHaveLength(2);
  });

  test.each(["required", { type: "function", function: { name: "get_weather" } }] as const)(
    "%j: the first answer is a call, the last one need not be",
    async (toolChoice) => {
      const chat = new ChatSession(context, { ...GREEDY, tools: [weather], toolChoice });
      const { messages, stopReason } = await chat.send("What do llamas eat?").result();
      expect(stopReason).toBe("end-of-turn");
      expect(messages[1]).toMatchObject({ tool_calls: [{ function: { name: "get_weather" } }] });
      expect(messages.at(-1)).not.toHaveProperty("tool_calls");
    },
  );

  test("required: whatever the model would say is a call that fits its schema", async () => {
    for (let seed = 1; seed <= 15; seed++) {
      const chat = new ChatSession(context, { ...GREEDY, tools: TOOLS, sampler: wild(seed) });
      const result = await chat.send("x", { toolChoice: "required", maxTokens: 150 }).result();
      if (result.stopReason === "max-tokens") continue;
      expect(result.stopReason).toBe("tool-calls");
      // A second call may be cut off behind the first.
      if (result.usage.completionTokens < 150) expect(result.message.content).toBe("");
      expectValid(result.toolCalls);
    }
  });

  test("a named function: no other is called", async () => {
    let called = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const chat = new ChatSession(context, { ...GREEDY, tools: TOOLS, sampler: wild(seed) });
      const toolChoice = { type: "function", function: { name: "a.b-c_d" } } as const;
      const { toolCalls } = await chat.send("x", { toolChoice, maxTokens: 60 }).result();
      called += toolCalls.length; // none where it was cut off
      expect(toolCalls.every((call) => call.function.name === "a.b-c_d")).toBe(true);
      expectValid(toolCalls);
    }
    expect(called).toBeGreaterThan(4);
  });
});

describe("constrainTools", () => {
  /** The model was trained to give this tool a city: of itself it would never fit this schema. */
  const other = tool("get_weather", TOOLS[0]?.function.parameters as object);
  const ask = (seed: number, constrainTools: boolean) =>
    new ChatSession(context, { ...GREEDY, tools: [other], maxTokens: 60, constrainTools })
      .send("What is the weather in Lisbon?", { sampler: wild(seed, { temperature: 1 }) })
      .result();

  test("a call that the model begins by itself follows its tool's schema", async () => {
    let called = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const { toolCalls } = await ask(seed, true);
      called += toolCalls.length;
      expectValid(toolCalls, [other]);
    }
    expect(called).toBeGreaterThan(15);
  });

  test("false leaves it free", async () => {
    const { toolCalls } = await ask(1, false);
    expect(toolCalls).toMatchObject([{ function: { arguments: expect.stringContaining("city") } }]);
  });

  test.each([
    ['{"name": "tree"', 0],
    ['  {"name" :"a.b-c_d"', 2],
    ['{ "name": "text"', 0],
    ['{\n  "name": "text"', 0],
    ['<|python_tag|>{"name":"tree"', 14],
    ['\n<|python_tag|> {"type": "function", "name": "tree"', 16],
    ['{"type":"function",\n\t"name":"tree"', 0],
    ['{"name": "tree', undefined],
    ['{"name": "trees"', undefined],
    ['{"name": "axb-c_d"', undefined],
    ['{"name": "Tom", "age": 3}', undefined],
    ['{"type": "object"', undefined],
    ['{"type": "object", "name": "tree"', undefined],
    ['{   "name": "tree"', undefined],
    ['Well. {"name": "tree"', undefined],
    ["[get_weather(city='x')]", undefined],
  ])("the opening %j wakes it at %p", async (text, at) => {
    const rules = { tools: TOOLS, choice: "auto", constrainTools: true } as const;
    const free = { parallelToolCalls: true, responseSchema: undefined };
    const grammar = (await answerGrammar({ ...rules, ...free })) as Grammar;
    const { patterns } = triggersOf(grammar) as GrammarTriggers;
    const found = patterns.map((pattern) => new RegExp(pattern).exec(text));
    const match = found.find((one) => one !== null);
    expect(match && match[0].length - (match[1] as string).length).toBe(at);
  });

  test("prose is free", async () => {
    const chat = new ChatSession(context, { ...GREEDY, tools: [weather] });
    const { message } = await chat.send("What do llamas eat?").result();
    expect(message.content).toBe("Llamas eat grass, hay and other plants.");
  });
});

describe("responseSchema", () => {
  const schema = {
    type: "object",
    properties: {
      animal: { enum: ["llama", "alpaca"] },
      legs: { type: "integer", minimum: 2, maximum: 8 },
      parameters: { type: "array", items: { $ref: "#/$defs/short" }, maxItems: 2 },
      note: { $ref: "#/$defs/short" },
    },
    required: ["animal", "legs", "note"],
    $defs: { short: { type: "string", maxLength: 6 } },
  };

  test("the answer parses and is valid", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const chat = new ChatSession(context, { ...GREEDY, sampler: wild(seed), maxTokens: 200 });
      const { message } = await chat.send("x", { responseSchema: schema }).result();
      const value: unknown = JSON.parse(message.content as string);
      expect([value, ajv.validate(schema, value)]).toEqual([value, true]);
    }
  });

  test("beside tools it is this or a call", async () => {
    const kinds = new Set<string>();
    // Of itself the model would call: every second time its answer is made to begin with "animal".
    const [animal] = model.tokenize("animal") as unknown as [number];
    for (let seed = 1; seed <= 6; seed++) {
      const sampler = wild(seed, seed % 2 === 0 ? {} : { logitBias: { [animal]: 50 } });
      const chat = new ChatSession(context, { ...GREEDY, tools: TOOLS, sampler });
      const { message, toolCalls, stopReason } = await chat
        .send("x", { responseSchema: schema, maxTokens: 200 })
        .result();
      if (stopReason === "max-tokens") continue;
      expectValid(toolCalls);
      kinds.add(toolCalls.length > 0 ? "call" : "answer");
      if (toolCalls.length > 0) expect(message.content).toBe("");
      else expect(ajv.validate(schema, JSON.parse(message.content as string))).toBe(true);
    }
    expect([...kinds].sort()).toEqual(["answer", "call"]);
  });
});

test("an answer in the shape of a call is an answer, by its name", async () => {
  const person = {
    type: "object",
    properties: { name: { const: "Tom" }, parameters: { type: "object", properties: {} } },
    required: ["name", "parameters"],
  };
  const [tom] = model.tokenize("Tom") as unknown as [number];
  const sampler = wild(1, { logitBias: { [tom]: 50 } });
  const chat = new ChatSession(context, { ...GREEDY, tools: TOOLS, sampler });
  const result = await chat.send("x", { responseSchema: person, maxTokens: 200 }).result();
  expect(result.stopReason).toBe("end-of-turn");
  expect(result.toolCalls).toEqual([]);
  expect(JSON.parse(result.message.content as string)).toEqual({ name: "Tom", parameters: {} });
});

test("a tool whose schema no grammar can follow is called freely, and checked", async () => {
  const odd = tool("odd", { $ref: "https://example.com/schema" });
  const chat = new ChatSession(context, { ...GREEDY, tools: [odd], sampler: wild(3) });
  const { toolCalls } = await chat.send("x", { toolChoice: "required", maxTokens: 300 }).result();
  for (const { function: called } of toolCalls) {
    expect(JSON.parse(called.arguments)).toBeInstanceOf(Object);
  }
});
