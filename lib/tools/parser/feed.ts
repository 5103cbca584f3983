/** The output as it comes in, and how much of it is in no piece yet. */
export class Feed {
  #chunk = "";
  /** Where in the chunk the text begins that is in no piece yet… */
  #from = 0;
  /** …and what precedes it, from earlier chunks; never read, so that it stays cheap to add to. */
  #held = "";

  begin(chunk: string): void {
    this.#chunk = chunk;
    this.#from = 0;
  }

  end(): void {
    this.#held += this.#chunk.slice(this.#from);
    this.begin("");
  }

  /** The text that is in no piece yet, up to `end` in the chunk. */
  peek(end: number): string {
    return this.#held + this.#chunk.slice(this.#from, end);
  }

  /** Like `peek`, for good. */
  take(end: number): string {
    const source = this.peek(end);
    this.#held = "";
    this.#from = end;
    return source;
  }

  /** Gives back what was just taken. */
  giveBack(source: string): void {
    this.#held = source;
  }

  /** How much `peek` would give. */
  length(end: number): number {
    return this.#held.length + end - this.#from;
  }
}
