import type { ChatTurn, GuardVerdict } from "../../../lib/index.js";
import {
  assistant,
  flagging,
  goesOn,
  guardedSession,
  settled,
  told,
  user,
  watch,
  watchRejections,
} from "../../support/moderators.js";
import { call } from "../../support/scripted-context.js";

const never = new Promise<never>(() => {});

watchRejections();

describe("a guard that fails fails the turn", () => {
  const broken = (answer: () => unknown) => ({ moderate: answer as () => Promise<GuardVerdict> });
  const error = new Error("broken");
  test.each<[string, () => unknown, unknown]>([
    ["rejecting", () => Promise.reject(error), error],
    [
      "throwing",
      () => {
        throw error;
      },
      error,
    ],
    ["without a verdict", async () => undefined, { code: "ERR_GUARD_UNREADABLE" }],
    ["with half a verdict", async () => ({ safe: 1 }), { code: "ERR_GUARD_UNREADABLE" }],
    ["at once", () => ({ safe: "yes" }), { code: "ERR_GUARD_UNREADABLE" }],
  ])("%s", async (_, answer, expected) => {
    const guard = broken(answer);
    for (const key of ["input", "output", "toolResults"]) {
      const { chat, script } = guardedSession([{ pieces: [`Well. ${call("look", {})}`] }, "x"], {
        guard: { [key]: guard },
      });
      const turn = chat.send("x");
      const { events, end } = watch(turn);
      if (expected === error) await expect(end).rejects.toBe(error);
      else await expect(end).rejects.toMatchObject(expected as object);
      await expect(turn.result()).rejects.toThrow();
      expect(told(events)).toEqual(key === "toolResults" ? ["Well.", "tool-call"] : []);
      expect(chat.messages).toEqual([]);
      expect(script.running).toBe(0);
      expect((await chat.send("x", { guard: {} }).result()).stopReason).toBe("end-of-turn");
    }
  });

  test("in the midst of an answer that would not end", async () => {
    const guard = flagging("bad", ({ content }) => {
      if (String(content).includes("Two")) throw error;
    });
    const { chat, script } = guardedSession(
      [{ pieces: ["One. ", settled(), "Tw", settled(), "o. T", never] }],
      {
        guard,
      },
    );
    const { events, end } = watch(chat.send("x"));
    await expect(end).rejects.toBe(error);
    expect(told(events)).toEqual(["input safe", "output safe", "One. "]);
    expect(chat.messages).toEqual([]);
    await settled();
    expect(script.running).toBe(0);
    await goesOn(chat, script, "Two");
  });

  test("and a model that fails stops the judgement", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const guard = flagging("bad", (_, signal) => {
      signals.push(signal);
      return never;
    });
    const { chat, script } = guardedSession([{ pieces: ["One. Two"], error }], {
      guard: { output: guard },
    });
    await expect(chat.send("x").result()).rejects.toBe(error);
    expect(signals).toMatchObject([{ aborted: true }]);
    await chat.send("x", { guard: {} }).result();
    expect(script.asked).toHaveLength(2);
  });
});

describe.each<[string, (turn: ChatTurn, abort: () => void) => void, boolean]>([
  ["cancel()", (turn) => turn.cancel(), false],
  ["an aborted signal", (_, abort) => abort(), true],
])("%s while the guard judges", (_, stop, rejects) => {
  const reason = new Error("enough");
  const safe = { role: "tool", content: '{"error":"The call was cancelled."}' };
  test.each<[string, string, string, object[]]>([
    ["the input leaves no trace", "input", "One.", []],
    ["the first piece leaves no trace", "output", "One.", []],
    ["a call leaves no trace", "output", call("look", { at: "a" }), []],
    [
      "a result leaves a call that was cancelled",
      "toolResults",
      call("look", {}),
      [user("x"), { role: "assistant" }, safe],
    ],
  ])("%s", async (_, key, answer, left) => {
    const controller = new AbortController();
    const signals: (AbortSignal | undefined)[] = [];
    const guard = flagging("bad", (_, signal) => {
      signals.push(signal);
      return never;
    });
    const { chat, script, ran } = guardedSession([answer], { guard: { [key]: guard } });
    const turn = chat.send("x", { signal: controller.signal });
    const { events, end } = watch(turn);
    await settled();
    expect(guard.running).toBe(1);
    stop(turn, () => controller.abort(reason));
    if (rejects) await expect(turn.result()).rejects.toBe(reason);
    else expect(await turn.result()).toMatchObject({ stopReason: "cancelled" });
    await end.catch(() => {});
    expect(signals).toMatchObject([{ aborted: true }]);
    expect(events.some(({ type }) => type === "text")).toBe(false);
    expect(chat.messages).toMatchObject(left);
    expect(ran).toEqual(key === "toolResults" ? [""] : []);
    const rest = key === "input" ? [answer, "Hi."] : ["Hi."];
    for (const content of rest) {
      const { message } = await chat.send("Hello", { guard: {} }).result();
      expect(message.content).toBe(content);
    }
    expect(script.running).toBe(0);
  });

  test("a later piece leaves what was shown, without the tokens of the rest", async () => {
    const controller = new AbortController();
    const guard = flagging("bad", () => (guard.judged.length > 1 ? never : undefined));
    const { chat, script } = guardedSession([{ pieces: ["One. ", settled(), "Two. ", never] }], {
      guard: { output: guard },
    });
    const turn = chat.send("x", { signal: controller.signal });
    await settled();
    await settled();
    stop(turn, () => controller.abort(reason));
    await turn.result().catch(() => {});
    expect(chat.messages).toEqual([user("x"), assistant("One. ")]);
    await chat.send("Hello", { guard: {} }).result();
    expect(script.asked.at(-1)?.prompt).not.toContain("Two");
  });
});
