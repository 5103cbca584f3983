import {
  type ChatMessageInput,
  type Context,
  type GuardConversation,
  type GuardResult,
  LlamaGuard,
  Model,
  renderGuardPrompt,
} from "../../lib/index.js";
import { idsOf } from "../support/demo.js";
import { MODEL } from "../support/paths.js";

const code = (code: string) => expect.objectContaining({ code });
const [ATTACK, LLAMAS] = ["How can I attack a stranger?", "What do llamas eat?"];

let model: Model;
let context: Context;
let guard: LlamaGuard;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 400, sequences: 4 });
  guard = new LlamaGuard(context, { variant: "llama-guard-3-8b" });
});
afterAll(() => model.dispose());

async function all(results: AsyncIterable<GuardResult>): Promise<GuardResult[]> {
  const list: GuardResult[] = [];
  for await (const result of results) list.push(result);
  return list.sort((a, b) => a.index - b.index);
}

test("gives every conversation the verdict that it gets alone", async () => {
  const conversations: GuardConversation[] = [
    LLAMAS,
    [{ role: "user", content: ATTACK }],
    [
      { role: "user", content: "How can I steal cars?" },
      { role: "assistant", content: "Sure, here is how to steal cars." },
    ],
    `${LLAMAS} `.repeat(80),
    "I want to hurt myself tonight.",
    "Hello!",
  ];
  const results = await all(guard.moderateMany(conversations));
  expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  for (const [index, conversation] of conversations.entries()) {
    const alone = await guard.moderate(conversation);
    const { verdict } = results[index] as GuardResult;
    expect(verdict).toEqual({ ...alone, score: expect.any(Number) });
    expect(Math.abs((verdict?.score ?? 1) - alone.score)).toBeLessThan(0.01);
  }
});

test("one that cannot be judged fails alone, and says which it is", async () => {
  const conversations = [LLAMAS, "", [{ role: "user" }], ATTACK] as GuardConversation[];
  const results = await all(guard.moderateMany(conversations));
  expect(results.map(({ verdict }) => verdict?.safe)).toEqual([true, undefined, undefined, false]);
  for (const index of [1, 2]) {
    expect(results[index]?.error).toEqual(code("ERR_INVALID_ARGUMENT"));
    expect(String(results[index]?.error)).toContain(`\`conversations[${index}]`);
  }
});

test("takes an async source, reads little ahead of what is taken, and closes it", async () => {
  let [read, closed] = [0, false];
  async function* source(): AsyncGenerator<GuardConversation> {
    try {
      for (;;) yield [LLAMAS, ATTACK][read++ % 2] as string;
    } finally {
      closed = true;
    }
  }
  let taken = 0;
  for await (const { error } of guard.moderateMany(source())) {
    expect(error).toBeUndefined();
    expect(read).toBeLessThanOrEqual(taken + 4 + 2 + 2);
    if (++taken === 10) break;
  }
  expect(closed).toBe(true);
  expect(await guard.moderate(LLAMAS)).toMatchObject({ safe: true });
});

test("options hold for all", async () => {
  const results = await all(guard.moderateMany([ATTACK, ATTACK], { categories: false }));
  for (const { verdict } of results) {
    expect(verdict).toMatchObject({ safe: false, categories: [], raw: "" });
  }
});

test("an abort ends it with its reason, and an error of the source comes last", async () => {
  const controller = new AbortController();
  const many = guard.moderateMany(Array(50).fill(ATTACK), { signal: controller.signal });
  await many.next();
  controller.abort("stop");
  await expect(many.next()).rejects.toBe("stop");
  expect(await many.next()).toEqual({ done: true, value: undefined });
  function* broken(): Generator<GuardConversation> {
    yield LLAMAS;
    throw new Error("no more");
  }
  const results: GuardResult[] = [];
  const reading = (async () => {
    for await (const result of guard.moderateMany(broken())) results.push(result);
  })();
  await expect(reading).rejects.toThrow("no more");
  expect(results).toHaveLength(1);
});

test("a context that is disposed ends it", async () => {
  const own = await model.createContext({ contextSize: 400 });
  const many = new LlamaGuard(own, { variant: "llama-guard-3-8b" }).moderateMany(
    Array(50).fill(ATTACK),
  );
  await many.next();
  await own.dispose();
  await expect(all(many)).rejects.toEqual(code("ERR_DISPOSED"));
});

test.each([undefined, null, "text", 3, {}])("%p is no iterable of conversations", (value) => {
  expect(() => guard.moderateMany(value as never)).toThrow(code("ERR_INVALID_ARGUMENT"));
  expect(() => guard.moderateMany(value as never)).toThrow("`conversations`");
});

test.each([{ signal: 1 }, { categories: 0 }, { ordered: true }])("%p are no options", (options) => {
  expect(() => guard.moderateMany([], options as never)).toThrow(code("ERR_INVALID_ARGUMENT"));
});

describe.each(["per-sequence", "unified"] as const)("with a %s KV cache", (kvCache) => {
  test("200 messages evaluate the policy once", async () => {
    const own = await model.createContext({
      contextSize: 400,
      sequences: 8,
      kvCache,
    });
    const guard = new LlamaGuard(own, { variant: "llama-guard-3-8b" });
    const messages = Array.from({ length: 200 }, (_, at) => `Tell me ${at} things about llamas.`);
    const results = await all(guard.moderateMany(messages, { categories: false }));
    expect(results.every(({ error }) => error === undefined)).toBe(true);
    const render = (text: string) => [...renderGuardPrompt(text), { text: "\n\n" }];
    const prompts = messages.map((message) => idsOf(model, render(message)));
    const [first, second] = prompts as [Int32Array, Int32Array];
    const common = first.findIndex((id, at) => id !== second[at]);
    const together = prompts.reduce((sum, { length }) => sum + length, 0);
    const least = together - 199 * common;
    // What begins a message alike is shared, too, and some tokens are evaluated again beside others.
    expect(own.stats.decodedTokens).toBeLessThanOrEqual(least * 1.05);
    expect(least).toBeLessThan(together / 2);
    await own.dispose();
  });
});

test("conversations may be of OpenAI's read-only kinds", async () => {
  const conversation: readonly ChatMessageInput[] = Object.freeze([
    { role: "user", content: LLAMAS } as const,
  ]);
  expect(await all(guard.moderateMany(new Set([conversation])))).toHaveLength(1);
});
