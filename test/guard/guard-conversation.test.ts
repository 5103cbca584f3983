import { readConversation } from "../../lib/guard/guard-conversation.js";
import { type ChatMessageInput, promptToString, renderGuardPrompt } from "../../lib/index.js";

const user = (content: string): ChatMessageInput => ({ role: "user", content });
const agent = (content: string): ChatMessageInput => ({ role: "assistant", content });
const tool = (content: string | object): ChatMessageInput => ({ role: "tool", content });
const calls = (content: string | null, ...names: string[]): ChatMessageInput => ({
  role: "assistant",
  content,
  tool_calls: names.map((name, at) => ({
    id: `${at}`,
    function: { name, arguments: { city: "Lisbon" } },
  })),
});
const CALL = '{"name": "look", "parameters": {"city": "Lisbon"}}';

/** As lines, "u: Hi". */
const turns = (...messages: ChatMessageInput[]) =>
  readConversation(messages, "conversation").map(({ role, text }) => `${role[0]}: ${text}`);

test.each<[string, ChatMessageInput[], string[]]>([
  ["one message", [user("Hi")], ["u: Hi"]],
  ["white space around it", [user(" \n\u3000Hi \x1f\n")], ["u: Hi"]],
  ["turns", [user("a"), agent("b"), user("c")], ["u: a", "a: b", "u: c"]],
  ["several of the user's", [user("a"), user("b"), agent("c")], ["u: a\n\nb", "a: c"]],
  ["several of the assistant's", [user("a"), agent("b"), agent("c")], ["u: a", "a: b\n\nc"]],
  ["parts", [{ role: "user", content: ["a", "b"].map(part) }], ["u: a\nb"]],
  [
    "system messages",
    [{ role: "system", content: "x" }, user("a"), { role: "developer", content: "" }, user("b")],
    ["u: a\n\nb"],
  ],
  ["a system message at the end", [user("a"), { role: "system", content: "x" }], ["u: a"]],
  ["the assistant first", [agent("a"), user("b")], ["u: Hello.", "a: a", "u: b"]],
  ["the assistant alone", [agent("a")], ["u: Hello.", "a: a"]],
  ["a call", [user("a"), calls(null, "look")], ["u: a", `a: ${CALL}`]],
  [
    "text with calls",
    [user("a"), calls("I look.", "look", "look")],
    ["u: a", `a: I look.\n\n${CALL}; ${CALL}`],
  ],
  [
    "results",
    [user("a"), calls("", "look", "look"), tool("21 degrees"), tool({ sun: true }), agent("b")],
    ["u: a", `a: ${CALL}; ${CALL}`, 'u: 21 degrees\n\n{"sun":true}', "a: b"],
  ],
  ["a result whose call is not there", [tool("sunny")], ["u: sunny"]],
  ["a result and the user", [user("a"), tool("b"), user("c")], ["u: a\n\nb\n\nc"]],
  [
    "an empty result",
    [user("a"), calls(null, "look"), tool(" "), agent("b")],
    ["u: a", `a: ${CALL}\n\nb`],
  ],
  [
    "an empty result beside another",
    [agent("a"), tool(""), tool("b")],
    ["u: Hello.", "a: a", "u: b"],
  ],
])("%s", (_, messages, expected) => {
  expect(turns(...messages)).toEqual(expected);
});

function part(text: string) {
  return { type: "text", text } as const;
}

test("the judged side is the one that spoke last", () => {
  const judged = (...messages: ChatMessageInput[]) =>
    /ONLY THE LAST (\w+) message/.exec(promptToString(renderGuardPrompt(messages)))?.[1];
  expect(judged(user("a"))).toBe("User");
  expect(judged(agent("a"))).toBe("Agent");
  expect(judged(user("a"), user("b"), agent("c"))).toBe("Agent");
  expect(judged(user("a"), calls(null, "look"), tool("b"))).toBe("User");
  expect(judged(user("a"), agent("b"), { role: "system", content: "c" })).toBe("Agent");
});

test("the caller's messages stay as they are", () => {
  const messages = [user(" a "), user("b")];
  Object.freeze(messages);
  for (const message of messages) Object.freeze(message);
  expect(turns(...messages)).toEqual(["u: a\n\nb"]);
  expect(messages).toEqual([user(" a "), user("b")]);
});
