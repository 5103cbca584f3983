// What the model is told of the page's conversation.
import {
  type Answer,
  addPiece,
  type CallPart,
  messagesOf,
  newConversation,
  openCalls,
  type Question,
  roundOf,
  titleOf,
} from "../../lib/page/conversation.js";

const asks = (text: string, images: string[] = []): Question => ({ role: "user", text, images });
const answer = (...parts: Answer["parts"]): Answer => ({ role: "assistant", model: "m", parts });
const called = (id: string, round: number, result?: string): CallPart => ({
  ...{ type: "call", id, name: "f", arguments: "{}", round },
  ...(result !== undefined && { result }),
});
const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });

test("texts are told, thoughts are not", () => {
  const said = answer({ type: "reasoning", text: "hm" }, { type: "text", text: "b" });
  expect(messagesOf([asks("a"), said, asks("c"), answer()])).toEqual([
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
    { role: "user", content: "c" },
  ]);
});

test("pictures are parts in front of the text", () => {
  expect(messagesOf([asks("a", ["data:1", "data:2"])])).toEqual([
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url: "data:1" } },
        { type: "image_url", image_url: { url: "data:2" } },
        { type: "text", text: "a" },
      ],
    },
  ]);
  const [{ content = "" } = {}] = messagesOf([asks("", ["data:1"])]);
  expect(content).toHaveLength(1);
});

test("calls of one round share a message, and those behind a result have the next", () => {
  const said = answer(
    { type: "text", text: "Let me see." },
    called("a", 0, "1"),
    called("b", 0, "2"),
    called("c", 1, "3"),
    { type: "text", text: "Done." },
  );
  expect(messagesOf([said])).toEqual([
    { role: "assistant", content: "Let me see.", tool_calls: [call("a"), call("b")] },
    { role: "tool", tool_call_id: "a", content: "1" },
    { role: "tool", tool_call_id: "b", content: "2" },
    { role: "assistant", content: "", tool_calls: [call("c")] },
    { role: "tool", tool_call_id: "c", content: "3" },
    { role: "assistant", content: "Done." },
  ]);
});

test("a call that nobody has answered has an answer that says so", () => {
  const messages = messagesOf([answer(called("a", 0)), asks("And now?")]);
  expect(messages.map(({ role }) => role)).toEqual(["assistant", "tool", "user"]);
  expect(messages[1]?.content).toMatch(/not carried out/);
});

test.each(['{"ci', "", "[1]", "null"])("a call that was cut off has no arguments: %j", (cut) => {
  const [said] = messagesOf([answer({ ...called("a", 0), arguments: cut }), asks("And now?")]);
  expect(said).toMatchObject({ tool_calls: [call("a")] });
});

test("a round ends with its first result", () => {
  const said = answer(called("a", 0), called("b", 0));
  expect(roundOf(answer())).toBe(0);
  expect(roundOf(said)).toBe(0);
  expect(openCalls(said)).toHaveLength(2);
  (said.parts[0] as CallPart).result = "";
  expect(roundOf(said)).toBe(1);
  expect(openCalls(said).map(({ id }) => id)).toEqual(["b"]);
});

test("pieces of one kind are one part", () => {
  const said = answer();
  for (const [type, text] of [
    ...[["reasoning", "a"] as const, ["reasoning", "b"] as const],
    ...[["text", "c"] as const, ["text", "d"] as const],
  ]) {
    addPiece(said, type, text);
  }
  expect(said.parts).toEqual([
    { type: "reasoning", text: "ab" },
    { type: "text", text: "cd" },
  ]);
});

test("a conversation goes by its first question", () => {
  const titled = (...turns: Question[]) => titleOf({ ...newConversation(), turns });
  expect(titled()).toBe("New chat");
  expect(titled(asks("  a\n\tb "), asks("c"))).toBe("a b");
  expect(titled(asks("", ["data:1"]))).toBe("A picture");
  expect(titled(asks("x".repeat(100)))).toBe(`${"x".repeat(60)}…`);
  expect(newConversation().id).not.toBe(newConversation().id);
});
