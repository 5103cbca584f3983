import type { LoadedModel } from "../model/loaded-model.js";

/** How many texts are tokenized at a time. */
const TOGETHER = 64;

/** How many counts are kept in any case. */
const KEPT = 2000;

/** Counts the tokens of texts, each of them once and off the JS thread. */
export class TokenCounts {
  readonly #model: Pick<LoadedModel, "tokenizeAsync">;
  #recent = new Map<string, number>();
  #older = new Map<string, number>();

  constructor(model: Pick<LoadedModel, "tokenizeAsync">) {
    this.#model = model;
  }

  /** The count of all texts together, or any number above the limit. */
  async of(texts: readonly string[], limit: number, signal?: AbortSignal): Promise<number> {
    let sum = 0;
    for (let start = 0; start < texts.length && sum <= limit; start += TOGETHER) {
      const some = texts.slice(start, start + TOGETHER);
      const counts = await Promise.all(some.map((text) => this.#count(text, signal)));
      for (const count of counts) sum += count;
    }
    return sum;
  }

  /** Forgets what was not asked for lately, if there is more than the texts of a few prompts. */
  forget(textsOfAPrompt: number): void {
    if (this.#recent.size < Math.max(KEPT, 2 * textsOfAPrompt)) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  #count(text: string, signal: AbortSignal | undefined): number | Promise<number> {
    if (text === "") return 0;
    const known = this.#recent.get(text) ?? this.#older.get(text);
    if (known === undefined) return this.#tokenize(text, signal);
    this.#recent.set(text, known);
    return known;
  }

  async #tokenize(text: string, signal: AbortSignal | undefined): Promise<number> {
    const { length } = await this.#model.tokenizeAsync(text, signal && { signal });
    this.#recent.set(text, length);
    return length;
  }
}
