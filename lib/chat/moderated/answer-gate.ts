import type { GenerationResult } from "../../generation/generation.js";
import type { GuardVerdict } from "../../guard/guard-types.js";
import { watchSignal } from "../../internal/abort.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import { type ParsedToolCall, toolCallOf } from "../../messages/tool-types.js";
import { type AnswerPart, appendPart } from "../answer-part.js";
import type { RunningTurn } from "../chat-turn.js";
import { type Judge, tell } from "./moderation.js";
import { isBlank, pieceEnd } from "./sentences.js";

export interface AnswerGateSides {
  readonly turn: RunningTurn;
  /** Without a judge everything passes at once. */
  readonly judge: Judge | undefined;
  /** Stops the generation: the rest of the answer is not wanted any more. */
  readonly cancel: () => void;
}

/**
 * Stands between an answer as it is generated and everyone who sees it. Sentences and calls wait until the
 * whole answer up to them has been judged. The model goes on meanwhile, and what it adds is judged together
 * next, so that a slow guard never falls behind. After a violation nothing more passes.
 */
export class AnswerGate {
  readonly #turn: RunningTurn;
  readonly #judge: Judge | undefined;
  readonly #cancel: () => void;
  readonly #unwatch: () => void;
  readonly #stop = new AbortController();
  readonly #passed: AnswerPart[] = [];
  /** Events that wait for the judge (not readers that wait, as in a `Channel`). Adjacent texts are joined. */
  #waiting: AnswerPart[] = [];
  #judging = false;
  #work: Promise<void> = Promise.resolve();
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #blocked: GuardVerdict | undefined;

  constructor({ turn, judge, cancel }: AnswerGateSides) {
    this.#turn = turn;
    this.#judge = judge;
    this.#cancel = cancel;
    this.#unwatch = watchSignal(turn.stop, () => this.close());
  }

  push(events: readonly AnswerPart[]): void {
    const { aborted } = this.#stop.signal;
    if (this.#judge === undefined) this.#pass(events);
    else if (!aborted) {
      for (const event of events) appendPart(this.#waiting, event);
      this.#advance(this.#judge);
    }
  }

  /** Waits until everything has passed, or nothing more will. @throws what the guard failed with */
  async finish(): Promise<void> {
    this.#ended = true;
    if (this.#judge !== undefined) this.#advance(this.#judge);
    await this.#work;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Ends it, at the latest when nobody waits for the answer any more. Idempotent. */
  close(): void {
    this.#unwatch();
    this.#stop.abort();
    this.#waiting = [];
    this.#cancel();
  }

  get content(): string {
    return textOf(this.#passed, "text");
  }

  get reasoning(): string {
    return textOf(this.#passed, "reasoning");
  }

  get calls(): readonly ParsedToolCall[] {
    return callsOf(this.#passed);
  }

  /** The verdict that closed the gate. */
  get blocked(): GuardVerdict | undefined {
    return this.#blocked;
  }

  /** Whether everything that was generated has passed. */
  get complete(): boolean {
    return this.#judge === undefined || (this.#ended && !this.#stop.signal.aborted);
  }

  /**
   * Whether everything that the model wrote has passed, to the last word: the guard gets the name and the
   * arguments of a call, and nobody has judged what else was written in it.
   */
  get verbatim(): boolean {
    const asWritten = this.calls.every(({ source }) => source !== undefined);
    return this.complete && (this.#judge === undefined || asWritten);
  }

  /** Why the answer ended: as generated, unless the gate was closed. */
  stopReason(generated: GenerationResult["stopReason"]) {
    if (this.#blocked !== undefined) return "moderated";
    return this.complete ? generated : "cancelled";
  }

  #pass(events: readonly AnswerPart[]): void {
    for (const event of events) {
      this.#passed.push(event);
      this.#turn.tell(event);
    }
  }

  #advance(judge: Judge): void {
    if (!this.#judging) this.#work = this.#judgeAll(judge);
  }

  async #judgeAll(judge: Judge): Promise<void> {
    this.#judging = true;
    try {
      for (let piece = this.#take(); piece.length > 0; piece = this.#take()) {
        if (!(await this.#admits(piece, judge))) return this.close();
        this.#pass(piece);
      }
    } catch (error) {
      this.#failure = { error };
      this.close();
    } finally {
      this.#judging = false;
    }
  }

  async #admits(piece: readonly AnswerPart[], judge: Judge): Promise<boolean> {
    if (isSilent(piece)) return true; // white space at the end, which no guard would read
    const verdict = await judge(messageOf([...this.#passed, ...piece]), this.#stop.signal);
    if (verdict === undefined) return false;
    tell(this.#turn, "output", verdict);
    if (!verdict.safe) this.#blocked = verdict;
    return verdict.safe;
  }

  /** Takes what is judged next. White space waits for what follows it. */
  #take(): AnswerPart[] {
    const waiting = this.#waiting;
    const behind = this.#ended ? waiting.length : lastCall(waiting) + 1;
    const piece = waiting.slice(0, behind);
    const [rest] = waiting.slice(behind);
    const spoken = rest?.type === "text" || rest?.type === "reasoning" ? rest : undefined;
    // What comes behind it has not ended it only where it is of its kind, and then it is joined.
    const over = waiting.length > behind + 1;
    const end = over ? (spoken?.text.length ?? 0) : pieceEnd(spoken?.text ?? "");
    if (spoken === undefined || end === 0) {
      this.#waiting = waiting.slice(behind);
      return piece;
    }
    const { type, text } = spoken;
    const left = text.slice(end);
    this.#waiting = [...(left === "" ? [] : [{ type, text: left }]), ...waiting.slice(behind + 1)];
    return [...piece, { type, text: text.slice(0, end) }];
  }
}

function lastCall(events: readonly AnswerPart[]): number {
  return events.findLastIndex(({ type }) => type === "tool-call");
}

function callsOf(events: readonly AnswerPart[]): ParsedToolCall[] {
  return events.flatMap((event) => (event.type === "tool-call" ? [event.call] : []));
}

function textOf(events: readonly AnswerPart[], type: "text" | "reasoning"): string {
  return events.map((event) => (event.type === type ? event.text : "")).join("");
}

function isSilent(events: readonly AnswerPart[]): boolean {
  return events.every((event) => event.type !== "tool-call" && isBlank(spokenText(event)));
}

function spokenText(event: AnswerPart): string {
  return event.type === "text" || event.type === "reasoning" ? event.text : "";
}

/**
 * The message that a guard reads. Thoughts are shown, so they are judged with the answer. A call that
 * cannot be read has no arguments: its source stands in.
 */
function messageOf(events: readonly AnswerPart[]): RenderableMessage {
  const thoughts = textOf(events, "reasoning");
  const texts = events.map((event) => {
    if (event.type === "text") return event.text;
    if (event.type !== "tool-call" || event.call.source === undefined) return "";
    return `\n${event.call.source}\n`;
  });
  const content = (thoughts === "" ? "" : `${thoughts}\n\n`) + texts.join("");
  return { role: "assistant", content, tool_calls: callsOf(events).map(toolCallOf) };
}
