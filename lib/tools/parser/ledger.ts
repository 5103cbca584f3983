import type { FoundCall } from "./found-calls.js";

/**
 * A piece of the output. Every character belongs to exactly one, in order: the sources put together
 * are the output, those of the text its content.
 */
export type Piece =
  | { readonly kind: "text"; readonly source: string }
  | { readonly kind: "syntax"; readonly source: string }
  | { readonly kind: "calls"; readonly source: string; readonly calls: readonly FoundCall[] };

/** What may be content or syntax, depending on what stands around it. */
interface Pending {
  readonly kind: "space" | "separator" | "end" | "tag";
  source: string;
}

/** A fence that holds nothing but calls so far. */
interface Fence {
  readonly source: string;
  readonly items: (Piece | Pending)[];
  holds: boolean;
}

/**
 * Decides what is content: everything that is not a call, with these exceptions:
 *
 * - white space directly before a call, and after the last call of a run unless content stands on
 *   both sides of it;
 * - one ";" or "," after a call, if another call or the end follows;
 * - a fence that holds nothing but calls;
 * - `</function>` after a call;
 * - `<|python_tag|>`, and the tokens that end a message if a call or the end follows.
 */
export class Ledger {
  #pieces: Piece[] = [];
  #pending: Pending[] = [];
  #fence: Fence | undefined;
  #hasText = false;
  /** Whether the last piece, apart from syntax, is a call. */
  #afterCall = false;
  #newline = false;

  /** The pieces that have become certain. */
  take(): Piece[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** Whether only white space and the like have come since a call. */
  get behindCall(): boolean {
    return this.#afterCall || this.fenceHolds;
  }

  /** Whether a separator may come: one, after a call. */
  get separable(): boolean {
    const items: readonly (Piece | Pending)[] = this.#fence?.items ?? this.#pending;
    const last = items.findLast(({ kind }) => kind !== "space");
    return last === undefined ? this.#afterCall && !this.inFence : last.kind === "calls";
  }

  /** Whether a call that its form alone does not prove may begin here. */
  get fresh(): boolean {
    return this.#newline || this.#afterCall || this.inFence || !this.#hasText;
  }

  /** Whether white space or the like came last. */
  get spaced(): boolean {
    return this.#pending.length > 0;
  }

  get inFence(): boolean {
    return this.#fence !== undefined;
  }

  /** Whether a call stands in the open fence. */
  get fenceHolds(): boolean {
    return this.#fence?.holds ?? false;
  }

  pend(kind: Pending["kind"], source: string): void {
    if (source === "") return;
    const items: (Piece | Pending)[] = this.#fence?.items ?? this.#pending;
    const last = items.at(-1);
    if (kind === "space" && last?.kind === "space") last.source += source;
    else items.push({ kind, source });
    if (kind === "space" && source.includes("\n")) this.#newline = true;
  }

  /** A fence has opened before what may be a call. */
  openFence(source: string): void {
    this.#fence = { source, items: [], holds: false };
  }

  /** The fence holds nothing but calls. */
  closeFence(source: string): void {
    this.#resolve("syntax");
    this.syntax(source);
  }

  /** If a fence is open, it holds something else: it is text, but for the calls before that. */
  text(source: string): void {
    if (source === "") return;
    this.#resolve("text");
    this.#add({ kind: "text", source });
  }

  calls(source: string, calls: readonly FoundCall[]): void {
    this.#add({ kind: "calls", source, calls });
    if (this.#fence !== undefined) this.#fence.holds = true;
  }

  /** Text that belongs to the call before it, with what stands between. */
  syntax(source: string): void {
    this.#add({ kind: "syntax", source });
  }

  end(): void {
    this.#resolve(this.fenceHolds ? "syntax" : "text");
    this.#settle("end");
  }

  /** Decides what the fence's opening is, and with that about all in it. */
  #resolve(as: "text" | "syntax"): void {
    const fence = this.#fence;
    if (fence === undefined) return;
    this.#fence = undefined;
    if (as === "text") this.#add({ kind: "text", source: fence.source });
    else this.#pending.push({ kind: "tag", source: fence.source });
    for (const item of fence.items) {
      if (item.kind === "calls" || item.kind === "syntax" || item.kind === "text") this.#add(item);
      else this.#pending.push(item);
    }
  }

  #add(piece: Piece): void {
    this.#newline = false;
    if (this.#fence !== undefined) {
      this.#fence.items.push(piece);
      return;
    }
    this.#settle(piece.kind === "text" ? "text" : "syntax");
    this.#pieces.push(piece);
    if (piece.kind === "text") this.#hasText = true;
    if (piece.kind !== "syntax") this.#afterCall = piece.kind === "calls";
  }

  #settle(as: "text" | "syntax" | "end"): void {
    if (this.#pending.length === 0) return;
    for (const [index, { kind, source }] of this.#pending.entries()) {
      const dropped =
        as === "syntax" ||
        kind === "tag" ||
        (as === "end"
          ? kind !== "space" || this.#afterCall
          : kind === "space" && index === 0 && this.#afterCall && !this.#hasText);
      this.#pieces.push({ kind: dropped ? "syntax" : "text", source });
    }
    this.#pending = [];
  }
}
