import type { ContentPart, PageMessage, Verdict } from "./chat-transport.js";

/** What the user has written, and shown. */
export interface Question {
  readonly role: "user";
  readonly text: string;
  /** Data URLs. */
  readonly images: readonly string[];
  verdict?: Verdict;
}

export interface CallPart {
  readonly type: "call";
  readonly id: string;
  readonly name: string;
  arguments: string;
  /** Which calls were made together: those behind a result belong to the next round. */
  readonly round: number;
  result?: string;
  failed?: boolean;
}

export type AnswerPart = { readonly type: "text" | "reasoning"; text: string } | CallPart;

/** What became of a question: all rounds, where tools were called. */
export interface Answer {
  readonly role: "assistant";
  readonly model: string;
  readonly parts: AnswerPart[];
  verdict?: Verdict;
  /** How many tokens, and how fast. */
  note?: string;
  failure?: { readonly message: string; readonly code?: string };
}

export type Turn = Question | Answer;

export interface Conversation {
  readonly id: string;
  /** Milliseconds since 1970. */
  updated: number;
  turns: Turn[];
}

const TITLE_MAX = 60;
/** What the model is told where the user has gone on without an answer to its call. */
const NOT_CARRIED_OUT = '{"error": "This call was not carried out."}';

export function newConversation(): Conversation {
  return { id: randomId(), updated: Date.now(), turns: [] };
}

/** `crypto.randomUUID` is only there where the page came by HTTPS or from this machine. */
function randomId(): string {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return [...words].map((word) => word.toString(36)).join("-");
}

export function titleOf({ turns }: Conversation): string {
  const first = turns.find((turn) => turn.role === "user");
  const text = first?.text.trim().replace(/\s+/g, " ") || (first ? "A picture" : "New chat");
  return text.length > TITLE_MAX ? `${text.slice(0, TITLE_MAX)}…` : text;
}

/** The calls of the answer's last round that nobody has answered yet. */
export function openCalls({ parts }: Answer): readonly CallPart[] {
  return parts.filter((part) => part.type === "call").filter(({ result }) => result === undefined);
}

/** Adds to the last part where it is of the same kind. */
export function addPiece(answer: Answer, type: "text" | "reasoning", text: string): void {
  const last = answer.parts.at(-1);
  if (last?.type === type) last.text += text;
  else answer.parts.push({ type, text });
}

export function roundOf({ parts }: Answer): number {
  const calls = parts.filter((part) => part.type === "call");
  const last = calls.at(-1);
  if (last === undefined) return 0;
  const answered = calls.some(({ round, result }) => round === last.round && result !== undefined);
  return answered ? last.round + 1 : last.round;
}

/** The conversation as the model is told it. Thoughts stay with the page. */
export function messagesOf(turns: readonly Turn[]): PageMessage[] {
  return turns.flatMap((turn) => (turn.role === "user" ? [questionMessage(turn)] : roundsOf(turn)));
}

function questionMessage({ text, images }: Question): PageMessage {
  if (images.length === 0) return { role: "user", content: text };
  const pictures = images.map((url): ContentPart => ({ type: "image_url", image_url: { url } }));
  const words: ContentPart[] = text === "" ? [] : [{ type: "text", text }];
  return { role: "user", content: [...pictures, ...words] };
}

/** Each round of calls is a message, with a message for each result; text behind them is one more. */
function roundsOf({ parts }: Answer): PageMessage[] {
  const messages: PageMessage[] = [];
  let text = "";
  let calls: CallPart[] = [];
  const end = () => {
    if (text === "" && calls.length === 0) return;
    const tool_calls = calls.map(({ id, name, arguments: given }) => ({
      ...{ id, type: "function" as const },
      function: { name, arguments: readable(given) },
    }));
    messages.push({
      role: "assistant",
      content: text,
      ...(tool_calls.length > 0 && { tool_calls }),
    });
    for (const { id, result } of calls) {
      messages.push({ role: "tool", tool_call_id: id, content: result ?? NOT_CARRIED_OUT });
    }
    text = "";
    calls = [];
  };
  for (const part of parts) {
    if (part.type === "text") {
      if (calls.length > 0) end();
      text += part.text;
    } else if (part.type === "call") {
      if (calls.some(({ round }) => round !== part.round)) end();
      calls.push(part);
    }
  }
  end();
  return messages;
}

/** A call that was cut off has no arguments that a model could be told, and the server takes none that are no JSON. */
function readable(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? text : "{}";
  } catch {
    return "{}";
  }
}
