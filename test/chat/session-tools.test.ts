import {
  type ChatEvent,
  ChatSession,
  type ChatSessionOptions,
  defineTool,
  type Tool,
} from "../../lib/index.js";
import { call, scripted } from "../support/scripted-context.js";

const city = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
} as const;
const weather = defineTool({
  name: "get_weather",
  parameters: city,
  execute: ({ city }) => ({ city, sky: "clear" }),
});
const open = defineTool({ name: "ask_person", parameters: city });

function session(answers: Parameters<typeof scripted>[0], options: ChatSessionOptions = {}) {
  const script = scripted(answers);
  const chat = new ChatSession(script.context, { constrainTools: false, ...options });
  return { chat, script };
}

async function events(turn: AsyncIterable<ChatEvent>): Promise<ChatEvent[]> {
  const told: ChatEvent[] = [];
  for await (const event of turn) told.push(event);
  return told;
}

/** What the model was told of the call of a tool that does this. */
async function told(execute: Tool["execute"], parameters: unknown = { city: "Lima" }) {
  const tool = defineTool({ name: "get_weather", parameters: city, execute: execute as never });
  const { chat, script } = session([call("get_weather", parameters), "Done."], { tools: [tool] });
  const all = await events(chat.send("x"));
  const { content } = chat.messages.find(({ role }) => role === "tool") as { content: string };
  expect(all.at(-1)).toMatchObject({ type: "finish", result: { message: { content: "Done." } } });
  expect(script.asked).toHaveLength(2);
  const result = all.find((event) => event.type === "tool-result");
  return { content, result };
}

test("a tool is called, its result goes to the model, which answers with it", async () => {
  const { chat, script } = session([call("get_weather", { city: "Lima" }), "It is clear."], {
    system: "Be brief.",
    tools: [weather],
    date: "today",
  });
  const turn = chat.send("How is the weather in Lima?");
  const all = await events(turn);
  const result = await turn.result();
  const made = {
    id: "call_0",
    type: "function",
    function: { name: "get_weather", arguments: '{"city":"Lima"}' },
  };
  const content = '{"city":"Lima","sky":"clear"}';
  expect(all).toEqual([
    { type: "tool-call", call: { ...made, format: "json", known: true } },
    {
      type: "tool-result",
      callId: "call_0",
      name: "get_weather",
      result: { city: "Lima", sky: "clear" },
    },
    { type: "text", text: "It is clear." },
    { type: "finish", result },
  ]);
  const added = [
    { role: "user", content: "How is the weather in Lima?" },
    { role: "assistant", content: "", tool_calls: [made] },
    { role: "tool", content, tool_call_id: "call_0", name: "get_weather" },
    { role: "assistant", content: "It is clear." },
  ];
  expect(result).toEqual({
    message: added[3],
    messages: added,
    toolCalls: [],
    stopReason: "end-of-turn",
    usage: { promptTokens: 20, cachedTokens: 8, completionTokens: 6, reasoningTokens: 0 },
  });
  expect(chat.messages).toEqual([{ role: "system", content: "Be brief." }, ...added]);
  const [first, second] = script.asked.map(({ prompt }) => prompt) as [string, string];
  expect(first).toContain('"name": "get_weather"');
  expect(second.startsWith(first)).toBe(true);
  expect(second.slice(first.length)).toBe(
    `${call("get_weather", { city: "Lima" })}<|eot_id|>` +
      "<|start_header_id|>ipython<|end_header_id|>\n\n" +
      '{"city": "Lima", "sky": "clear"}<|eot_id|>' +
      "<|start_header_id|>assistant<|end_header_id|>\n\n",
  );
});

test("several calls are carried out side by side, and answered in their order", async () => {
  const started: string[] = [];
  let release = () => {};
  const both = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = defineTool({
    name: "slow",
    parameters: city,
    execute: async ({ city }, { callId, signal }) => {
      expect(signal?.aborted).toBe(false);
      started.push(`${city} ${callId}`);
      if (started.length === 2) release();
      await both;
      if (city === "Lima") await new Promise((resolve) => setTimeout(resolve, 20));
      return city;
    },
  });
  const calls = `${call("slow", { city: "Lima" })}; ${call("slow", { city: "Cusco" })}`;
  const { chat } = session([calls, "Both."], { tools: [slow] });
  const all = await events(chat.send("x"));
  expect(started).toEqual(["Lima call_0", "Cusco call_1"]);
  expect(all.filter(({ type }) => type === "tool-result")).toMatchObject([
    { callId: "call_1", result: "Cusco" },
    { callId: "call_0", result: "Lima" },
  ]);
  expect(chat.messages.filter(({ role }) => role === "tool")).toMatchObject([
    { tool_call_id: "call_0", content: "Lima" },
    { tool_call_id: "call_1", content: "Cusco" },
  ]);
});

test("a dozen calls at once bring no warning of too many listeners", async () => {
  const warned: Error[] = [];
  const onWarning = (warning: Error) => warned.push(warning);
  process.on("warning", onWarning);
  const calls = Array.from({ length: 12 }, () => call("get_weather", { city: "Lima" }));
  const { chat } = session([calls.join("; "), "x"], { tools: [weather] });
  const controller = new AbortController();
  const turns = [chat.send("x", { signal: controller.signal })];
  for (let i = 0; i < 12; i++) turns.push(chat.send("x", { signal: controller.signal }));
  await turns[0]?.result();
  controller.abort();
  await Promise.allSettled(turns.map((turn) => turn.result()));
  await new Promise(setImmediate);
  process.off("warning", onWarning);
  expect(warned).toEqual([]);
});

describe("the model is told", () => {
  test("of a tool that does not exist, and of those that do", async () => {
    const { chat } = session([call("get_time", {}), "Sorry."], { tools: [weather, open] });
    const result = await chat.send("x").result();
    expect(result.stopReason).toBe("end-of-turn");
    expect(result.messages[2]).toMatchObject({
      role: "tool",
      content: expect.stringMatching(/no tool .*get_time.*get_weather, ask_person/),
    });
  });

  test.each([
    [{}, /city/],
    [{ city: 5 }, /city.*string/],
  ])("that the arguments %j do not fit", async (parameters, message) => {
    let ran = false;
    const { content, result } = await told(() => {
      ran = true;
    }, parameters);
    expect(content).toMatch(message);
    expect(result).toMatchObject({ error: expect.stringMatching(message), result: undefined });
    expect(ran).toBe(false);
  });

  test.each<[string, unknown, string]>([
    ["an error", new Error("No signal"), "No signal"],
    ["a text", "No signal", "No signal"],
    ["nothing", undefined, "undefined"],
    ["an error without a message", new Error(""), "The tool failed."],
    ["an object without a prototype", Object.create(null), "The tool failed."],
    [
      "an error that cannot be read",
      Object.defineProperty(new Error("x"), "message", {
        get: () => {
          throw new Error("hostile");
        },
      }),
      "The tool failed.",
    ],
  ])("of a tool that throws or rejects with %s", async (_, thrown, message) => {
    const throwing = await told(() => {
      throw thrown;
    });
    const rejecting = await told(() => Promise.reject(thrown));
    for (const { content, result } of [throwing, rejecting]) {
      expect(JSON.parse(content)).toEqual({ error: message });
      expect(result).toMatchObject({ error: message });
    }
  });

  test.each<[string, unknown, unknown, RegExp]>([
    ["nothing", undefined, undefined, /^null$/],
    ["null", null, undefined, /^null$/],
    ["a text", "x", undefined, /^x$/],
    ["a number", 5, undefined, /^5$/],
    ["a function", () => 5, undefined, /^null$/],
    ["a symbol", Symbol("x"), undefined, /^null$/],
    ["a list", [1, { a: 2 }], undefined, /^\[1,\{"a":2\}\]$/],
    ["a BigInt", 5n, expect.stringMatching(/BigInt/), /error.*BigInt/],
  ])("of %s as a result", async (_, value, error, content) => {
    const got = await told(() => value);
    expect(got.content).toMatch(content);
    expect((got.result as { error?: string }).error).toEqual(error);
  });

  test("of a result that contains itself", async () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    expect((await told(() => circular)).content).toMatch(/error.*circular/i);
  });
});

test("the rounds of a turn are bounded, and the last calls left to the caller", async () => {
  let ran = 0;
  const tool = defineTool({ name: "again", execute: () => ++ran });
  const { chat, script } = session(Array(9).fill(call("again", {})), {
    tools: [tool],
    maxToolRounds: 3,
  });
  const result = await chat.send("x").result();
  expect(result.stopReason).toBe("tool-calls");
  expect(result.toolCalls).toMatchObject([{ id: "call_3", function: { name: "again" } }]);
  expect([ran, script.asked.length]).toEqual([3, 4]);
  const none = await chat.send("x", { maxToolRounds: 0 }).result();
  expect([ran, none.stopReason]).toEqual([3, "tool-calls"]);
});

describe("tools without an implementation", () => {
  test("end the turn, and results that are sent go on with it", async () => {
    const { chat, script } = session([call("ask_person", { city: "Lima" }), "Thanks."], {
      tools: [open],
    });
    const first = await chat.send("x").result();
    expect(first.stopReason).toBe("tool-calls");
    expect(first.toolCalls).toMatchObject([{ id: "call_0", function: { name: "ask_person" } }]);
    const id = first.toolCalls[0]?.id as string;
    const second = await chat
      .send([{ role: "tool", tool_call_id: id, content: { answer: 42 } }])
      .result();
    expect(second.message.content).toBe("Thanks.");
    expect(second.messages).toEqual([
      { role: "tool", tool_call_id: id, name: "ask_person", content: '{"answer":42}' },
      { role: "assistant", content: "Thanks." },
    ]);
    expect(script.asked[1]?.prompt).toContain(
      '<|start_header_id|>ipython<|end_header_id|>\n\n{"answer": 42}<|eot_id|>',
    );
  });

  test("may be bare definitions, beside others that are carried out", async () => {
    const calls = `${call("ask_person", { city: "Lima" })}; ${call("get_weather", { city: "Lima" })}`;
    const { chat } = session([calls, "Thanks."], { tools: [open.definition, weather] });
    const first = await chat.send("x").result();
    expect(first.stopReason).toBe("tool-calls");
    expect(first.toolCalls).toMatchObject([{ id: "call_0", function: { name: "ask_person" } }]);
    expect(first.messages.at(-1)).toMatchObject({ role: "tool", tool_call_id: "call_1" });
    const second = await chat.send({ role: "tool", content: "Yes" }).result();
    expect(second.messages).toEqual([
      { role: "tool", tool_call_id: "call_0", name: "ask_person", content: "Yes" },
      { role: "assistant", content: "Thanks." },
    ]);
    expect(chat.messages.slice(2, 4)).toMatchObject([
      { role: "tool", content: "Yes" },
      { role: "tool", name: "get_weather" },
    ]);
  });

  test("a model's own tools are the caller's", async () => {
    const { chat } = session(['<|python_tag|>brave_search.call(query="llamas")', "Found."], {
      builtinTools: ["brave_search"],
    });
    const first = await chat.send("x").result();
    expect(first.stopReason).toBe("tool-calls");
    expect(first.toolCalls).toMatchObject([{ function: { arguments: '{"query":"llamas"}' } }]);
    expect((await chat.send({ role: "tool", content: "x" }).result()).stopReason).toBe(
      "end-of-turn",
    );
  });

  test("a result without its call is refused, and nothing is changed", async () => {
    const { chat, script } = session(["x"]);
    await expect(chat.send([{ role: "tool", content: "x" }]).result()).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("`input[0]`"),
    });
    expect(chat.messages).toEqual([]);
    expect(script.asked).toEqual([]);
    expect((await chat.send("Hi").result()).message.content).toBe("x");
  });
});

test("a call that was cut off is text, and never carried out", async () => {
  const whole = call("get_weather", { city: "Lima" });
  const { chat } = session([{ pieces: [whole.slice(0, -1)], stopReason: "max-tokens" }], {
    tools: [weather],
  });
  const result = await chat.send("x").result();
  expect(result).toMatchObject({
    stopReason: "max-tokens",
    toolCalls: [],
    message: { content: whole.slice(0, -1) },
  });
});

test("text beside a call is told before it and kept with it", async () => {
  const { chat } = session([`Let me see. ${call("get_weather", { city: "Lima" })}`, "Clear."], {
    tools: [weather],
  });
  const all = await events(chat.send("x"));
  expect(all.slice(0, 2)).toMatchObject([{ type: "text" }, { type: "tool-call" }]);
  expect(chat.messages[1]).toMatchObject({
    content: "Let me see.",
    tool_calls: [{ id: "call_0" }],
  });
});

test("ids of calls go on from turn to turn, and tools may change with it", async () => {
  const { chat } = session(
    [call("get_weather", { city: "a" }), "x", call("get_weather", { city: "b" }), "y", "z"],
    { tools: [weather] },
  );
  await chat.send("1").result();
  const second = await chat.send("2").result();
  expect(second.messages[2]).toMatchObject({ tool_call_id: "call_1" });
  const third = await chat.send("3", { tools: [] }).result();
  expect(third.message).toEqual({ role: "assistant", content: "z" });
});
