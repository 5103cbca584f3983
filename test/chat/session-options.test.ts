import {
  ChatSession,
  type ChatSessionOptions,
  type ChatTurnOptions,
  defineTool,
  type GenerateOptions,
  Grammar,
  Sampler,
  type SamplerOptions,
} from "../../lib/index.js";
import { scripted } from "../support/scripted-context.js";

const tool = defineTool({ name: "get_weather" });
const { context } = scripted([]);
const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error("get");
    },
    ownKeys: () => {
      throw new Error("ownKeys");
    },
  },
);
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

function refused(message: RegExp, code = "ERR_INVALID_ARGUMENT") {
  return expect.objectContaining({ code, message: expect.stringMatching(message) });
}

const WRONG: [string, unknown, RegExp][] = [
  ["no object", 5, /plain object for `options`/],
  ["a misspelt option", { toolchoice: "auto" }, /did you mean `toolChoice`/],
  ["an option of generations only", { special: true }, /Unknown option "special"/],
  ["tools that are no list", { tools: {} }, /array of tools for `options\.tools`/],
  ["a tool that is none", { tools: [5] }, /`options\.tools\[0\]`/],
  ["a hostile tool", { tools: [hostile] }, /`options\.tools\[0\]`/],
  [
    "a tool without a function",
    { tools: [{ type: "function" }] },
    /`options\.tools\[0\]\.function`/,
  ],
  [
    "a tool with a bad name",
    { tools: [{ type: "function", function: { name: "a b" } }] },
    /`options\.tools\[0\]\.function\.name`/,
  ],
  ["two tools of a name", { tools: [tool, tool] }, /Two tools/],
  ["an unknown choice", { toolChoice: "maybe" }, /one of "auto", "none", "required"/],
  ["a choice without tools", { toolChoice: "required" }, /needs `tools`/],
  [
    "a choice of an unknown tool",
    { tools: [tool], toolChoice: { type: "function", function: { name: "x" } } },
    /one of "get_weather" for `options\.toolChoice\.function\.name`/,
  ],
  ["a number of rounds", { maxToolRounds: -1 }, /`options\.maxToolRounds`/],
  ["no boolean", { constrainTools: 1 }, /`options\.constrainTools`/],
  [
    "a number of calls",
    { parallelToolCalls: 1 },
    /boolean for `options\.parallelToolCalls`, got 1/,
  ],
  ["a schema that is none", { responseSchema: true }, /`options\.responseSchema`/],
  ["a schema with a cycle", { responseSchema: cyclic() }, /`options\.responseSchema`/],
  ["a sampler that is none", { sampler: {} }, /a Sampler/],
  ["a temperature", { temperature: -1 }, /`options\.temperature`/],
  [
    "a grammar that is none",
    { grammar: 'root ::= "x"' },
    /a Grammar, made by .*, for `options\.grammar`/,
  ],
  [
    "a sampler and a setting of one",
    { sampler: Sampler.greedy(), topK: 5 },
    /`options\.topK` cannot be given together with `options\.sampler`/,
  ],
  ["an option of the context", { contextSize: 5 }, /an option of `model\.createContext`/],
  ["a number of tokens", { maxTokens: 1.5 }, /`options\.maxTokens`/],
  ["stop strings that are none", { stop: [5] }, /`options\.stop\[0\]`/],
  ["a signal that is none", { signal: {} }, /AbortSignal for `options\.signal`/],
  ["an unknown format", { format: "chatml" }, /`options\.format`/],
  ["a date that is none", { date: 5 }, /`options\.date`/],
  ["a hostile object", hostile, /`options`/],
  ["a revoked proxy", revoked, /`options`/],
];

function cyclic(): object {
  const schema: { self?: object } = {};
  schema.self = schema;
  return schema;
}

test.each(WRONG)("a session and a turn refuse %s", (_, options, message) => {
  expect(() => new ChatSession(context, options as never)).toThrow(refused(message));
  const chat = new ChatSession(context);
  expect(() => chat.send("x", options as never)).toThrow(refused(message));
  expect(chat.messages).toEqual([]);
});

test.each<[string, unknown, RegExp]>([
  ["a system message that is none", { system: 5 }, /a string for `options\.system`/],
  ["messages that are none", { messages: 5 }, /array of messages for `options\.messages`/],
  ["a message that is none", { system: "x", messages: [5] }, /`options\.messages\[0\]`/],
  ["an unknown role", { messages: [{ role: "x" }] }, /`options\.messages\[0\]\.role`/],
  ["a result without its call", { messages: [{ role: "tool", content: "" }] }, /without its call/],
])("a session refuses %s", (_, options, message) => {
  expect(() => new ChatSession(context, options as never)).toThrow(refused(message));
});

test.each<[string, unknown, RegExp]>([
  ["nothing", undefined, /for `input`/],
  ["a number", 5, /a string, a message or an array of messages for `input`/],
  ["an empty list", [], /at least one message for `input`/],
  ["an unknown role", { role: "x", content: "" }, /`input\[0\]\.role`/],
  ["a hostile message", hostile, /`input/],
  ["a revoked proxy", revoked, /`input/],
])("a turn refuses %s", (_, input, message) => {
  expect(() => new ChatSession(context).send(input as never)).toThrow(refused(message));
});

test.each([
  ["a number", 5],
  ["null", null],
  ["an empty object", {}],
  ["an object whose generate is no function", { generate: 5, model: {} }],
  ["a hostile proxy", hostile],
])("%s is no context", (_, value) => {
  expect(() => new ChatSession(value as never)).toThrow(refused(/a Context for `context`/));
});

test("files are refused by name", () => {
  const input = { role: "user", content: [{ type: "file" }] } as const;
  expect(() => new ChatSession(context).send(input)).toThrow(
    refused(/`input\[0\]\.content\[0\]\.type`/, "ERR_UNSUPPORTED"),
  );
});

test("OpenAI's custom tools are refused by name", () => {
  expect(() => new ChatSession(context, { tools: [{ type: "custom" }] })).toThrow(
    refused(/`options\.tools\[0\]\.type`/, "ERR_UNSUPPORTED"),
  );
});

test("a sampler with a grammar of its own goes with nothing that needs one", () => {
  const sampler = new Sampler({ grammar: Grammar.gbnf('root ::= "x"') });
  const chain = Sampler.chain([
    { type: "grammar", grammar: Grammar.gbnf('root ::= "x"') },
    { type: "greedy" },
  ]);
  const make = (options: ChatSessionOptions) => () => new ChatSession(context, options);
  for (const own of [sampler, chain]) {
    expect(make({ sampler: own, tools: [tool] })).toThrow(refused(/set `constrainTools` to false/));
    const schema = { type: "object" };
    expect(make({ sampler: own, responseSchema: schema })).toThrow(
      refused(/`responseSchema` needs/),
    );
    const forced = { tools: [tool], constrainTools: false, toolChoice: "required" } as const;
    expect(make({ sampler: own, ...forced })).toThrow(refused(/`options\.sampler`/));
    make({ sampler: own })();
    make({ sampler: own, tools: [tool], constrainTools: false })();
    make({ sampler: own, tools: [tool], toolChoice: "none" })();
  }
});

test("a grammar beside what needs one is told by its own name", () => {
  const grammar = Grammar.gbnf('root ::= "x"');
  const message = /^`options\.grammar` is one, and the calls of the `tools` need one/;
  expect(() => new ChatSession(context, { grammar, tools: [tool] })).toThrow(refused(message));
  const session = new ChatSession(context, { tools: [tool] });
  expect(() => session.send("x", { grammar })).toThrow(refused(message));
});

describe("sampling options", () => {
  /** What the generation of a turn is asked for. */
  async function asked(session: ChatSessionOptions, turn: ChatTurnOptions) {
    const { context, asked } = scripted(["yes"]);
    await new ChatSession(context, session).send("x", turn).result();
    return asked[0]?.options as GenerateOptions;
  }
  const stepsOf = (options: SamplerOptions) => new Sampler(options).steps;

  test.each<[string, ChatSessionOptions, ChatTurnOptions, SamplerOptions]>([
    ["the session's", { temperature: 0, topK: 3 }, {}, { temperature: 0, topK: 3 }],
    ["the turn's", {}, { topP: 0.5 }, { topP: 0.5 }],
    ["both, the turn's first", { topK: 3, seed: 1 }, { topK: 4 }, { topK: 4 }],
    [
      "the turn's on the session's sampler",
      { sampler: new Sampler({ topK: 3 }) },
      { minP: 0 },
      { topK: 3, minP: 0 },
    ],
    ["the turn's sampler alone", { topK: 3 }, { sampler: new Sampler({ minP: 0 }) }, { minP: 0 }],
  ])("are %s", async (_, session, turn, options) => {
    const { sampler } = await asked(session, turn);
    expect(sampler?.steps).toEqual(stepsOf(options));
  });

  test("are as they were when the session began", async () => {
    const penalties = { repeat: 1.2 };
    const { context, asked } = scripted(["yes"]);
    const session = new ChatSession(context, { penalties });
    penalties.repeat = 2;
    await session.send("x").result();
    expect(asked[0]?.options.sampler?.steps).toEqual(stepsOf({ penalties: { repeat: 1.2 } }));
  });

  test("leave the sampler to the context where there are none", async () => {
    expect(await asked({}, {})).not.toHaveProperty("sampler");
  });

  test("a stop string may be one", async () => {
    expect((await asked({ stop: "end" }, {})).stop).toEqual(expect.arrayContaining(["end"]));
    expect((await asked({ stop: ["a"] }, { stop: "end" })).stop).not.toContain("a");
  });
});

test.each<[string, object, string]>([
  ["not", { type: "string", not: { format: "date" } }, "#/not/format"],
  ["multipleOf", { anyOf: [{ type: "number", multipleOf: 0.1 }] }, "#/anyOf/0/multipleOf"],
  ["uniqueItems", { type: "array", items: {}, uniqueItems: true }, "#/uniqueItems"],
  [
    "a pattern",
    { type: "object", patternProperties: { "(a)\\1": {} } },
    "#/patternProperties/(a)\\1",
  ],
  ["a backreference", { type: "string", pattern: "(a)\\1" }, "#/pattern"],
  [
    "what is referred to",
    { $ref: "#/$defs/a", $defs: { a: { type: "object", minProperties: 2 } } },
    "#/$defs/a/minProperties",
  ],
  ["a format", { type: "string", format: "idn-email" }, "#/format"],
])("a response schema with %s is refused with its place", (_, responseSchema, path) => {
  expect(() => new ChatSession(context, { responseSchema })).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      details: { name: "options.responseSchema", path },
    }),
  );
});

test.each([
  { type: "strin" },
  { $ref: "https://example.com/x.json" },
  { type: "integer", minimum: 3, maximum: 2 },
])("a response schema that cannot be made a grammar is refused at once: %j", (responseSchema) => {
  const refused = expect.objectContaining({
    code: "ERR_SCHEMA_UNSUPPORTED",
    message: expect.stringMatching(/^`options\.responseSchema`: /),
    details: { name: "options.responseSchema", path: expect.stringMatching(/^#/) },
  });
  expect(() => new ChatSession(context, { responseSchema })).toThrow(refused);
  expect(() => new ChatSession(context).send("x", { responseSchema })).toThrow(refused);
});

test("a turn's own options go before the session's, for that turn", async () => {
  const { context, asked } = scripted(["a", "b", "c"]);
  const chat = new ChatSession(context, { maxTokens: 5, stop: ["x"], date: "today" });
  await chat.send("1", { maxTokens: 7, date: "tomorrow" }).result();
  await chat.send("2", { stop: undefined } as never).result();
  await chat.send("3").result();
  expect(asked.map(({ options: { maxTokens, stop } }) => ({ maxTokens, stop }))).toEqual([
    { maxTokens: 7, stop: ["x"] },
    { maxTokens: 5, stop: ["x"] },
    { maxTokens: 5, stop: ["x"] },
  ]);
  expect(asked[0]?.prompt).toContain("Today Date: tomorrow\n");
  expect(asked[1]?.prompt).toContain("Today Date: today\n");
});

test("lists that claim a length and hold nothing end at their first hole", () => {
  const endless = new Array(2 ** 32 - 1);
  for (const option of ["messages", "stop", "builtinTools", "tools"]) {
    expect(() => new ChatSession(context, { [option]: endless })).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringContaining(`options.${option}[0]`),
      }),
    );
  }
});

test("messages that are given are gone on with", async () => {
  const { context, asked } = scripted(["Ada."]);
  const chat = new ChatSession(context, {
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "I am Ada." },
      { role: "assistant", content: "Hello, Ada." },
    ],
  });
  await chat.send([{ role: "user", content: "Who am I?" }]).result();
  expect(asked[0]?.prompt).toContain("Be brief.<|eot_id|>");
  expect(asked[0]?.prompt).toContain("Hello, Ada.<|eot_id|>");
  expect(chat.messages).toHaveLength(5);
});
