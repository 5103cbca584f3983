import { linesOf } from "../../internal/lines.js";

/** Where the texts of a chat come from. */
export interface LineReader {
  /** The next one; null behind the last. */
  read(): Promise<string | null>;
  /** Called on Ctrl-C, where it comes as a key and not as a signal. */
  onInterrupt(listener: () => void): void;
  /** Tells a person something, without harm to what they type. */
  note(message: string): void;
  /** Ends it: `read` gives null. */
  close(): void;
}

/**
 * The lines of a pipe, or of a terminal that can only show text. In a pipe a line ends with a line feed and with
 * nothing else: `node:readline` also ends one at U+2028 and U+2029, from Node 24 on, and at a lone carriage
 * return, and a turn would be two.
 */
export class PlainLines implements LineReader {
  readonly #prompt: string | undefined;
  readonly #lines = linesOf(process.stdin);

  /** @param prompt shown to a person, whose line goes on behind a backslash at its end */
  constructor(prompt?: string) {
    this.#prompt = prompt;
  }

  onInterrupt(): void {} // it is a signal

  note(message: string): void {
    process.stderr.write(`${message}\n`);
  }

  async read(): Promise<string | null> {
    if (this.#prompt === undefined) return this.#line();
    let text = "";
    for (;;) {
      process.stderr.write(text === "" ? this.#prompt : "… ");
      const line = await this.#line();
      if (line === null) return text === "" ? null : text;
      if (!line.endsWith("\\")) return text + line;
      text += `${line.slice(0, -1)}\n`;
    }
  }

  close(): void {
    process.stdin.destroy();
  }

  async #line(): Promise<string | null> {
    try {
      const { value, done } = await this.#lines.next();
      if (done) return null;
      const { number, text, problem } = value;
      if (problem !== undefined) throw new Error(`Line ${number} cannot be read: ${problem}`);
      return text;
    } catch (error) {
      // close() destroyed the input, on Ctrl-C for instance: that is not an error.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ERR_STREAM_PREMATURE_CLOSE" && code !== "ABORT_ERR") throw error;
      return null;
    }
  }
}
