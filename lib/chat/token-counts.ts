import { CriaError } from "../internal/errors.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { mediaTokens } from "../model/media-tokens.js";
import type { MediaSegment } from "../model/prompt.js";

/** How many texts are tokenized at a time. */
const TOGETHER = 64;

/** How many counts are kept in any case. */
const KEPT = 2000;

type Counting = Pick<LoadedModel, "tokenizeAsync">;

/** Counts the tokens of texts, pictures and sounds, each of them once and off the JS thread. */
export class TokenCounts {
  readonly #model: Counting;
  readonly #media = new WeakMap<Uint8Array, number>();
  #recent = new Map<string, number>();
  #older = new Map<string, number>();

  constructor(model: Counting) {
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

  /** The count of all of them together, or any number above the limit. */
  async ofMedia(
    media: readonly MediaSegment[],
    limit: number,
    signal?: AbortSignal,
  ): Promise<number> {
    let sum = 0;
    for (const segment of media) {
      sum += await this.#countMedia(segment, signal);
      if (sum > limit) break;
    }
    return sum;
  }

  async #countMedia(segment: MediaSegment, signal: AbortSignal | undefined): Promise<number> {
    const data = "image" in segment ? segment.image : segment.audio;
    // What is at a path may be another file the next time.
    const known = typeof data === "string" ? undefined : this.#media.get(data);
    if (known !== undefined) return known;
    try {
      const count = await mediaTokens(this.#model as LoadedModel, segment, signal);
      if (typeof data !== "string") this.#media.set(data, count);
      return count;
    } catch (error) {
      // The generation tells what is wrong with it, if it is still there.
      if (CriaError.is(error) && error.code !== "ERR_DISPOSED") return 1;
      throw error;
    }
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
