/** What a token spells, asked of the engine once: a model has one, of its vocabulary's size at most. */
export class TokenTexts {
  readonly #texts = new Map<number, string>();
  readonly #detokenize: (tokens: Int32Array) => string;

  constructor(detokenize: (tokens: Int32Array) => string) {
    this.#detokenize = detokenize;
  }

  /** The texts have to be known before the model is disposed, which may be before anyone reads them. */
  learn(tokens: Int32Array): void {
    for (const token of tokens) {
      if (!this.#texts.has(token)) this.#texts.set(token, this.#spell(token));
    }
  }

  /** Of a token that was learnt. */
  of(token: number): string {
    return this.#texts.get(token) ?? "";
  }

  /** SentencePiece takes the space in front of a text away; behind another token it stays. */
  #spell(token: number): string {
    const alone = this.#detokenize(Int32Array.of(token));
    const twice = this.#detokenize(Int32Array.of(token, token));
    return twice.startsWith(alone) ? twice.slice(alone.length) : alone;
  }
}
