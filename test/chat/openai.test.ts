import type {
  ChatCompletionMessage,
  ChatCompletionMessageParam,
  ChatCompletionNamedToolChoice,
  ChatCompletionTool,
} from "openai/resources/chat/completions";
import {
  type ChatMessage,
  type ChatMessageInput,
  ChatSession,
  parseToolCalls,
  promptToString,
  type RenderChatOptions,
  renderChat,
  type ToolDefinition,
  type ToolDefinitionInput,
} from "../../lib/index.js";
import { call, scripted } from "../support/scripted-context.js";

// That this file compiles (npm run typecheck) is half of the test: no cast stands in it.

const messages: ChatCompletionMessageParam[] = [
  { role: "developer", content: [{ type: "text", text: "Be brief." }] },
  { role: "user", content: [{ type: "text", text: "Weather?" }], name: "Ada" },
  {
    role: "assistant",
    content: null,
    tool_calls: [
      {
        id: "a",
        type: "function",
        function: { name: "get_weather", arguments: '{"city":"Lima"}' },
      },
      {
        id: "b",
        type: "function",
        function: { name: "get_weather", arguments: '{"city":"Rome"}' },
      },
    ],
  },
  { role: "tool", tool_call_id: "b", content: "rain" },
  { role: "tool", tool_call_id: "a", content: [{ type: "text", text: "sun" }] },
];

const tools: ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } } },
      strict: true,
    },
  },
];

/** What the API answers goes back as it came. */
const answer: ChatCompletionMessage = {
  role: "assistant",
  content: "Sun and rain.",
  refusal: null,
  annotations: [],
};

test("messages and tools of the openai package are rendered as they are", () => {
  const history = [...messages, answer];
  const text = promptToString(renderChat(history, { tools, format: "llama-3.2", date: "x" }));
  expect(text).toContain("Today Date: x\n\nBe brief.<|eot_id|>");
  expect(text).toContain('"description": "The weather of a city",');
  expect(text).toContain(
    '{"name": "get_weather", "parameters": {"city": "Lima"}}; ' +
      '{"name": "get_weather", "parameters": {"city": "Rome"}}<|eot_id|>',
  );
  expect(text.indexOf('"sun"')).toBeLessThan(text.indexOf('"rain"'));
  expect(text).toContain("Sun and rain.<|eot_id|>");
});

test("read-only lists, own types and plain literals are accepted, too", () => {
  const frozen: readonly Readonly<ChatCompletionMessageParam>[] = Object.freeze([...messages]);
  const frozenTools: readonly Readonly<ChatCompletionTool>[] = Object.freeze([...tools]);
  const own: readonly ChatMessage[] = [{ role: "user", content: "Hi" }];
  const ownTools: readonly ToolDefinition[] = [{ type: "function", function: { name: "f" } }];
  const literal = [
    { role: "user", content: "Hi" },
    { role: "assistant", tool_calls: [{ function: { name: "f", arguments: { x: 1 } } }] },
    { role: "tool", content: { y: [2] } },
  ] as const;
  const expected = promptToString(renderChat(messages, { tools, date: "x" }));
  expect(promptToString(renderChat(frozen, { tools: frozenTools, date: "x" }))).toBe(expected);
  expect(promptToString(renderChat(own, { tools: ownTools }))).toContain("Hi<|eot_id|>");
  expect(promptToString(renderChat(literal))).toContain('{"y": [2]}<|eot_id|>');
});

test("what cannot be rendered does not compile where it is written down", () => {
  const refused: ChatMessageInput[] = [
    // @ts-expect-error: an unknown role
    { role: "bot", content: "Hi" },
    // @ts-expect-error: no content
    { role: "user" },
    // @ts-expect-error: not even an object
    { role: "tool", content: 5 },
    // @ts-expect-error: a picture without one
    { role: "user", content: [{ type: "image_url" }] },
  ];
  // @ts-expect-error: no name
  const tool: ToolDefinitionInput = { type: "function", function: {} };
  // @ts-expect-error: a misspelt option
  const options: RenderChatOptions = { addGenerationPromt: true };
  for (const message of refused) expect(() => renderChat([message])).toThrow();
  expect(() => renderChat(messages, { tools: [tool] })).toThrow();
  expect(() => renderChat(messages, options)).toThrow();
});

test("a session takes them as history, as input and as tools", async () => {
  const script = scripted([call("get_weather", { city: "Cusco" }), "Fog."]);
  const session = new ChatSession(script.context, { messages, tools, constrainTools: false });
  const frozen: readonly Readonly<ChatCompletionMessageParam>[] = [
    answer,
    { role: "user", content: "And in Cusco?" },
  ];
  const frozenTools: readonly Readonly<ChatCompletionTool>[] = tools;
  const { toolCalls, stopReason } = await session.send(frozen, { tools: frozenTools }).result();
  expect(stopReason).toBe("tool-calls");
  const one: ChatCompletionMessageParam = {
    role: "tool",
    tool_call_id: toolCalls[0]?.id ?? "",
    content: "fog",
  };
  expect((await session.send(one).result()).message.content).toBe("Fog.");
  expect(script.asked[1]?.prompt).toContain('"fog"<|eot_id|>');
  expect(session.messages).toHaveLength(messages.length + 5);
});

test("a session takes a function that the API is told to call", async () => {
  const toolChoice: ChatCompletionNamedToolChoice = {
    type: "function",
    function: { name: "get_weather" },
  };
  const { context } = scripted([call("get_weather", { city: "Lima" })]);
  const { toolCalls } = await new ChatSession(context, { tools, toolChoice }).send("x").result();
  expect(toolCalls).toMatchObject([{ function: { name: "get_weather" } }]);
});

test("calls are found for tools of the openai package", () => {
  const { toolCalls } = parseToolCalls("get_weather(city='Lima')", { tools });
  expect(toolCalls).toMatchObject([{ known: true }]);
});
