import type { Spinner } from "yocto-spinner";
import type { BatchProgress } from "../../batch/batch-types.js";
import { progressText } from "./batch-texts.js";
import type { Terminal } from "./terminal.js";

/** Where lines cannot be overwritten, one so often. */
const PLAIN_MS = 10_000;

/** How far a batch is: a line that is overwritten on a terminal, a line now and then elsewhere. */
export class BatchProgressView {
  readonly #terminal: Terminal;
  readonly #spinner: Spinner | undefined;
  #told = performance.now();

  static async open(terminal: Terminal, { quiet }: { quiet: boolean }): Promise<BatchProgressView> {
    if (quiet || !process.stderr.isTTY) return new BatchProgressView(terminal, undefined);
    const { default: spinner } = await import("yocto-spinner"); // ES modules only
    // Ctrl-C is ours to answer.
    return new BatchProgressView(terminal, spinner({ handleSignals: false }));
  }

  private constructor(terminal: Terminal, spinner: Spinner | undefined) {
    this.#terminal = terminal;
    this.#spinner = spinner;
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
