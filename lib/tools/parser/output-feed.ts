import { isSpace } from "./characters.js";

/**
 * Something that reads the output as if all of it were there: where it is not, it waits with `yield`, until
 * there is more or no more will come.
 */
export type Reading<T> = Generator<void, T, void>;

/**
 * The output as it comes in. It is read once, from left to right, so that it does not matter how it was cut, and
 * the time is linear in its length. What was read is held until it is taken.
 */
export class OutputFeed {
  #chunk = "";
  /** Where in the chunk the next character is… */
  #at = 0;
  /** …where what was not taken yet begins… */
  #from = 0;
  /** …and its beginning in earlier chunks. It is never indexed, so that appending stays cheap. */
  #held = "";
  #ended = false;

  /** The next chunk, once all of the one before was read. */
  add(chunk: string): void {
    this.#held += this.#chunk.slice(this.#from);
    this.#chunk = chunk;
    this.#at = 0;
    this.#from = 0;
  }

  end(): void {
    this.#ended = true;
  }

  /** Whether the next character is not known yet: then `yield`. */
  get dry(): boolean {
    return !this.#ended && this.#at >= this.#chunk.length;
  }

  /** Whether no character is left. */
  get over(): boolean {
    return this.#ended && this.#at >= this.#chunk.length;
  }

  /** The next character, unless it is `dry`; empty at the end. */
  get char(): string {
    return this.#chunk.charAt(this.#at);
  }

  /** Reads it. */
  skip(): void {
    this.#at++;
  }

  /** Reads white space. Returns whether the next character is known: if not, `yield` and call it again. */
  space(): boolean {
    while (isSpace(this.#chunk.charCodeAt(this.#at))) this.#at++;
    return !this.dry;
  }

  /** Reads such characters, as far as they are there: a sticky pattern of any number of them. */
  read(characters: RegExp): string {
    const start = this.#at;
    characters.lastIndex = start;
    characters.test(this.#chunk);
    this.#at = characters.lastIndex;
    return this.#chunk.slice(start, this.#at);
  }

  /** Reads all such characters. The next one is known then. */
  *run(characters: RegExp): Reading<string> {
    let text = this.read(characters);
    while (this.dry) {
      yield;
      text += this.read(characters);
    }
    return text;
  }

  /** Reads white space. Returns the character after it. */
  *next(): Reading<string> {
    while (!this.space()) yield;
    return this.char;
  }

  /** Reads white space. Returns whether there is a blank line in it. */
  *blankLine(): Reading<boolean> {
    const space = yield* this.run(/[\t-\r ]*/y);
    return space.indexOf("\n") !== space.lastIndexOf("\n");
  }

  /** Reads one of these, of which none begins another, or the beginning of one that then goes on otherwise. */
  *oneOf(texts: readonly string[]): Reading<string | undefined> {
    let possible = texts;
    for (let length = 0; ; length++) {
      if (this.dry) yield;
      const { char } = this;
      possible = possible.filter((text) => text[length] === char);
      const [text] = possible;
      if (text === undefined) return undefined;
      this.#at++;
      if (text.length === length + 1) return text;
    }
  }

  /** How much is held. */
  get length(): number {
    return this.#held.length + this.#at - this.#from;
  }

  /** What is held, which takes time. */
  get text(): string {
    return this.#held + this.#chunk.slice(this.#from, this.#at);
  }

  /** Takes all of it, or its beginning. */
  take(length?: number): string {
    const { text } = this;
    this.#held = length === undefined ? "" : text.slice(length);
    this.#from = this.#at;
    return length === undefined ? text : text.slice(0, length);
  }
}
