import { createInterface, type Interface } from "node:readline";
import { linesOf } from "../../internal/lines.js";

/**
 * The lines of `cria chat`. At a terminal a person edits them. In a pipe a line ends with a line feed and
 * with nothing else: `node:readline` also ends one at U+2028 and U+2029, from Node 24 on, and at a lone
 * carriage return, and a turn would be two.
 */
export class ChatInput implements AsyncIterable<string> {
  readonly #terminal: Interface | undefined;

  constructor(interactive: boolean) {
    // The prompt and the echo of keys are not answers: they stay off stdout.
    this.#terminal = interactive
      ? createInterface({
          input: process.stdin,
          output: process.stderr,
          terminal: true,
          prompt: "> ",
        })
      : undefined;
  }

  /** Called on Ctrl-C if readline takes the keys. */
  onInterrupt(listener: () => void): void {
    this.#terminal?.on("SIGINT", listener);
  }

  prompt(): void {
    this.#terminal?.prompt();
  }

  pause(): void {
    this.#terminal?.pause();
  }

  close(): void {
    if (this.#terminal === undefined) process.stdin.destroy();
    else this.#terminal.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    if (this.#terminal !== undefined) {
      yield* this.#terminal;
      return;
    }
    try {
      for await (const { number, text, problem } of linesOf(process.stdin)) {
        if (problem !== undefined) throw new Error(`Line ${number} cannot be read: ${problem}`);
        yield text;
      }
    } catch (error) {
      // close() destroyed the input, on Ctrl-C for instance: that is not an error.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ERR_STREAM_PREMATURE_CLOSE" && code !== "ABORT_ERR") throw error;
    }
  }
}
