import type { GenerationResult, GenerationUsage } from "../generation/generation.js";
import type { GuardVerdict } from "../guard/guard-types.js";
import { abortReason, throwIfAborted, untilAborted, watchSignal } from "../internal/abort.js";
import { Channel } from "../internal/channel.js";
import type { ChatMessage } from "../messages/messages.js";
import type { ParsedToolCall } from "../messages/tool-types.js";
import { type AnswerPart, appendPart } from "./answer-part.js";

/** What happens in a turn, in order. */
export type ChatEvent =
  /**
   * A part of the answer: a chunk of its text or of the thoughts in front of it, a call of a tool, or a
   * piece of one that is still being written.
   */
  | AnswerPart
  /** It was carried out, or not: `error` is what the model is told instead of a result. */
  | {
      readonly type: "tool-result";
      /** Id of the call. */
      readonly callId: string;
      /** The tool's name. */
      readonly name: string;
      /** What `execute` returned; undefined beside an `error`. */
      readonly result: unknown;
      /** What went wrong, as the model is told it. */
      readonly error?: string;
    }
  /**
   * The guard's verdict on a message of the input or a tool's result ("input"), or on the answer up to
   * the events that follow ("output"). Safe ones are told, too.
   */
  | {
      readonly type: "moderation";
      readonly direction: "input" | "output";
      readonly verdict: GuardVerdict;
    }
  /** The last one. */
  | { readonly type: "finish"; readonly result: ChatTurnResult };

/** How many tokens a turn took. */
export interface ChatUsage extends GenerationUsage {
  /** Those of `completionTokens` that are thoughts. */
  readonly reasoningTokens: number;
}

/** All of a finished turn. */
export interface ChatTurnResult {
  /** The assistant's last message. */
  readonly message: ChatMessage;
  /** What the model thought before it; undefined where it did not. */
  readonly reasoning?: string;
  /** All that the turn added to the history, the input first. */
  readonly messages: readonly ChatMessage[];
  /** Calls of the last message that nobody has answered. */
  readonly toolCalls: readonly ParsedToolCall[];
  /**
   * Why the last generation ended, or "tool-calls": the caller is to answer `toolCalls`, or
   * "moderated": the guard ended the turn.
   */
  readonly stopReason: GenerationResult["stopReason"] | "tool-calls" | "moderated";
  /** Of all generations of the turn together; the guard's work is not among it. */
  readonly usage: ChatUsage;
  /** The verdict that ended the turn; only where it is "moderated". */
  readonly blocked?: GuardVerdict;
}

/**
 * A turn of a conversation. Iterate it for events (once; leaving the loop early cancels), or await
 * `result()`, or both. Errors reach whichever side is used, and are never an unhandled rejection.
 */
export interface ChatTurn extends AsyncIterable<ChatEvent> {
  /**
   * Resolves with all of the turn when it has ended. May be called any number of times.
   *
   * @throws {CriaError} what the generations reject with; ERR_TEMPLATE, ERR_CONTEXT_FULL (the last messages
   * alone do not fit), ERR_GUARD_UNREADABLE; the signal's reason; what a guard of the caller's threw
   */
  result(): Promise<ChatTurnResult>;
  /** Ends it with stopReason "cancelled"; the history keeps what was shown. Never throws. */
  cancel(): void;
}

/** What a turn does. It tells its events to the given one. */
export type Conduct = (turn: RunningTurn) => Promise<ChatTurnResult>;

/** A turn as callers see it: its events, its result and the way to stop it. */
export class RunningTurn implements ChatTurn {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #result: Promise<ChatTurnResult>;
  /** What no reader has taken yet. */
  readonly #unread: ChatEvent[] = [];
  #over = false;
  readonly #events = new Channel<ChatEvent>({
    take: () => this.#unread.shift(),
    over: () => this.#over,
    leave: () => {
      if (!this.#over) this.cancel();
    },
  });

  /** @param before the turns that have to end first; one that is stopped does not wait for them */
  constructor(conduct: Conduct, before: Promise<unknown>, signal: AbortSignal | undefined) {
    this.#signal = signal;
    const abort = () => this.#stop.abort(signal && abortReason(signal));
    if (signal?.aborted) abort();
    const unwatch = signal === undefined || signal.aborted ? undefined : watchSignal(signal, abort);
    this.#result = untilAborted(before, this.stop)
      .catch(() => {}) // stopped: what it conducts sees that
      .then(() => conduct(this))
      .finally(unwatch);
    this.#result.then(
      (result) => {
        this.#over = true;
        this.tell({ type: "finish", result });
      },
      (error) => {
        this.#over = true;
        this.#events.fail(error);
      },
    );
  }

  /** Aborted by `cancel()` and by the caller's signal: for tools and generations. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** The caller's signal ends the turn with its reason, once what was shown is kept. */
  throwIfAborted(): void {
    throwIfAborted(this.#signal);
  }

  /** Texts that nobody has read yet become one: a slow reader gets bigger pieces, not more of them. */
  tell(event: ChatEvent): void {
    appendPart(this.#unread, event);
    this.#events.serve();
  }

  result(): Promise<ChatTurnResult> {
    return this.#result;
  }

  cancel(): void {
    this.#stop.abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<ChatEvent, undefined> {
    return this.#events[Symbol.asyncIterator]();
  }
}
