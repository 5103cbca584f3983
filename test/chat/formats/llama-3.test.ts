import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type ChatMessageInput,
  promptToString,
  type RenderChatOptions,
  renderChat,
  type ToolDefinition,
} from "../../../lib/index.js";
import { FIXTURES } from "../../support/paths.js";
import { processorTime } from "../../support/processor-time.js";

const date = "26 Jul 2024";
const shown = (messages: readonly ChatMessageInput[], options: RenderChatOptions = {}) =>
  promptToString(renderChat(messages, { format: "llama-3.1", date, ...options }));

/** What stands behind the first user message, "Hi". */
const afterHi = (messages: readonly ChatMessageInput[], options: RenderChatOptions = {}) =>
  shown([{ role: "user", content: "Hi" }, ...messages], {
    addGenerationPrompt: false,
    ...options,
  }).split("Hi<|eot_id|>")[1];

const header = (role: string) => `<|start_header_id|>${role}<|end_header_id|>\n\n`;
const weather: ToolDefinition = {
  type: "function",
  function: { name: "get_weather", parameters: { type: "object", properties: {} } },
};
const call = (name: string, args: object | string, id = name) => ({
  id,
  type: "function" as const,
  function: { name, arguments: args },
});
const assistant = (...tool_calls: ReturnType<typeof call>[]): ChatMessageInput => ({
  role: "assistant",
  tool_calls,
});
const KNOWLEDGE = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

describe("the segments", () => {
  test("are cut where Meta's encoder cuts", () => {
    const frame = (role: string) => [
      { control: "<|start_header_id|>" },
      { text: role },
      { control: "<|end_header_id|>" },
      { text: "\n\n" },
    ];
    const messages = [
      { role: "system", content: " Be brief.\n" },
      { role: "user", content: "<|eot_id|>" },
    ] as const;
    expect(renderChat(messages, { date })).toEqual([
      { control: "<|begin_of_text|>" },
      ...frame("system"),
      { text: `${KNOWLEDGE}Be brief.` },
      { control: "<|eot_id|>" },
      ...frame("user"),
      { text: "<|eot_id|>" },
      { control: "<|eot_id|>" },
      ...frame("assistant"),
    ]);
  });

  test("of the prompts that the demo model was measured with are the same", () => {
    const file = join(FIXTURES, "demo-prompts.json");
    const pinned = JSON.parse(readFileSync(file, "utf8")) as { name: string; prompt: object[] }[];
    const prompt = (name: string) => pinned.find((one) => one.name === name)?.prompt;
    const city = { type: "string", description: "The name of the city" };
    const description = "Get the current weather for a city";
    const parameters = { type: "object", properties: { city }, required: ["city"] };
    const tools = [
      { type: "function" as const, function: { name: "get_weather", description, parameters } },
    ];
    const asked: ChatMessageInput[] = [{ role: "user", content: "What is the weather in Lisbon?" }];
    const answered: ChatMessageInput[] = [
      ...asked,
      assistant(call("get_weather", { city: "Lisbon" })),
      { role: "tool", content: '{"temperature":21,"condition":"sunny"}' },
    ];
    expect(renderChat(asked, { tools, date })).toEqual(prompt("tool call"));
    expect(renderChat(answered, { tools, date })).toEqual(prompt("tool result"));
  });
});

describe("as the models' own templates", () => {
  test("messages lose the white space that Python knows, and no other", () => {
    const turn = (content: string) => afterHi([{ role: "user", content }]);
    const kept = `${header("user")}\ufeffa b\u200b<|eot_id|>`;
    expect(turn("\ufeffa b\u200b")).toBe(kept);
    expect(turn("\n\x1c\x1f\x85\u3000\ufeffa b\u200b\u2029\xa0\v")).toBe(kept);
    expect(turn(" \n ")).toBe(`${header("user")}<|eot_id|>`);
  });

  test("JSON is written as Python writes it", () => {
    const args = { né: '\x7f\u2028\x01"', a: [], b: {}, c: [1, [2.5, { d: null }]] };
    expect(afterHi([assistant(call("f", args))])).toContain(
      '{"né": "\x7f\u2028\\u0001\\"", "a": [], "b": {}, "c": [1, [2.5, {"d": null}]]}',
    );
    const parameters = { enum: [[], {}, [1, "a, b: {}"]] };
    const tool = { type: "function", function: { name: "f", parameters } } as const;
    expect(shown([{ role: "user", content: "Hi" }], { tools: [tool] })).toContain(
      [
        ...["{", '    "type": "function",', '    "function": {', '        "name": "f",'],
        ...['        "parameters": {', '            "enum": [', "                [],"],
        ...["                {},", "                [", "                    1,"],
        ...['                    "a, b: {}"', "                ]", "            ]", "        }"],
        ...["    }", "}", "", "Hi"],
      ].join("\n"),
    );
  });

  test("in time linear in their length", () => {
    const long = ' \\"{'.repeat(250_000);
    const time = processorTime(() =>
      shown([
        { role: "user", content: " ".repeat(1_000_000) },
        assistant(call("f", { [long]: long })),
        { role: "tool", content: `[${'"\\\\",'.repeat(250_000)}1]` },
      ]),
    );
    expect(time).toBeLessThan(5_000);
  });
});

describe("better than the models' own templates", () => {
  test("parallel calls stand in one message, their results in the calls' order", () => {
    expect(
      afterHi([
        assistant(call("f", { a: 1 }, "1"), call("g", "{}", "2")),
        { role: "tool", content: "of g", tool_call_id: "2" },
        { role: "tool", content: "of f", tool_call_id: "1" },
      ]),
    ).toBe(
      `${header("assistant")}{"name": "f", "parameters": {"a": 1}}; ` +
        `{"name": "g", "parameters": {}}<|eot_id|>` +
        `${header("ipython")}"of f"<|eot_id|>${header("ipython")}"of g"<|eot_id|>`,
    );
  });

  test("content beside a call is kept", () => {
    const message = { ...assistant(call("f", {})), content: " Let me see.\n" } as ChatMessageInput;
    expect(afterHi([message])).toBe(
      `${header("assistant")}Let me see.\n\n{"name": "f", "parameters": {}}<|eot_id|>`,
    );
  });

  test("arguments are not encoded twice, and numbers keep their digits", () => {
    const text = ' {"b":1.0,"a":[1e3 ,{"é":"\\u00e9\\/\\n"}],"0":{ }, "z":[ ]}\n';
    expect(afterHi([assistant(call("f", text))])).toContain(
      '"parameters": {"b": 1.0, "a": [1e3, {"é": "é/\\n"}], "0": {}, "z": []}}',
    );
  });

  test("a name with a quote is still JSON", () => {
    expect(afterHi([assistant(call('f"', {}))])).toContain('{"name": "f\\"", "parameters": {}}');
  });

  test("null is no content", () => {
    expect(afterHi([{ role: "assistant", content: null }])).toBe(
      `${header("assistant")}<|eot_id|>`,
    );
  });

  test("a result says the same as data and as its JSON text; other text is a JSON string", () => {
    const result = (content: string | object) =>
      afterHi([assistant(call("f", {})), { role: "tool", content }])?.split("<|eot_id|>")[1];
    expect(result({ a: [1, "é"] })).toBe(`${header("ipython")}{"a": [1, "é"]}`);
    expect(result('{"a":[1,"é"]}')).toBe(`${header("ipython")}{"a": [1, "é"]}`);
    expect(result('{"a":')).toBe(`${header("ipython")}"{\\"a\\":"`);
    expect(result("21")).toBe(`${header("ipython")}"21"`);
  });

  test("an empty list is no tools", () => {
    const messages: ChatMessageInput[] = [{ role: "user", content: "Hi" }];
    const without = shown(messages);
    expect(shown(messages, { tools: [], builtinTools: [] })).toBe(without);
    expect(shown(messages, { tools: [], toolsInUserMessage: false })).toBe(without);
  });

  test("tools stand before the first user message, wherever it is", () => {
    const greeted: ChatMessageInput[] = [
      { role: "assistant", content: "Welcome!" },
      { role: "system", content: "A guest." },
      { role: "user", content: "Hi" },
      { role: "user", content: "you" },
    ];
    expect(shown(greeted, { tools: [weather] })).toMatch(
      /Welcome!<.*\n\nA guest\.<\|eot_id\|><\|start_header_id\|>user.*\n\nGiven the following [^<]*\n}\n\nHi<.*\n\nyou</,
    );
  });

  test("without a user message they stand in the system message", () => {
    const greeted: ChatMessageInput[] = [{ role: "assistant", content: "Welcome!" }];
    const tools = [weather];
    expect(shown(greeted, { tools })).toBe(shown(greeted, { tools, toolsInUserMessage: false }));
    expect(shown(greeted, { tools })).toContain(`${KNOWLEDGE}You have access to the following`);
  });

  test("what the API reads is not told to the model, what it does not know is", () => {
    const { name } = weather.function;
    const tool = { type: "function", function: { name, strict: true, returns: "°C" } } as const;
    const text = shown([{ role: "user", content: "Hi" }], { tools: [tool] });
    expect(text).not.toContain("strict");
    expect(text).toContain('        "returns": "°C"\n');
  });
});

describe("built-in tools", () => {
  const builtinTools = ["brave_search", "code_interpreter"] as const;

  test("are listed but for the code interpreter, which is the environment", () => {
    const messages: ChatMessageInput[] = [{ role: "user", content: "Hi" }];
    const system = (names: RenderChatOptions["builtinTools"] & object) =>
      shown(messages, { builtinTools: names }).split("Cutting")[0]?.split("\n\n").slice(1);
    expect(system(["wolfram_alpha", "brave_search", "wolfram_alpha"])).toEqual([
      "Environment: ipython\nTools: wolfram_alpha, brave_search",
      "",
    ]);
    expect(system(["code_interpreter"])).toEqual(["Environment: ipython\n"]);
  });

  test("are called behind the python tag, the message ends there", () => {
    const messages = [assistant(call("brave_search", { query: "llamas" }))];
    expect(afterHi(messages, { builtinTools })).toBe(
      `${header("assistant")}<|python_tag|>brave_search.call(query="llamas")<|eom_id|>`,
    );
    expect(afterHi(messages)).toContain('{"name": "brave_search", "parameters"');
    expect(
      renderChat([{ role: "user", content: "Hi" }, ...messages], { builtinTools }),
    ).toContainEqual({ control: "<|python_tag|>" });
  });

  test("with a quote, a number or text beside the call are not ambiguous", () => {
    const message = {
      ...assistant(call("brave_search", { query: '"a" \\ b\n', count: 5, all: [true, null] })),
      content: "Searching.",
    } as ChatMessageInput;
    expect(afterHi([message], { builtinTools })).toBe(
      `${header("assistant")}Searching.\n\n<|python_tag|>brave_search.call(` +
        'query="\\"a\\" \\\\ b\\n", count=5, all=[true, null])<|eom_id|>',
    );
  });

  test("the code interpreter's call is its code", () => {
    const code = "print('<|eom_id|>')\n";
    expect(afterHi([assistant(call("code_interpreter", { code }))], { builtinTools })).toBe(
      `${header("assistant")}<|python_tag|>${code}<|eom_id|>`,
    );
    expect(afterHi([assistant(call("code_interpreter", {}))], { builtinTools })).toContain(
      "<|python_tag|>code_interpreter.call()<|eom_id|>",
    );
  });

  test("beside other calls become a chain of call and result", () => {
    const both = { ...assistant(call("f", {}), call("brave_search", {})), content: "Both." };
    const results: ChatMessageInput[] = [
      { role: "tool", content: "of f" },
      { role: "tool", content: "found" },
    ];
    const first = `${header("assistant")}Both.\n\n{"name": "f", "parameters": {}}<|eom_id|>`;
    const second = `${header("assistant")}<|python_tag|>brave_search.call()<|eom_id|>`;
    const message = both as ChatMessageInput;
    expect(afterHi([message, ...results], { builtinTools })).toBe(
      `${first}${header("ipython")}"of f"<|eot_id|>${second}${header("ipython")}"found"<|eot_id|>`,
    );
    expect(afterHi([message, { role: "user", content: "Stop" }], { builtinTools })).toBe(
      `${first}${second}${header("user")}Stop<|eot_id|>`,
    );
    expect(afterHi([message], { builtinTools })).toBe(first + second);
  });
});

test("a built-in call too deep to be written is refused", () => {
  const query = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const messages = [assistant(call("brave_search", `{"query": ${query}}`))];
  expect(() => shown(messages, { builtinTools: ["brave_search"] })).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
  );
  expect(shown(messages)).toContain(query);
});

describe("what a format cannot say", () => {
  const hi: ChatMessageInput[] = [{ role: "user", content: "Hi" }];
  test.each<[string, ChatMessageInput[], RenderChatOptions, RegExp]>([
    ["tools", hi, { format: "llama-3", tools: [weather] }, /`options\.tools`.*no tools/],
    [
      "calls",
      [...hi, assistant(call("f", {}))],
      { format: "llama-3" },
      /`messages\[1\]`.*no tool calls/,
    ],
    [
      "built-in tools",
      hi,
      { format: "llama-3.2", builtinTools: ["brave_search"] },
      /`options\.builtinTools`: the format llama-3\.2 has no built-in tools/,
    ],
    [
      "built-in tools in 3.0",
      hi,
      { format: "llama-3", builtinTools: ["brave_search"] },
      /`options\.builtinTools`: the format llama-3 has/,
    ],
  ])("is refused: %s", (_, messages, options, message) => {
    expect(() => renderChat(messages, options)).toThrow(
      expect.objectContaining({
        code: "ERR_UNSUPPORTED",
        message: expect.stringMatching(message),
      }),
    );
  });
});
