import {
  type ChatEvent,
  ChatSession,
  type ChatSessionOptions,
  type ChatTurn,
  defineTool,
} from "../../lib/index.js";
import { call, type ScriptedAnswer, scripted } from "../support/scripted-context.js";

const never = new Promise<never>(() => {});
const system = { role: "system", content: "Be brief." } as const;
const answered = { role: "assistant", content: "Hi." } as const;
const hello = { role: "user", content: "Hello" } as const;
const cancelled = '{"error":"The call was cancelled."}';

const rejections: unknown[] = [];
const onRejection = (error: unknown) => rejections.push(error);
beforeAll(() => process.on("unhandledRejection", onRejection));
afterAll(() => process.off("unhandledRejection", onRejection));
afterEach(async () => {
  await new Promise(setImmediate);
  expect(rejections).toEqual([]);
});

let ran: string[] = [];
let aborted = 0;
beforeEach(() => {
  ran = [];
  aborted = 0;
});
/** Waits until it is stopped, and then goes on as if it were not. */
const stubborn = defineTool({
  name: "wait",
  parameters: { type: "object", properties: { name: { type: "string" } } },
  execute: ({ name = "" }, { signal }) => {
    ran.push(name);
    signal?.addEventListener("abort", () => aborted++);
    return never;
  },
});

function session(answers: readonly (string | ScriptedAnswer)[], options: ChatSessionOptions = {}) {
  const script = scripted([...answers, "Hi."]);
  const chat = new ChatSession(script.context, {
    system: system.content,
    constrainTools: false,
    tools: [stubborn],
    ...options,
  });
  return { chat, script };
}

/** A way to stop a turn, and what its result is then. */
interface Stop {
  readonly name: string;
  start(chat: ChatSession): { turn: ChatTurn; stop(): void };
  ended(turn: ChatTurn): Promise<void>;
}

const reason = new Error("enough");
const WAYS: readonly Stop[] = [
  {
    name: "cancel()",
    start: (chat) => {
      const turn = chat.send("x");
      return { turn, stop: () => turn.cancel() };
    },
    ended: async (turn) => expect((await turn.result()).stopReason).toBe("cancelled"),
  },
  {
    name: "an aborted signal",
    start: (chat) => {
      const controller = new AbortController();
      const turn = chat.send("x", { signal: controller.signal });
      return { turn, stop: () => controller.abort(reason) };
    },
    ended: (turn) => expect(turn.result()).rejects.toBe(reason),
  },
];

async function until(turn: ChatTurn, type: ChatEvent["type"] | undefined): Promise<void> {
  if (type === undefined) {
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    return;
  }
  for (;;) {
    const iterator = seen.get(turn) ?? turn[Symbol.asyncIterator]();
    seen.set(turn, iterator);
    const { value } = await iterator.next();
    if (value?.type === type) return;
  }
}
const seen = new WeakMap<ChatTurn, AsyncIterator<ChatEvent, undefined>>();

describe.each(WAYS)("$name", ({ start, ended }) => {
  test.each<[string, ScriptedAnswer[], ChatEvent["type"] | undefined, object[]]>([
    ["in the prefill leaves no trace", [{ pieces: [never] }], undefined, []],
    [
      "in the answer leaves what was shown",
      [{ pieces: ["The first", never] }],
      "text",
      [
        { role: "user", content: "x" },
        { role: "assistant", content: "The first" },
      ],
    ],
    [
      "within a call leaves its beginning as text",
      [{ pieces: ['Well. {"name": "wa', never] }],
      "text",
      [
        { role: "user", content: "x" },
        { role: "assistant", content: 'Well. {"name": "wa' },
      ],
    ],
    [
      "in a tool leaves no call without a result",
      [{ pieces: [`${call("wait", { name: "a" })}; ${call("wait", { name: "b" })}`] }],
      undefined,
      [
        { role: "user", content: "x" },
        { role: "assistant", tool_calls: [{ id: "call_0" }, { id: "call_1" }] },
        { role: "tool", tool_call_id: "call_0", content: cancelled },
        { role: "tool", tool_call_id: "call_1", content: cancelled },
      ],
    ],
    [
      "behind a call that was told neither",
      [{ pieces: [`${call("wait", { name: "a" })} `, never] }],
      "tool-call",
      [
        { role: "user", content: "x" },
        { role: "assistant", tool_calls: [{ id: "call_0" }] },
        { role: "tool", tool_call_id: "call_0", content: cancelled },
      ],
    ],
    [
      "behind the results keeps them",
      [{ pieces: [call("other", {})] }, { pieces: [never] }],
      "tool-result",
      [
        { role: "user", content: "x" },
        { role: "assistant", tool_calls: [{ id: "call_0" }] },
        { role: "tool", tool_call_id: "call_0", content: expect.stringContaining("no tool") },
      ],
    ],
  ])("%s", async (_, answers, when, added) => {
    const { chat, script } = session(answers);
    const { turn, stop } = start(chat);
    await until(turn, when);
    await until(turn, undefined);
    stop();
    await ended(turn);
    expect(chat.messages).toMatchObject([system, ...added]);
    expect(script.running).toBe(0);
    expect(aborted).toBe(ran.length);
    const next = await chat.send("Hello").result();
    expect(next.messages).toEqual([hello, answered]);
    expect(chat.messages).toMatchObject([system, ...added, hello, answered]);
  });

  test("before the turn begins asks the model nothing", async () => {
    const { chat, script } = session([]);
    const { turn, stop } = start(chat);
    stop();
    await ended(turn);
    expect(script.asked).toEqual([]);
    expect(chat.messages).toEqual([system]);
    expect((await chat.send("Hello").result()).message).toEqual(answered);
  });

  test("while the turn waits for another ends it at once, and not the other", async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { chat, script } = session([{ pieces: [gate, "First."] }]);
    const first = chat.send("first");
    const { turn, stop } = start(chat);
    const third = chat.send("Hello");
    await until(first, undefined);
    stop();
    await ended(turn);
    expect(script.asked).toHaveLength(1);
    go();
    expect((await first.result()).message.content).toBe("First.");
    expect((await third.result()).message).toEqual(answered);
    expect(script.together).toBe(1);
    expect(chat.messages).toMatchObject([system, { content: "first" }, {}, hello, answered]);
  });

  test("behind the end changes nothing", async () => {
    const { chat } = session([]);
    const { turn, stop } = start(chat);
    await turn.result();
    stop();
    expect((await turn.result()).stopReason).toBe("end-of-turn");
    expect(chat.messages).toHaveLength(3);
  });
});

test("a cancelled turn tells of its calls and ends as cancelled", async () => {
  const { chat } = session([call("wait", { name: "a" })]);
  const turn = chat.send("x");
  await until(turn, "tool-call");
  await until(turn, undefined);
  turn.cancel();
  const rest: ChatEvent[] = [];
  const iterator = seen.get(turn) as AsyncIterator<ChatEvent, undefined>;
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
    rest.push(step.value);
  }
  expect(rest).toMatchObject([
    { type: "tool-result", callId: "call_0", error: "The call was cancelled." },
    { type: "finish", result: { stopReason: "cancelled", toolCalls: [] } },
  ]);
});

test("a schema that takes its time does not start a tool in a stopped turn", async () => {
  let checked = () => {};
  const slow = new Promise<void>((resolve) => {
    checked = resolve;
  });
  const tool = defineTool({
    name: "slow",
    parameters: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value: unknown) => {
          await slow;
          return { value };
        },
      },
    },
    jsonSchema: { type: "object" },
    execute: () => ran.push("slow"),
  });
  const { chat } = session([call("slow", {})], { tools: [tool] });
  const turn = chat.send("x");
  await until(turn, "tool-call");
  await until(turn, undefined);
  turn.cancel();
  await turn.result();
  checked();
  await until(turn, undefined);
  expect(ran).toEqual([]);
});

test("leaving the loop cancels the turn, and what was shown stays", async () => {
  const { chat } = session([{ pieces: ["One ", never] }]);
  const turn = chat.send("x");
  for await (const event of turn) {
    expect(event).toEqual({ type: "text", text: "One" });
    break;
  }
  expect((await turn.result()).stopReason).toBe("cancelled");
  expect(chat.messages.at(-1)).toEqual({ role: "assistant", content: "One " });
  expect((await chat.send("Hello").result()).message).toEqual(answered);
});

describe("an error", () => {
  test("of the model leaves the history as it was, whatever was shown", async () => {
    const error = new Error("broken");
    const { chat } = session([
      "First.",
      { pieces: [call("other", {})] },
      { pieces: ["Half"], error },
    ]);
    await chat.send("one").result();
    const before = chat.messages;
    const turn = chat.send("two");
    const events: ChatEvent[] = [];
    const read = (async () => {
      for await (const event of turn) events.push(event);
    })();
    await expect(read).rejects.toBe(error);
    await expect(turn.result()).rejects.toBe(error);
    expect(events.map(({ type }) => type)).toEqual(["tool-call", "tool-result", "text"]);
    expect(chat.messages).toEqual(before);
    expect((await chat.send("Hello").result()).messages).toEqual([hello, answered]);
  });

  test("that nobody asks for is no unhandled rejection", async () => {
    const { chat } = session([{ pieces: [], error: new Error("broken") }]);
    chat.send("x");
    await until(chat.send("Hello"), undefined);
    expect(chat.messages).toEqual([system, hello, answered]);
  });

  test("does not stop the turns behind it", async () => {
    const { chat } = session([{ pieces: [], error: new Error("broken") }]);
    const turns = [chat.send("x"), chat.send("Hello")];
    const [first, second] = await Promise.allSettled(turns.map((turn) => turn.result()));
    expect([first?.status, second?.status]).toEqual(["rejected", "fulfilled"]);
  });
});

test("a turn that is cancelled while a long history is read ends as any other", async () => {
  const messages = Array.from({ length: 200_000 }, (_, i) => ({
    role: i % 2 === 0 ? ("user" as const) : ("assistant" as const),
    content: "x",
  }));
  const { chat } = session([], { messages });
  const turn = chat.send("x");
  turn.cancel();
  expect(await turn.result()).toMatchObject({
    ...{ stopReason: "cancelled", messages: [], toolCalls: [] },
    message: { role: "assistant", content: "" },
  });
  const aborted = chat.send("x", { signal: AbortSignal.abort(new Error("enough")) });
  await expect(aborted.result()).rejects.toThrow("enough");
  expect(chat.messages).toHaveLength(messages.length + 1);
});

test("turns that are sent at once run one after the other", async () => {
  const { chat, script } = session(["a", "b", "c"]);
  const results = await Promise.all(["1", "2", "3"].map((text) => chat.send(text).result()));
  expect(results.map(({ message }) => message.content)).toEqual(["a", "b", "c"]);
  expect(script.together).toBe(1);
  expect(chat.messages.map(({ content }) => content)).toEqual([
    system.content,
    "1",
    "a",
    "2",
    "b",
    "3",
    "c",
  ]);
});

test("what is shown of the history is a copy", async () => {
  const { chat } = session([call("wait", {})], { maxToolRounds: 0 });
  const { messages } = await chat.send("x").result();
  const before = JSON.stringify(chat.messages);
  for (const list of [messages, chat.messages]) {
    for (const message of list as unknown as { content: string; tool_calls?: { id: string }[] }[]) {
      message.content = "changed";
      if (message.tool_calls) (message.tool_calls[0] as { id: string }).id = "changed";
    }
  }
  expect(JSON.stringify(chat.messages)).toBe(before);
});
