import type { ChatEvent, ChatTurnResult, ChatUsage } from "../chat/chat-turn.js";
import { jsonCopy } from "../internal/json-text.js";
import type { ParsedToolCall } from "../messages/tool-types.js";
import type {
  AnswerContent,
  AnswerEnd,
  FinishReason,
  Json,
  LanguageUsage,
  StreamPart,
} from "./specification.js";

type Spoken = "text" | "reasoning";

/** Turns the events of a turn into the parts of a stream: each begun once and ended once, none of them empty. */
export class AnswerParts {
  #open: { readonly type: Spoken; readonly id: string } | undefined;
  /** White space that nothing has followed yet: alone it would be an empty part. */
  #blank: { readonly type: Spoken; text: string } | undefined;
  #count = 0;
  /** The calls that are being written. */
  readonly #calls = new Set<string>();

  of(event: ChatEvent): StreamPart[] {
    switch (event.type) {
      case "text":
      case "reasoning":
        return this.#said(event.type, event.text);
      case "tool-call-delta":
        return this.#written(event.callId, event.name, event.argumentsDelta);
      case "tool-call":
        return this.#called(event.call);
      case "finish":
        return [...this.#close(), { type: "finish", ...endOf(event.result) }];
      default:
        return [];
    }
  }

  /** After a failure in its midst. */
  failed(error: unknown): StreamPart[] {
    return [
      ...this.#close(),
      { type: "error", error },
      { type: "finish", finishReason: { unified: "error", raw: undefined }, usage: NO_USAGE },
    ];
  }

  #said(type: Spoken, text: string): StreamPart[] {
    if (text === "") return [];
    if (this.#open?.type === type) {
      return [{ type: `${type}-delta`, id: this.#open.id, delta: text }];
    }
    const held = this.#blank?.type === type ? this.#blank.text + text : text;
    if (held.trim() === "") {
      this.#blank = { type, text: held };
      return [];
    }
    const ended = this.#close();
    const id = `${type}-${this.#count++}`;
    this.#open = { type, id };
    return [...ended, { type: `${type}-start`, id }, { type: `${type}-delta`, id, delta: held }];
  }

  #written(id: string, toolName: string, delta: string): StreamPart[] {
    const parts: StreamPart[] = this.#close();
    if (!this.#calls.has(id)) parts.push({ type: "tool-input-start", id, toolName });
    this.#calls.add(id);
    if (delta !== "") parts.push({ type: "tool-input-delta", id, delta });
    return parts;
  }

  #called(call: ParsedToolCall): StreamPart[] {
    const { id, function: called } = call;
    const input = inputOf(call);
    const streamed = this.#calls.has(id) ? [] : this.#written(id, called.name, input);
    this.#calls.delete(id);
    return [
      ...streamed,
      { type: "tool-input-end", id },
      { type: "tool-call", toolCallId: id, toolName: called.name, input },
    ];
  }

  /** Ends the text or the thoughts that are open. */
  #close(): StreamPart[] {
    const open = this.#open;
    this.#open = undefined;
    this.#blank = undefined;
    return open === undefined ? [] : [{ type: `${open.type}-end`, id: open.id }];
  }
}

/** A call that must not be carried out has an input that is no JSON, which the SDK tells the model of. */
function inputOf({ problem, source = "", function: called }: ParsedToolCall): string {
  return problem === undefined ? called.arguments : `${problem}: ${source}`;
}

/** The parts of a whole answer, in order. */
export function contentOf(parts: readonly StreamPart[]): AnswerContent[] {
  const content: AnswerContent[] = [];
  const spoken = new Map<string, { text: string }>();
  for (const part of parts) {
    if (part.type === "tool-call") content.push(part);
    if (part.type === "text-start" || part.type === "reasoning-start") {
      const one = { type: part.type === "text-start" ? "text" : "reasoning", text: "" } as const;
      spoken.set(part.id, one);
      content.push(one);
    }
    if (part.type === "text-delta" || part.type === "reasoning-delta") {
      const one = spoken.get(part.id);
      if (one !== undefined) one.text += part.delta;
    }
  }
  return content;
}

function endOf({ stopReason, usage, blocked }: ChatTurnResult): AnswerEnd {
  const moderation = blocked && { moderation: jsonCopy(blocked, "verdict") as Json };
  return {
    finishReason: { unified: UNIFIED[stopReason], raw: stopReason },
    usage: usageOf(usage),
    providerMetadata: { cria: { stopReason, ...moderation } },
  };
}

const UNIFIED: Readonly<Record<ChatTurnResult["stopReason"], FinishReason["unified"]>> = {
  "end-of-text": "stop",
  "end-of-turn": "stop",
  "end-of-message": "stop",
  "stop-string": "stop",
  "max-tokens": "length",
  "context-full": "length",
  "tool-calls": "tool-calls",
  moderated: "content-filter",
  cancelled: "other",
};

const NO_USAGE: LanguageUsage = {
  inputTokens: {
    total: undefined,
    noCache: undefined,
    cacheRead: undefined,
    cacheWrite: undefined,
  },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

function usageOf(usage: ChatUsage): LanguageUsage {
  const { promptTokens: total, cachedTokens, completionTokens, reasoningTokens } = usage;
  return {
    inputTokens: {
      total,
      noCache: total - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: {
      total: completionTokens,
      text: completionTokens - reasoningTokens,
      reasoning: reasoningTokens,
    },
    raw: { ...usage },
  };
}
