import {
  assistant,
  flagging,
  goesOn,
  guardedSession,
  settled,
  told,
  user,
  verdictOf,
  watch,
  watchRejections,
} from "../../support/moderators.js";
import { call } from "../../support/scripted-context.js";

const never = new Promise<never>(() => {});

watchRejections();

function promise() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("a guard that is none", () => {
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
  test.each<[string, unknown, RegExp]>([
    ["a number", 5, /a plain object for `options\.guard`, got 5/],
    ["null", null, /`options\.guard`/],
    ["without moderators", { input: {} }, /a LlamaGuard for `options\.guard\.input`/],
    ["gone missing", { output: undefined }, /a LlamaGuard for `options\.guard\.output`, got undef/],
    ["a misspelt direction", { ouput: flagging("bad") }, /did you mean `output`/],
    ["hostile", hostile, /`options\.guard`/],
    ["hostile within", { output: hostile }, /`options\.guard\.output`/],
  ])("%s", (_, guard, message) => {
    const options = { guard: guard as never };
    const refused = expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
    expect(() => guardedSession([], options)).toThrow(refused);
    expect(() => guardedSession([], {}).chat.send("x", options)).toThrow(refused);
  });

  test("what is changed in it later changes nothing", async () => {
    const guard: { input?: ReturnType<typeof flagging> } = { input: flagging("bad") };
    const { chat } = guardedSession([], { guard });
    delete guard.input;
    expect((await chat.send("bad").result()).stopReason).toBe("moderated");
  });
});

describe("the input", () => {
  test("that is blocked never reaches the model, and leaves no trace", async () => {
    const { chat, script } = guardedSession([], { guard: flagging("bad"), messages: [user("a")] });
    const turn = chat.send("a bad thing");
    const { events, end } = watch(turn);
    await end;
    const blocked = verdictOf(false, "user");
    const result = await turn.result();
    expect(result).toMatchObject({
      message: assistant(""),
      messages: [],
      stopReason: "moderated",
      blocked,
      usage: { promptTokens: 0 },
    });
    expect(events).toEqual([
      { type: "moderation", direction: "input", verdict: blocked },
      { type: "finish", result },
    ]);
    expect(script.asked).toEqual([]);
    expect(chat.messages).toEqual([user("a")]);
    await goesOn(chat, script);
  });

  test("is judged in the whole conversation, and what is safe is told and answered", async () => {
    const guard = flagging("bad");
    const messages = [user("a"), assistant("b")];
    const { chat } = guardedSession(["Good."], { guard: { input: guard }, system: "s", messages });
    const { events, end } = watch(chat.send("c"));
    await end;
    expect(guard.judged).toEqual([[{ role: "system", content: "s" }, ...messages, user("c")]]);
    expect(told(events)).toEqual(["input safe", "Good.", "finish"]);
  });

  test("of several messages: none is hidden behind another", async () => {
    const guard = flagging("bad");
    const { chat, script } = guardedSession([], { guard });
    const system = { role: "system", content: "bad" } as const;
    for (const hidden of [user("bad"), assistant("bad")]) {
      const result = await chat.send([system, user("a"), hidden, user("b")]).result();
      expect(result.stopReason).toBe("moderated");
    }
    expect(guard.judged.map((conversation) => conversation.at(-1)?.content)).toEqual([
      ...["a", "bad"],
      ...["a", "bad"],
    ]);
    expect(script.asked).toEqual([]);
  });

  test("white space says nothing to judge, and is no failure", async () => {
    const guard = flagging("bad");
    const { chat } = guardedSession(["", "Yes."], { guard });
    await chat.send(" \n").result();
    await chat.send("Hello").result();
    expect(guard.judged).toEqual([[user("Hello")], [user("Hello"), assistant("Yes.")]]);
  });

  test("of one turn goes unjudged with a guard of nobody", async () => {
    const { chat } = guardedSession(["A bad answer."], { guard: flagging("bad") });
    const { message } = await chat.send("bad", { guard: {} }).result();
    expect(message.content).toBe("A bad answer.");
  });
});

describe("an answer", () => {
  test("is told sentence by sentence, each behind its verdict", async () => {
    const guard = flagging("bad");
    const { chat } = guardedSession(["One. Two e.g. this.\nThree"], { guard: { output: guard } });
    const pieces = ["On", "e. T", "wo. Thr", "ee.\n", "Four"];
    const slow = pieces.flatMap((piece) => [piece, settled()]);
    const { chat: slowly } = guardedSession([{ pieces: slow }], { guard: { output: guard } });
    const { events, end } = watch(slowly.send("x"));
    await end;
    expect(told(events)).toEqual([
      ...["output safe", "One. "],
      ...["output safe", "Two. "],
      ...["output safe", "Three.\n"],
      ...["output safe", "Four"],
      "finish",
    ]);
    expect(guard.judged.map((conversation) => conversation.at(-1))).toEqual([
      assistant("One. "),
      assistant("One. Two. "),
      assistant("One. Two. Three.\n"),
      assistant("One. Two. Three.\nFour"),
    ]);
    expect(guard.judged[3]?.slice(0, -1)).toEqual([user("x")]);
    await chat.send("x").result();
    expect(chat.messages.at(-1)).toEqual(assistant("One. Two e.g. this.\nThree"));
  });

  test("goes on while a piece is judged, and what comes meanwhile is judged together", async () => {
    const { promise: gate, resolve } = promise();
    const guard = flagging("bad", () => (guard.judged.length === 1 ? gate : undefined));
    const pieces = Array.from({ length: 50 }, (_, i) => `Sentence ${i}. `);
    const { chat, script } = guardedSession([{ pieces }], { guard: { output: guard } });
    const { events, end } = watch(chat.send("x"));
    await settled();
    expect(script.running).toBe(0);
    expect(events).toEqual([]);
    expect(guard.judged).toHaveLength(1);
    resolve();
    await end;
    expect(guard.judged).toHaveLength(2);
    expect(chat.messages.at(-1)).toEqual(assistant(pieces.join("")));
  });

  test("without a full stop comes in whole words", async () => {
    const guard = flagging("bad");
    const words = Array.from({ length: 200 }, (_, i) => `${i} `).flatMap((word) => [
      word,
      settled(),
    ]);
    const { chat } = guardedSession([{ pieces: words }], { guard: { output: guard } });
    const { events, end } = watch(chat.send("x"));
    await end;
    const texts = told(events).filter((text) => text.endsWith(" "));
    expect(texts.length).toBeGreaterThan(2);
    for (const text of texts) expect(text.length).toBeLessThan(250);
  });

  test("that is blocked ends there: what was judged safe stays, the rest was never there", async () => {
    const { chat, script } = guardedSession(
      [{ pieces: ["Good. ", settled(), "A bad one. ", "More. ", never] }],
      { guard: flagging("bad") },
    );
    const turn = chat.send("x");
    const { events, end } = watch(turn);
    await end;
    expect(told(events)).toEqual([
      "input safe",
      "output safe",
      "Good. ",
      "output unsafe",
      "finish",
    ]);
    const shown = [user("x"), assistant("Good. ")];
    expect(await turn.result()).toMatchObject({
      message: assistant("Good. "),
      messages: shown,
      stopReason: "moderated",
      blocked: verdictOf(false, "assistant"),
    });
    expect(script.running).toBe(0);
    expect(chat.messages).toEqual(shown);
    await goesOn(chat, script);
  });

  test("of which nothing was shown takes its question with it", async () => {
    const { chat, script } = guardedSession(["A bad one."], { guard: flagging("bad") });
    const result = await chat.send("x").result();
    expect(result).toMatchObject({ message: assistant(""), messages: [], stopReason: "moderated" });
    expect(chat.messages).toEqual([]);
    await goesOn(chat, script);
  });

  test("to a tool's result leaves the call and the result", async () => {
    const { chat, script } = guardedSession([call("look", { at: "a" }), "A bad one."], {
      guard: { output: flagging("bad") },
    });
    const { stopReason, messages } = await chat.send("x").result();
    expect(stopReason).toBe("moderated");
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
    await goesOn(chat, script);
  });

  test("that was cut off is judged to its end", async () => {
    const { chat } = guardedSession(
      [{ pieces: ["Good. Very ba", "d"], stopReason: "max-tokens" }],
      {
        guard: { output: flagging("bad") },
      },
    );
    expect((await chat.send("x").result()).message.content).toBe("Good. ");
    const { chat: other } = guardedSession([{ pieces: ["Good. Very"], stopReason: "max-tokens" }], {
      guard: { output: flagging("bad") },
    });
    const { message, stopReason } = await other.send("x").result();
    expect([message.content, stopReason]).toEqual(["Good. Very", "max-tokens"]);
  });

  test("that follows a schema is judged as it is written", async () => {
    const json = '{"answer": "bad"}';
    const responseSchema = { type: "object", properties: { answer: { type: "string" } } };
    const { chat } = guardedSession([json, json], { tools: [], responseSchema });
    const guarded = await chat.send("x", { guard: { output: flagging("bad") } }).result();
    expect(guarded.stopReason).toBe("moderated");
    expect((await chat.send("x").result()).message.content).toBe(json);
  });
});
