import type { TokenTexts } from "../model/token-texts.js";
import { append } from "../model/tokens.js";

/** A token and how likely the model itself held it, before any sampler. */
export interface TokenLogprob {
  /** The token's id. */
  readonly token: number;
  /**
   * The token alone, control tokens included. A token that is only part of a character has U+FFFD in
   * place of the bytes that are no text.
   */
  readonly text: string;
  /** Natural logarithm of the probability, so at most 0. */
  readonly logprob: number;
}

/** The token that was chosen, and those that the model held likeliest in its place. */
export interface TokenLogprobs extends TokenLogprob {
  /** As many as were asked for, the likeliest first; the chosen token is among them or not. */
  readonly top: TokenLogprob[];
}

/** One generation's log-probabilities, 1 + N for each of its tokens; objects are made by the readers. */
export class LogprobBuffer {
  readonly #texts: TokenTexts;
  /** Entries per token: the chosen one and the N likeliest. */
  readonly #width: number;
  #tokens: Int32Array = new Int32Array(64);
  #values: Float32Array = new Float32Array(64);
  #length = 0;

  constructor(texts: TokenTexts, top: number) {
    this.#texts = texts;
    this.#width = 1 + top;
  }

  push({ tokens, values }: { readonly tokens: Int32Array; readonly values: Float32Array }): void {
    this.#texts.learn(tokens);
    this.#tokens = append(this.#tokens, this.#length, tokens);
    this.#values = append(this.#values, this.#length, values);
    this.#length += tokens.length;
  }

  /** Those of the generation's tokens from number `start` on, up to `end`. */
  slice(start: number, end: number): TokenLogprobs[] {
    return Array.from({ length: end - start }, (_, i) => this.#entry((start + i) * this.#width));
  }

  #entry(at: number): TokenLogprobs {
    const top = Array.from({ length: this.#width - 1 }, (_, i) => this.#one(at + 1 + i));
    return { ...this.#one(at), top };
  }

  #one(at: number): TokenLogprob {
    const token = this.#tokens[at] as number;
    return { token, text: this.#texts.of(token), logprob: this.#values[at] as number };
  }
}
