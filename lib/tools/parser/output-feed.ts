/** The output as it comes in, of which the last part does not belong to a piece yet. */
export class OutputFeed {
  #chunk = "";
  /** Where in the chunk that part begins… */
  #from = 0;
  /** …and its beginning in earlier chunks. It is never indexed, so that appending stays cheap. */
  #held = "";

  begin(chunk: string): void {
    this.#chunk = chunk;
    this.#from = 0;
  }

  end(): void {
    this.#held += this.#chunk.slice(this.#from);
    this.begin("");
  }

  /** The text that belongs to no piece yet, up to `end` in the chunk. */
  peek(end: number): string {
    return this.#held + this.#chunk.slice(this.#from, end);
  }

  /** Like `peek`, but removes the text. */
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
