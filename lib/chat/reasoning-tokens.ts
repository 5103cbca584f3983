import type { LoadedModel } from "../model/loaded-model.js";
import type { ReasoningRange } from "./formats/template-answer.js";

interface Chunk {
  /** Its place in the answer, in bytes. */
  readonly from: number;
  readonly to: number;
  readonly tokens: Int32Array;
}

/** Counts the tokens of an answer that are thoughts: those whose text begins in them. */
export class ReasoningTokens {
  readonly #model: Pick<LoadedModel, "detokenize">;
  readonly #chunks: Chunk[] = [];
  #length = 0;

  constructor(model: Pick<LoadedModel, "detokenize">) {
    this.#model = model;
  }

  add(text: string, tokens: Int32Array): void {
    const from = this.#length;
    this.#length += Buffer.byteLength(text);
    this.#chunks.push({ from, to: this.#length, tokens });
  }

  count(ranges: readonly ReasoningRange[]): number {
    if (ranges.length === 0) return 0;
    return this.#chunks.reduce((sum, chunk) => sum + this.#countOf(chunk, ranges), 0);
  }

  #countOf({ from, to, tokens }: Chunk, ranges: readonly ReasoningRange[]): number {
    const isThought = (at: number) => ranges.some((range) => range.from <= at && at < range.to);
    const inside = ranges.some((range) => range.from <= from && to <= range.to);
    if (inside || tokens.length < 2) return isThought(from) ? tokens.length : 0;
    if (!ranges.some((range) => range.from < to && from < range.to)) return 0;
    let at = from;
    let count = 0;
    for (const token of tokens) {
      if (isThought(at)) count += 1;
      at += Buffer.byteLength(this.#model.detokenize([token], { special: true }));
    }
    return count;
  }
}
