import { ChatSession, type Context, Model, Sampler } from "../../lib/index.js";
import { endTokens, forbidden } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { GREEDY, weather } from "../support/session-tools.js";

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 2048 });
});
afterAll(() => model.dispose());

async function contextOf(contextSize: number): Promise<Context> {
  return model.createContext({ contextSize });
}

test("the demo model calls a tool, gets its result and answers with it", async () => {
  const chat = new ChatSession(context, { ...GREEDY, tools: [weather] });
  const turn = chat.send("What is the weather in Lisbon?");
  const types: string[] = [];
  for await (const { type } of turn) types.push(type);
  expect(types.filter((type) => type !== "text")).toEqual(["tool-call", "tool-result", "finish"]);
  const { message, messages, stopReason } = await turn.result();
  expect(message.content).toBe("It is 21 degrees and sunny in Lisbon.");
  expect(stopReason).toBe("end-of-turn");
  expect(messages[1]).toMatchObject({
    tool_calls: [{ function: { name: "get_weather", arguments: '{"city":"Lisbon"}' } }],
  });
});

/** Text that the renderer would change, were it not for the tokens: white space around it. */
const talk = (chat: ChatSession, i: number) => chat.send(`My name is Ada ${i}. What is my name?`);

describe("of a turn only what is new is evaluated", () => {
  test("over 20 turns, where the model ends its answers", async () => {
    const own = await contextOf(2048);
    const chat = new ChatSession(own, { ...GREEDY, maxTokens: 20 });
    let before = 0;
    let ended = 0;
    for (let turn = 0; turn < 20; turn++) {
      const { usage, stopReason } = await talk(chat, turn).result();
      if (stopReason === "end-of-turn") ended += 1;
      // The token that ended the answer was sampled, not evaluated; it begins what is new.
      if (turn > 0) expect(usage.cachedTokens).toBe(before);
      before = usage.promptTokens + usage.completionTokens - 1;
    }
    expect(ended).toBeGreaterThan(1);
    await own.dispose();
  });

  test("over 20 turns, where answers are cut off", async () => {
    const own = await contextOf(2048);
    const sampler = new Sampler({
      temperature: 1.5,
      seed: 1,
      logitBias: forbidden(endTokens(model)),
    });
    const chat = new ChatSession(own, { ...GREEDY, sampler, maxTokens: 20 });
    let before = 0;
    for (let turn = 0; turn < 20; turn++) {
      const { usage, stopReason } = await talk(chat, turn).result();
      expect(stopReason).toBe("max-tokens");
      // Of such an answer the last token was not evaluated either.
      if (turn > 0) expect(usage.cachedTokens).toBe(before);
      before = usage.promptTokens + usage.completionTokens - 1;
    }
    await own.dispose();
  });

  test("with tools, round by round", async () => {
    const own = await contextOf(2048);
    const chat = new ChatSession(own, { ...GREEDY, tools: [weather] });
    const first = await chat.send("What is the weather in Lisbon?").result();
    const again = await chat.send("What is the weather in Lisbon?").result();
    expect(first.messages).toHaveLength(4);
    // All of the prompts but the first one's tokens, and what each result and question brought.
    const { promptTokens, cachedTokens } = again.usage;
    expect(promptTokens - cachedTokens).toBeLessThan(120);
    expect(cachedTokens).toBeGreaterThan(first.usage.promptTokens);
    await own.dispose();
  });
});

describe("a history that outgrows the context", () => {
  test("loses whole oldest turns from the prompt, never the system message", async () => {
    const own = await contextOf(256);
    const chat = new ChatSession(own, { ...GREEDY, system: "You are a llama.", maxTokens: 24 });
    const prompts: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const { usage, stopReason } = await talk(chat, turn).result();
      expect(stopReason).toBe("end-of-turn");
      prompts.push(usage.promptTokens);
    }
    expect(Math.max(...prompts)).toBeLessThanOrEqual(256 - 24);
    expect(prompts.some((tokens, at) => tokens < (prompts[at - 1] ?? 0))).toBe(true);
    expect(chat.messages).toHaveLength(41);
    expect(chat.messages[0]).toEqual({ role: "system", content: "You are a llama." });
    await own.dispose();
  });

  test("that one turn alone outgrows is ERR_CONTEXT_FULL, and changes nothing", async () => {
    const own = await contextOf(256);
    const chat = new ChatSession(own, { ...GREEDY, maxTokens: 24 });
    await talk(chat, 0).result();
    const before = chat.messages;
    await expect(chat.send("llama ".repeat(400)).result()).rejects.toMatchObject({
      code: "ERR_CONTEXT_FULL",
    });
    expect(chat.messages).toEqual(before);
    expect((await talk(chat, 1).result()).stopReason).toBe("end-of-turn");
    await own.dispose();
  });
});

describe("a real generation is stopped", () => {
  const endless = () =>
    new Sampler({ temperature: 1, seed: 1, logitBias: forbidden(endTokens(model)) });

  test("in the prefill, and the session goes on", async () => {
    const chat = new ChatSession(context, GREEDY);
    const turn = chat.send("llama ".repeat(600));
    while (context.stats.activeGenerations === 0) await new Promise(setImmediate);
    turn.cancel();
    expect((await turn.result()).stopReason).toBe("cancelled");
    expect(chat.messages).toEqual([]);
    const { message } = await chat.send("What do llamas eat?").result();
    expect(message.content).toBe("Llamas eat grass, hay and other plants.");
  });

  test("in the answer, and what was shown is cached for the next turn", async () => {
    const own = await contextOf(1024);
    const chat = new ChatSession(own, GREEDY);
    const turn = chat.send("What do llamas eat?", { sampler: endless() });
    let shown = "";
    for await (const event of turn) {
      if (event.type === "text") shown += event.text;
      if (shown.length > 40) break;
    }
    const { stopReason, message, usage } = await turn.result();
    expect(stopReason).toBe("cancelled");
    expect((message.content as string).startsWith(shown)).toBe(true);
    expect(chat.messages.at(-1)).toEqual(message);
    const next = await chat.send("What do llamas eat?").result();
    expect(next.usage.cachedTokens).toBeGreaterThanOrEqual(usage.promptTokens);
    await own.dispose();
  });

  test("by a signal, with its reason", async () => {
    const chat = new ChatSession(context, GREEDY);
    const controller = new AbortController();
    const turn = chat.send("What do llamas eat?", {
      sampler: endless(),
      signal: controller.signal,
    });
    const reason = new Error("enough");
    const read = (async () => {
      for await (const event of turn) if (event.type === "text") controller.abort(reason);
    })();
    await expect(read).rejects.toBe(reason);
    await expect(turn.result()).rejects.toBe(reason);
    expect(chat.messages).toHaveLength(2);
  });

  test("by the context's end: ERR_DISPOSED, and the history as it was", async () => {
    const own = await contextOf(512);
    const chat = new ChatSession(own, GREEDY);
    const turn = chat.send("What do llamas eat?", { sampler: endless() });
    for await (const _ of turn) {
      void own.dispose();
      break;
    }
    const other = await contextOf(512);
    const gone = new ChatSession(other, GREEDY);
    await other.dispose();
    await expect(gone.send("x").result()).rejects.toMatchObject({ code: "ERR_DISPOSED" });
    expect(gone.messages).toEqual([]);
    await own.dispose();
  });
});
