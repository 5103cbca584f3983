import { type ChatMessageInput, CriaError, renderChat } from "../../lib/index.js";
import { atOnce } from "../../lib/internal/steps.js";
import { readMessages } from "../../lib/messages/messages.js";
import { pairingSteps, unpaired } from "../../lib/messages/pairing.js";

const read = (...messages: unknown[]) => readMessages(messages as ChatMessageInput[]);
const user = { role: "user", content: "Hi" };
const call = (id: string | undefined, name: string, args: unknown = {}) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const throwing = new Proxy(
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
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;
const deep = () => {
  let value: unknown = {};
  for (let depth = 0; depth < 100_000; depth++) value = { value };
  return value;
};

describe("messages", () => {
  test("are copied with one text each", () => {
    const parts = [
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ];
    expect(
      read(
        { role: "system", content: "s" },
        { role: "developer", content: parts },
        { role: "user", content: [], name: "Ada" },
        { role: "assistant", content: null },
        { role: "assistant", content: "a", tool_calls: [], refusal: null, audio: null },
        { role: "assistant", content: "a", tool_calls: null, function_call: null, annotations: [] },
      ),
    ).toEqual([
      { role: "system", content: "s" },
      { role: "system", content: "one\ntwo" },
      { role: "user", content: "" },
      { role: "assistant", content: "", tool_calls: [] },
      { role: "assistant", content: "a", tool_calls: [] },
      { role: "assistant", content: "a", tool_calls: [] },
    ]);
  });

  test("may be instances of a class, with getters, each read once", () => {
    let reads = 0;
    class Message {
      readonly role = "user";
      get content() {
        reads += 1;
        return "Hi";
      }
    }
    expect(read(new Message())).toEqual([user]);
    expect(reads).toBe(1);
  });

  test("have arguments as an object or as JSON text", () => {
    const [, message] = read(user, {
      role: "assistant",
      tool_calls: [
        call("a", "f", { x: [1] }),
        call("b", "f", ' {"x": 1.0}'),
        call("c", "f", ""),
        call("d", "f", { toJSON: () => ({ y: 1 }) }),
      ],
    });
    expect(message).toMatchObject({
      tool_calls: [
        { id: "a", function: { arguments: '{"x":[1]}' } },
        { id: "b", function: { arguments: ' {"x": 1.0}' } },
        { id: "c", function: { arguments: "{}" } },
        { id: "d", function: { arguments: '{"y":1}' } },
      ],
    });
  });

  test("have results that are text, parts or data", () => {
    const contents = [
      "text",
      [{ type: "text", text: "part" }],
      { a: 1 },
      [1],
      [],
      [{ type: "house" }],
      [{ type: "text", text: "x" }, 5],
    ];
    const tool_calls = contents.map((_, index) => call(`${index}`, "f"));
    const results = contents.map((content, index) => ({
      role: "tool",
      content,
      tool_call_id: `${index}`,
    }));
    const [, ...texts] = read({ role: "assistant", tool_calls }, ...results).map((m) => m.content);
    expect(texts).toEqual([
      ...["text", "part", '{"a":1}', "[1]", "[]", '[{"type":"house"}]'],
      '[{"type":"text","text":"x"},5]',
    ]);
  });

  test.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /an array of messages for `messages`, got undefined/],
    ["no messages", [], /at least one message for `messages`, got an array of length 0/],
    ["a string", "Hi", /an array of messages/],
    ["one message", user, /an array of messages/],
    ["null in the list", [null], /a message, .* for `messages\[0\]`, got null/],
    ["an unknown role", [user, { role: "bot", content: "x" }], /`messages\[1\]\.role`, got "bot"/],
    ["a role that is none", [{ role: {}, content: "x" }], /`messages\[0\]\.role`, got an object/],
    ["no content", [{ role: "user" }], /`messages\[0\]\.content`, got undefined/],
    ["null for a user", [{ role: "user", content: null }], /`messages\[0\]\.content`, got null/],
    ["an empty assistant", [{ role: "assistant" }], /text or tool calls/],
    ["a part that is text", [{ role: "user", content: ["x"] }], /content\[0\]`, got "x"/],
    [
      "a part without text",
      [{ role: "user", content: [{ type: "text" }] }],
      /a string for `messages\[0\]\.content\[0\]\.text`, got undefined/,
    ],
    ["a part of no type", [{ role: "user", content: [{}] }], /content\[0\]\.type`, got undefined/],
    ["calls of a user", [{ ...user, tool_calls: [] }], /Only the role "assistant"/],
    ["calls that are none", [{ role: "assistant", tool_calls: {} }], /an array of tool calls/],
    [
      "a call of an unknown type",
      [{ role: "assistant", tool_calls: [{ type: "x" }] }],
      /"function" for `messages\[0\]\.tool_calls\[0\]\.type`, got "x"/,
    ],
    [
      "a call without a name",
      [{ role: "assistant", tool_calls: [call("a", "")] }],
      /`messages\[0\]\.tool_calls\[0\]\.function\.name`, got ""/,
    ],
    ["no function", [{ role: "assistant", tool_calls: [{ id: "a" }] }], /`name` and `arguments`/],
    ...["{", "[]", "5", "null", "x", [], 5, null, undefined, { toJSON: () => 5 }].map(
      (args): [string, unknown, RegExp] => [
        `the arguments ${JSON.stringify(args)}`,
        [{ role: "assistant", tool_calls: [{ function: { name: "f", arguments: args } }] }],
        /an object.* for `messages\[0\]\.tool_calls\[0\]\.function\.arguments`, got/,
      ],
    ),
    ...[cyclic, { a: 1n }, throwing, deep()].map((args, index): [string, unknown, RegExp] => [
      `arguments without JSON (${index})`,
      [{ role: "assistant", tool_calls: [call("a", "f", args)] }],
      /that JSON can hold for `messages\[0\]\.tool_calls\[0\]\.function\.arguments`/,
    ]),
    [
      "two calls of one id",
      [{ role: "assistant", tool_calls: [call("a", "f"), call("a", "g")] }],
      /id "a" \(`messages\[0\]\.tool_calls\[1\]\.id`\) belongs to an earlier call/,
    ],
    [
      "a result of no kind",
      [
        { role: "assistant", tool_calls: [call("a", "f")] },
        { role: "tool", content: 5 },
      ],
      /a string, text parts, an object or an array for `messages\[1\]\.content`, got 5/,
    ],
    ["a result without its call", [user, { role: "tool", content: "x" }], /without its call/],
    [
      "a result after another message",
      [{ role: "assistant", tool_calls: [call("a", "f")] }, user, { role: "tool", content: "x" }],
      /`messages\[2\]` is a tool's result without its call/,
    ],
    [
      "two results of one call",
      [
        { role: "assistant", tool_calls: [call("a", "f")] },
        { role: "tool", content: "x" },
        { role: "tool", content: "y" },
      ],
      /`messages\[2\]` is a tool's result without its call/,
    ],
    [
      "a result of another call",
      [
        { role: "assistant", tool_calls: [call("a", "f")] },
        { role: "tool", content: "x", tool_call_id: "b" },
      ],
      /`messages\[1\]\.tool_call_id` is "b".*the calls are "a"/,
    ],
    [
      "another spelling",
      [{ role: "assistant", content: "", toolCalls: [] }],
      /mean `tool_calls`\?/,
    ],
    ["a hostile list", throwing, /an array of messages/],
    ["a revoked list", revoked(), /readable properties for `messages`/],
    ["a hostile message", [throwing], /readable properties for `messages\[0\]`/],
    ["a revoked message", [revoked()], /readable properties/],
    ["a hostile part", [{ role: "user", content: [throwing] }], /messages\[0\]\.content\[0\]/],
    ["a hostile call", [{ role: "assistant", tool_calls: [throwing] }], /tool_calls\[0\]/],
  ])("refuse %s", (_, messages, message) => {
    expect(() => renderChat(messages as never)).toThrow(failure("ERR_INVALID_ARGUMENT", message));
  });

  test.each<[string, unknown, RegExp]>([
    [
      "a system message's image",
      [{ role: "system", content: [{ type: "text", text: "" }, { type: "image_url" }] }],
      /`messages\[0\]\.content\[1\]\.type`: a part of type "image_url"/,
    ],
    ["a file", [{ role: "user", content: [{ type: "file" }] }], /"file"/],
    ["a part of the future", [{ role: "user", content: [{ type: "smell" }] }], /"smell"/],
    [
      "a refusal",
      [{ role: "assistant", content: [{ type: "refusal", refusal: "No." }] }],
      /`messages\[0\]\.content\[0\]\.type`/,
    ],
    ["a refused answer", [{ role: "assistant", refusal: "No." }], /`messages\[0\]\.refusal`/],
    ["a spoken answer", [{ role: "assistant", audio: { id: "a" } }], /`messages\[0\]\.audio`/],
    [
      "an old call",
      [{ role: "assistant", function_call: { name: "f", arguments: "" } }],
      /`messages\[0\]\.function_call`: .*use `tool_calls`/,
    ],
    [
      "an old result",
      [user, { role: "function", name: "f", content: "x" }],
      /`messages\[1\]\.role`: .*give it the role `tool`/,
    ],
    [
      "a custom tool's call",
      [{ role: "assistant", tool_calls: [{ id: "a", type: "custom" }] }],
      /`messages\[0\]\.tool_calls\[0\]\.type`/,
    ],
    [
      "an image as a result",
      [
        { role: "assistant", tool_calls: [call("a", "f")] },
        { role: "tool", content: [{ type: "image_url", image_url: { url: "x" } }] },
      ],
      /`messages\[1\]\.content\[0\]\.type`/,
    ],
  ])("cannot hold %s", (_, messages, message) => {
    expect(() => renderChat(messages as never)).toThrow(failure("ERR_UNSUPPORTED", message));
  });

  test("keep what a hostile getter threw as the cause", () => {
    const cause = new Error("trap");
    const message = {
      get role() {
        throw cause;
      },
    };
    let thrown: unknown;
    try {
      renderChat([message as never]);
    } catch (error) {
      thrown = error;
    }
    expect(CriaError.is(thrown)).toBe(true);
    expect(thrown).toMatchObject({ code: "ERR_INVALID_ARGUMENT", cause });
  });
});

test("a list that claims a length and holds nothing ends at its first hole", () => {
  const endless = new Array(2 ** 32 - 1);
  expect(() => readMessages(endless)).toThrow(
    expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("messages[0]"),
    }),
  );
});

describe("results", () => {
  const exchange = (calls: unknown[], ...results: object[]) =>
    read(
      { role: "assistant", tool_calls: calls },
      ...results.map((result) => ({ role: "tool", ...result })),
    )
      .slice(1)
      .map((message) => (message.role === "tool" ? [message.tool_call_id, message.content] : []));

  test("stand in the order of their calls, by id", () => {
    expect(
      exchange(
        [call("a", "f"), call("b", "f"), call("c", "f")],
        { content: "3", tool_call_id: "c" },
        { content: "1", tool_call_id: "a" },
        { content: "2", tool_call_id: "b" },
      ),
    ).toEqual([
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ]);
  });

  test("of calls with and without ids find one each, whatever the ids that were given", () => {
    const calls = [call("call_1", "f"), call(undefined, "g"), call("call_4", "h")];
    const messages = read(
      user,
      { role: "assistant", tool_calls: calls },
      { role: "tool", content: "f's", tool_call_id: "call_1" },
      { role: "tool", content: "g's" },
      { role: "tool", content: "h's", tool_call_id: "call_4" },
    );
    const ids = messages.flatMap((message) =>
      message.role === "assistant" ? message.tool_calls.map(({ id }) => id) : [],
    );
    expect(ids).toEqual(["call_1", "call_7", "call_4"]);
    expect(messages.flatMap((one) => (one.role === "tool" ? [one.tool_call_id] : []))).toEqual(ids);
    expect(atOnce(pairingSteps(messages.map(unpaired), "input"))).toEqual(messages);
  });

  test("find their calls by name or in order where there are no ids", () => {
    const calls = [call(undefined, "f"), call(undefined, "g")];
    const both = [
      ["call_0", "f's"],
      ["call_1", "g's"],
    ];
    expect(exchange(calls, { content: "f's" }, { content: "g's" })).toEqual(both);
    expect(exchange(calls, { content: "g's", name: "g" }, { content: "f's" })).toEqual(both);
    expect(
      exchange(calls, { content: "f's", tool_call_id: "1" }, { content: "g's", tool_call_id: "2" }),
    ).toEqual(both);
  });

  test("may be missing: a call that still runs", () => {
    expect(exchange([call("a", "f"), call("b", "f")], { content: "2", tool_call_id: "b" })).toEqual(
      [["b", "2"]],
    );
  });
});
