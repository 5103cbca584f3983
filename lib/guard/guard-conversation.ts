import { expected, invalid } from "../internal/errors.js";
import { pythonJson } from "../internal/json-text.js";
import { atOnce, type Steps } from "../internal/steps.js";
import { type ChatMessageInput, unpairedSteps } from "../messages/messages.js";
import type { UnpairedMessage } from "../messages/pairing.js";
import { strip } from "../messages/white-space.js";

/** What one side says until the other one speaks. */
export interface GuardTurn {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** Put before an assistant that speaks first: the model knows only conversations that a user begins. */
const GREETING: GuardTurn = { role: "user", text: "Hello." };

/**
 * A conversation as Llama Guard knows them: user and agent in turn, the user first. A string is one
 * message of the user's.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED for parts that are no text
 */
export function readConversation(
  conversation: string | readonly ChatMessageInput[],
  name: string,
): GuardTurn[] {
  return atOnce(conversationSteps(conversation, name));
}

/** The same, message by message. */
export function* conversationSteps(
  conversation: string | readonly ChatMessageInput[],
  name: string,
): Steps<GuardTurn[]> {
  if (typeof conversation === "string") {
    const text = strip(conversation);
    if (text === "") throw empty(name, conversation);
    return [{ role: "user", text }];
  }
  if (typeof conversation !== "object" || conversation === null) {
    throw expected("a string or an array of messages", name, conversation);
  }
  const turns: { role: GuardTurn["role"]; texts: string[] }[] = [];
  let last: number | undefined;
  for (const [index, message] of (yield* unpairedSteps(conversation, name)).entries()) {
    yield;
    if (message.role === "system") continue;
    const text = textOf(message);
    // Only tools may return nothing.
    if (text === "" && message.role !== "tool") {
      throw empty(`${name}[${index}].content`, message.content);
    }
    const role = message.role === "assistant" ? "assistant" : "user";
    if (turns.at(-1)?.role !== role) turns.push({ role, texts: [] });
    if (text !== "") turns.at(-1)?.texts.push(text);
    last = index;
  }
  if (last === undefined) {
    throw invalid(`\`${name}\` has only system messages: nothing in it is judged`, { name });
  }
  if (turns.at(-1)?.texts.length === 0) throw empty(`${name}[${last}].content`, "");
  return startWithUser(withoutEmpty(turns));
}

/** Puts a greeting of the user's first if the assistant speaks first. */
export function startWithUser(turns: readonly GuardTurn[]): GuardTurn[] {
  return turns[0]?.role === "assistant" ? [GREETING, ...turns] : [...turns];
}

/** Leaves out turns in which tools returned nothing, and joins the turns around them. */
function withoutEmpty(
  turns: readonly { readonly role: GuardTurn["role"]; readonly texts: readonly string[] }[],
): GuardTurn[] {
  const joined: { role: GuardTurn["role"]; text: string }[] = [];
  for (const { role, texts } of turns) {
    if (texts.length === 0) continue;
    const text = texts.join("\n\n");
    const before = joined.at(-1);
    if (before?.role === role) before.text += `\n\n${text}`;
    else joined.push({ role, text });
  }
  return joined;
}

/** What a guard reads of a message: calls as the models write them, a tool's result as it is. */
function textOf(message: UnpairedMessage): string {
  const content = strip(message.content);
  if (message.role !== "assistant") return content;
  const calls = message.calls.map(
    (call) => `{"name": ${JSON.stringify(call.name)}, "parameters": ${pythonJson(call.arguments)}}`,
  );
  return [content, calls.join("; ")].filter((text) => text !== "").join("\n\n");
}

function empty(name: string, got: unknown): Error {
  return expected("non-empty text", name, got);
}
