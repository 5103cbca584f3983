import { type ChatSessionOptions, defineTool } from "../../../lib/index.js";
import {
  flagging,
  goesOn,
  guardedSession,
  settled,
  textOf,
  told,
  user,
  watch,
  watchRejections,
} from "../../support/moderators.js";
import { call } from "../../support/scripted-context.js";

watchRejections();

describe("a call", () => {
  test("that is blocked is not told, carried out or kept", async () => {
    const { chat, script, ran } = guardedSession([`Well. ${call("look", { at: "bad" })}`], {
      guard: { output: flagging("bad") },
    });
    const { events, end } = watch(chat.send("x"));
    await end;
    expect(told(events)).toEqual(["output unsafe", "finish"]);
    expect(ran).toEqual([]);
    expect(chat.messages).toEqual([]);
    await goesOn(chat, script);
  });

  test("is judged before it is carried out, with the text in front of it", async () => {
    const guard = flagging("bad");
    const { chat } = guardedSession([`Well. ${call("look", { at: "a" })}`, "Done."], {
      guard: { output: guard },
    });
    const { events, end } = watch(chat.send("x"));
    await end;
    expect(told(events)).toEqual([
      ...["output safe", "Well.", "tool-call", "tool-result"],
      ...["output safe", "Done.", "finish"],
    ]);
    const judged = guard.judged.map((conversation) => textOf(conversation.at(-1) as never));
    expect(judged).toEqual(['Well.{"name":"look","arguments":"{\\"at\\":\\"a\\"}"}', "Done."]);
    expect(guard.judged[1]?.map(({ role }) => role)).toEqual([
      ...["user", "assistant", "tool", "assistant"],
    ]);
  });

  test("that passed is cancelled where what follows it is blocked", async () => {
    const { chat, script, ran } = guardedSession(
      [{ pieces: [`${call("look", { at: "a" })}\n`, settled(), "And a bad word."] }],
      { guard: { output: flagging("bad word") } },
    );
    const { events, end } = watch(chat.send("x"));
    await end;
    expect(told(events)).toEqual([
      ...["output safe", "tool-call", "output unsafe", "tool-result", "finish"],
    ]);
    expect(ran).toEqual([]);
    expect(chat.messages.at(-1)).toMatchObject({
      role: "tool",
      content: '{"error":"The call was cancelled."}',
    });
    await goesOn(chat, script);
  });

  test.each([
    '{"name": "look", "parameters": {"at": "a"}, "note": "bad"}',
    '{"name": "look", "parameters": {"at": "bad", "at": "a"}}',
  ])("takes nothing along that was not judged: %s", async (written) => {
    const { chat, script, ran } = guardedSession([written, "Done."], {
      guard: { output: flagging("bad") },
    });
    const { stopReason } = await chat.send("x").result();
    expect({ stopReason, ran }).toEqual({ stopReason: "end-of-turn", ran: ["a"] });
    expect(script.asked.at(-1)?.prompt).toContain('{"name": "look", "parameters": {"at": "a"}}');
    expect(script.asked.at(-1)?.prompt).not.toContain("bad");
    await goesOn(chat, script);
  });

  test("that cannot be read is judged by what the model wrote", async () => {
    const broken = '<function=look>{"at": bad}</function>';
    const { chat } = guardedSession([broken], { guard: { output: flagging("bad") } });
    const { events, end } = watch(chat.send("x"));
    await end;
    expect(told(events)).toEqual(["output unsafe", "finish"]);
  });
});

describe("a tool's result", () => {
  const both = `${call("look", { at: "bad" })}; ${call("look", { at: "a" })}; ${call("ask", {})}`;
  const ask = { type: "function", function: { name: "ask" } } as const;

  test("is judged only where somebody is named for it", async () => {
    const { chat } = guardedSession([call("look", { at: "bad" }), "Done."], {
      guard: { input: flagging("bad") },
    });
    expect((await chat.send("x").result()).stopReason).toBe("end-of-turn");
  });

  test("that is blocked is told to nobody, and no call is left behind", async () => {
    const guard = flagging('seen":"bad');
    const { chat, script, ran } = guardedSession([both], {
      guard: { toolResults: guard },
      tools: [ask],
    });
    const turn = chat.send("x");
    const { events, end } = watch(turn);
    await end;
    const result = await turn.result();
    expect(result).toMatchObject({
      stopReason: "moderated",
      toolCalls: [],
      blocked: { safe: false },
    });
    expect(ran).toEqual(["bad", "a"]);
    expect(chat.messages.slice(2)).toMatchObject([
      { tool_call_id: "call_0", content: '{"error":"The result was withheld by moderation."}' },
      { tool_call_id: "call_1", content: '{"seen":"a"}' },
      { tool_call_id: "call_2", content: '{"error":"The call was cancelled."}' },
    ]);
    expect(JSON.stringify(events)).not.toContain('seen":"bad');
    expect(guard.judged[0]).toMatchObject([
      user("x"),
      { role: "assistant" },
      { role: "tool", content: '{"seen":"bad"}' },
    ]);
    await goesOn(chat, script, 'seen": "bad');
  });

  test("is told as it was judged, whatever else the object has", async () => {
    const live = Object.assign(new Map([["bad", 1]]), { good: true });
    const peek = defineTool({ name: "peek", execute: () => live });
    const results = async (guard: ChatSessionOptions["guard"]) => {
      const { chat } = guardedSession([call("peek", {}), "Done."], {
        ...(guard && { guard }),
        tools: [peek],
      });
      const { events, end } = watch(chat.send("x"));
      await end;
      return events.flatMap((event) => (event.type === "tool-result" ? [event.result] : []));
    };
    expect(await results({ toolResults: flagging("bad") })).toStrictEqual([{ good: true }]);
    expect((await results(undefined))[0]).toBe(live);
  });

  test("of the caller's is judged in the input", async () => {
    const guard = { toolResults: flagging("bad") };
    const { chat, script } = guardedSession([call("ask", {}), "Done."], { guard, tools: [ask] });
    await chat.send("x").result();
    const before = chat.messages;
    const answer = (content: string) => chat.send({ role: "tool", content }).result();
    expect(await answer("bad")).toMatchObject({ stopReason: "moderated", messages: [] });
    expect(chat.messages).toEqual(before);
    expect((await answer("good")).message.content).toBe("Done.");
    await goesOn(chat, script);
  });
});
