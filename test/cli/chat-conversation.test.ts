import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Conversation } from "../../lib/cli/chat-conversation.js";
import { visible } from "../../lib/cli/terminal/visible.js";
import { Model, Sampler } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";

let model: Model;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-conversation-"));
  model = await Model.load(MODEL);
});
afterAll(async () => {
  await model.dispose();
  await rm(directory, { recursive: true });
});

test("a file that is refused leaves the conversation as it was, and one that is loaded replaces it", async () => {
  const context = await model.createContext();
  const conversation = await Conversation.open(context, {
    generate: { sampler: Sampler.greedy(), maxTokens: 8 },
    tools: [],
    system: undefined,
  });
  const file = join(directory, "chat.json");
  const written = async () => {
    await conversation.save(file);
    return JSON.parse(await readFile(file, "utf8"));
  };
  await conversation.send("What do llamas eat?", () => {}).result();
  const before = await written();
  expect(before).toHaveLength(2);
  const hostile = join(directory, "hostile.json");
  for (const content of ["{", "{}", '[{"role":"root","content":""}]']) {
    await writeFile(hostile, content);
    await expect(conversation.load(hostile)).rejects.toThrow("is not a conversation");
    expect(await written()).toEqual(before);
  }
  const given = [{ role: "system", content: "Be kind and clear." }];
  await writeFile(hostile, JSON.stringify(given));
  await conversation.load(hostile);
  expect(await written()).toEqual(given);
  conversation.reset();
  expect(await written()).toEqual([]);
});

test.each([
  ["plain text: é, 漢字, 🦙", "plain text: é, 漢字, 🦙"],
  ["a\nb\tc\rd", "a\\nb\\tc\\rd"],
  ["\u001b[31m\u0007\u007f\u009b2J", "\\u001b[31m\\u0007\\u007f\\u009b2J"],
  ["left\u202eright\u2028\u{e0001}", "left\\u202eright\\u2028\\u{e0001}"],
  ["x".repeat(501), `${"x".repeat(500)}… (501 characters)`],
])("%j is shown as %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
});
