/** Texts that were typed before, and the way through them while another one is being typed. */
export class LineHistory {
  /** The newest first. */
  readonly #entries: string[];
  /** What was typed before the way began, and where it is; -1 is what was typed. */
  #typed = "";
  #at = -1;

  constructor(entries: readonly string[]) {
    this.#entries = [...entries];
  }

  /** False where it is what was added last. */
  add(entry: string): boolean {
    this.leave();
    if (entry.trim() === "" || entry === this.#entries[0]) return false;
    this.#entries.unshift(entry);
    return true;
  }

  /** Any change of the text ends the way. */
  leave(): void {
    this.#at = -1;
  }

  /** The next older entry that begins with what was typed; undefined: there is none. */
  older(shown: string): string | undefined {
    if (this.#at < 0) this.#typed = shown;
    const found = this.#entries.findIndex(
      (entry, index) => index > this.#at && entry !== shown && entry.startsWith(this.#typed),
    );
    if (found < 0) return undefined;
    this.#at = found;
    return this.#entries[found];
  }

  /** The way back, to what was typed; undefined: it is there already. */
  newer(shown: string): string | undefined {
    if (this.#at < 0) return undefined;
    for (let index = this.#at - 1; index >= 0; --index) {
      const entry = this.#entries[index] as string;
      if (entry === shown || !entry.startsWith(this.#typed)) continue;
      this.#at = index;
      return entry;
    }
    this.leave();
    return this.#typed;
  }
}
