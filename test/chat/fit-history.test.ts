import { fitPrompt } from "../../lib/chat/fit-history.js";
import { TokenCounts } from "../../lib/chat/token-counts.js";
import type { RenderableMessage } from "../../lib/messages/pairing.js";
import type { Model } from "../../lib/model/model.js";

/** Each letter is a token. */
const tokenized: string[] = [];
const model = {
  tokenizeAsync: async (text: string) => {
    tokenized.push(text);
    return new Int32Array(text.length);
  },
} as unknown as Model;

function history(turns: number): RenderableMessage[] {
  const messages = Array.from({ length: turns }, (_, turn): RenderableMessage[] => [
    { role: "user", content: `question ${turn}` },
    { role: "assistant", content: `answer ${turn}`, tool_calls: [] },
  ]);
  return [{ role: "system", content: "system" }, ...messages.flat()];
}

async function fitted(messages: readonly RenderableMessage[], room: number, dropped = 0) {
  let renders = 0;
  tokenized.length = 0;
  const render = async (kept: readonly RenderableMessage[]) => {
    renders += 1;
    return kept.map(({ content }) => ({ text: content }));
  };
  const counts = new TokenCounts(model);
  return { ...(await fitPrompt(messages, render, { dropped, room, counts })), renders };
}

const size = (messages: readonly RenderableMessage[]) =>
  messages.reduce((sum, { content }) => sum + content.length, 0);

test.each([1, 2, 3, 10, 57])("of %i turns as few go as make room", async (turns) => {
  const messages = history(turns);
  for (let room = 10; room < size(messages) + 40; room += 7) {
    const { dropped, messages: kept } = await fitted(messages, room);
    if (size(messages) <= room) {
      expect(dropped).toBe(0);
      continue;
    }
    expect(dropped).toBe(
      Array.from({ length: turns }, (_, count) => count).find((count) => {
        const rest = [messages[0] as RenderableMessage, ...messages.slice(1 + 2 * count)];
        return count === turns - 1 || (count > 0 && size(rest) <= room * 0.75);
      }),
    );
    expect(kept).toHaveLength(1 + 2 * (turns - dropped));
  }
});

test("a hundred thousand turns are rendered a few times, and hardly tokenized", async () => {
  const { dropped, renders } = await fitted(history(100_000), 500);
  expect(dropped).toBeGreaterThan(99_900);
  expect(renders).toBeLessThan(20);
  expect(tokenized.length).toBeLessThan(1000);
});

test("what cannot be made shorter is not tokenized", async () => {
  await fitted(history(1), 5);
  await fitted(history(3), 5, 2);
  expect(tokenized).toEqual([]);
});

test("a message is tokenized once, however many turns it is in", async () => {
  tokenized.length = 0;
  const counts = new TokenCounts(model);
  const render = async (kept: readonly RenderableMessage[]) =>
    kept.map(({ content }) => ({ text: content }));
  let messages = history(40);
  let dropped = 0;
  for (let turn = 40; turn < 60; turn++) {
    messages = [...messages, { role: "user", content: `question ${turn}` }];
    ({ dropped } = await fitPrompt(messages, render, { dropped, room: 700, counts }));
    messages = [...messages, { role: "assistant", content: `answer ${turn}`, tool_calls: [] }];
  }
  expect(dropped).toBeGreaterThan(0);
  expect(new Set(tokenized).size).toBe(tokenized.length);
});
