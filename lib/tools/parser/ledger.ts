import type { FoundCall } from "./callable-tools.js";

/**
 * A piece of the output. Every character belongs to exactly one, in order: the sources put together
 * are the output, those of the text its content.
 */
export type Piece =
  | { readonly kind: "text" | "syntax"; readonly source: string }
  | { readonly kind: "calls"; readonly source: string; readonly calls: readonly FoundCall[] };

/** What may be content or syntax, depending on what follows. */
interface Pending {
  readonly kind: "space" | "separator" | "end" | "tag";
  source: string;
}

interface Fence {
  readonly open: string;
  readonly before: Pending[];
  readonly behindCall: boolean;
  readonly queue: Piece[];
}

/**
 * Decides what is content: everything that is not a call, with these exceptions:
 *
 * - white space directly before a call, and after the last call of a run unless content stands on
 *   both sides of it;
 * - one ";" or "," after a call, if another call or the end follows;
 * - a fence that holds nothing but calls;
 * - `</function>` after a call of that form;
 * - `<|python_tag|>`, and the tokens that end a message if a call or the end follows.
 */
export class Ledger {
  #pieces: Piece[] = [];
  #pending: Pending[] = [];
  #fence: Fence | undefined;
  #hasText = false;
  #behindCall = false;
  #newline = false;

  /** The pieces that have become certain. */
  take(): Piece[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** Whether only white space and separators have come since a call. */
  get behindCall(): boolean {
    return this.#behindCall;
  }

  /** Whether a separator may come: one, after a call. */
  get separable(): boolean {
    return this.#behindCall && this.#pending.every(({ kind }) => kind === "space");
  }

  /** Whether white space or the like came last. */
  get spaced(): boolean {
    return this.#pending.length > 0 || (!this.#hasText && !this.#behindCall);
  }

  /** Whether a call that its form alone does not prove may begin here. */
  get fresh(): boolean {
    return this.#newline || this.#behindCall || this.#fence !== undefined || !this.#hasText;
  }

  get inFence(): boolean {
    return this.#fence !== undefined;
  }

  /** Whether a call stands in the open fence. */
  get fenceHolds(): boolean {
    return this.#fence?.queue.some(({ kind }) => kind === "calls") ?? false;
  }

  pend(kind: Pending["kind"], source: string): void {
    if (source === "") return;
    const last = this.#pending.at(-1);
    if (kind === "space" && last?.kind === "space") last.source += source;
    else this.#pending.push({ kind, source });
    if (kind === "space" && source.includes("\n")) this.#newline = true;
  }

  /** A fence has opened before what may be a call. */
  openFence(open: string): void {
    this.#fence = { open, before: this.#pending, behindCall: this.#behindCall, queue: [] };
    this.#pending = [];
  }

  /** The fence holds nothing but calls. `close` is empty if the output ended first. */
  closeFence(close: string): void {
    const fence = this.#fence;
    if (fence === undefined) return;
    const pending = this.#pending;
    this.#fence = undefined;
    for (const { source } of fence.before) this.#syntax(source);
    this.#syntax(fence.open);
    for (const piece of fence.queue) this.#pieces.push(piece);
    this.#pending = pending;
    if (close === "") return;
    this.#settle("syntax");
    this.#syntax(close);
  }

  /** The fence holds something else: all of it is text but the calls before that. */
  #breakFence(): void {
    const fence = this.#fence;
    if (fence === undefined) return;
    const pending = this.#pending;
    this.#fence = undefined;
    this.#pending = fence.before;
    this.#behindCall = fence.behindCall;
    this.text(fence.open);
    for (const piece of fence.queue) this.#pieces.push(piece);
    this.#pending = pending;
    this.#behindCall = fence.queue.length > 0;
  }

  text(source: string): void {
    if (source === "") return;
    this.#breakFence();
    this.#settle("text");
    this.#pieces.push({ kind: "text", source });
    this.#hasText = true;
    this.#behindCall = false;
  }

  calls(source: string, calls: readonly FoundCall[]): void {
    this.#settle("syntax");
    this.#push({ kind: "calls", source, calls });
    this.#behindCall = true;
  }

  /** Text that belongs to the call before it, with what stands between. */
  syntax(source: string): void {
    this.#settle("syntax");
    this.#syntax(source);
  }

  end(): void {
    if (this.fenceHolds) this.closeFence("");
    else this.#breakFence();
    this.#settle("end");
  }

  #settle(as: "text" | "syntax" | "end"): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    this.#newline = false;
    for (const [index, { kind, source }] of pending.entries()) {
      const dropped =
        as === "syntax" ||
        kind === "tag" ||
        (as === "end"
          ? kind !== "space" || this.#behindCall
          : kind === "space" && index === 0 && this.#behindCall && !this.#hasText);
      if (dropped) this.#syntax(source);
      else this.#push({ kind: "text", source });
    }
  }

  #syntax(source: string): void {
    this.#push({ kind: "syntax", source });
  }

  #push(piece: Piece): void {
    if (this.#fence === undefined) this.#pieces.push(piece);
    else this.#fence.queue.push(piece);
  }
}
