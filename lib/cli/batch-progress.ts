import spinner, { type Spinner } from "yocto-spinner";
import type { BatchProgress } from "../batch/types.js";
import { progressText } from "./batch-texts.js";
import type { Terminal } from "./terminal.js";

/** Where lines cannot be overwritten, one so often. */
const PLAIN_MS = 10_000;

/** How far a batch is: a line that is overwritten on a terminal, a line now and then elsewhere. */
export class BatchProgressView {
  readonly #terminal: Terminal;
  readonly #spinner: Spinner | undefined;
  #told = performance.now();

  constructor(terminal: Terminal, { quiet }: { quiet: boolean }) {
    this.#terminal = terminal;
    // Ctrl-C is ours to answer.
    if (!quiet && process.stderr.isTTY) this.#spinner = spinner({ handleSignals: false });
  }

  readonly show = (progress: BatchProgress): void => {
    const text = progressText(progress);
    if (this.#spinner !== undefined) {
      this.#spinner.text = text;
      if (!this.#spinner.isSpinning) this.#spinner.start();
    } else if (performance.now() - this.#told > PLAIN_MS) {
      this.#told = performance.now();
      this.#terminal.note(text);
    }
  };

  note(message: string): void {
    this.clear();
    this.#terminal.note(message);
  }

  clear(): void {
    this.#spinner?.stop();
  }
}
