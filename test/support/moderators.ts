import {
  type ChatEvent,
  type ChatMessage,
  ChatSession,
  type ChatSessionOptions,
  type ChatTurn,
  defineTool,
  type GuardVerdict,
  type Moderator,
} from "../../lib/index.js";
import { type Scripted, type ScriptedAnswer, scripted } from "./scripted-context.js";

export interface StubModerator extends Moderator {
  /** The conversations that were judged, in order. */
  readonly judged: (readonly ChatMessage[])[];
  /** How many judgements run. */
  running: number;
}

export function verdictOf(safe: boolean, judged: GuardVerdict["judged"]): GuardVerdict {
  return { safe, score: safe ? 0.1 : 0.9, categories: [], unknownCodes: [], judged, raw: "" };
}

/** All that a guard reads of a message. */
export function textOf(message: ChatMessage): string {
  const calls = message.role === "assistant" ? (message.tool_calls ?? []) : [];
  return `${message.content ?? ""}${calls.map((call) => JSON.stringify(call.function)).join("")}`;
}

/** Finds a message unsafe that has this word in it. What `before` returns is waited for. */
export function flagging(
  word: string,
  before: (message: ChatMessage, signal: AbortSignal | undefined) => unknown = () => {},
): StubModerator {
  const stub: StubModerator = {
    judged: [],
    running: 0,
    async moderate(conversation, options) {
      const message = conversation.at(-1) as ChatMessage;
      stub.judged.push(conversation);
      stub.running += 1;
      try {
        await before(message, options?.signal);
      } finally {
        stub.running -= 1;
      }
      const judged = message.role === "assistant" ? "assistant" : "user";
      return verdictOf(!textOf(message).includes(word), judged);
    },
  };
  return stub;
}

export const user = (content: string) => ({ role: "user", content }) as const;
export const assistant = (content: string) => ({ role: "assistant", content }) as const;

/** A session whose model gives these answers, and "Hi." behind them; `ran` is what its tool was given. */
export function guardedSession(
  answers: readonly (string | ScriptedAnswer)[],
  options: ChatSessionOptions,
) {
  const ran: string[] = [];
  const look = defineTool({
    name: "look",
    parameters: { type: "object", properties: { at: { type: "string" } } },
    execute: ({ at = "" }) => {
      ran.push(at);
      return { seen: at };
    },
  });
  const script = scripted([...answers, "Hi."]);
  const tools = [look, ...(options.tools ?? [])];
  const chat = new ChatSession(script.context, { constrainTools: false, ...options, tools });
  return { chat, script, ran };
}

/** What a turn has told until now, and its end. */
export function watch(turn: ChatTurn) {
  const events: ChatEvent[] = [];
  const end = (async () => {
    for await (const event of turn) events.push(event);
  })();
  end.catch(() => {});
  return { events, end };
}

/** Events in a word each, texts as they are. */
export function told(events: readonly ChatEvent[]): string[] {
  return events.map((event) => {
    if (event.type === "text") return event.text;
    if (event.type !== "moderation") return event.type;
    return `${event.direction} ${event.verdict.safe ? "safe" : "unsafe"}`;
  });
}

/** The next turn works, and its prompt has nothing of what was blocked. */
export async function goesOn(chat: ChatSession, { asked }: Scripted, word = "bad"): Promise<void> {
  const before = chat.messages;
  const result = await chat.send("Hello").result();
  expect(result.messages).toEqual([user("Hello"), assistant("Hi.")]);
  expect(chat.messages).toEqual([...before, ...result.messages]);
  expect(asked.at(-1)?.prompt).not.toContain(word);
}

/** Long enough for all that needs no time. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
}

/** Fails the test behind which a rejection was left over. */
export function watchRejections(): void {
  const rejections: unknown[] = [];
  const onRejection = (error: unknown) => rejections.push(error);
  beforeAll(() => process.on("unhandledRejection", onRejection));
  afterAll(() => process.off("unhandledRejection", onRejection));
  afterEach(async () => {
    await settled();
    expect(rejections).toEqual([]);
  });
}
