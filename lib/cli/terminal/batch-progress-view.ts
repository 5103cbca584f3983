import type { Spinner } from "yocto-spinner";
import type { BatchProgress, BatchSummary } from "../../batch/batch-types.js";
import { progressBar } from "./progress-bar.js";
import type { Terminal } from "./terminal.js";
import { counted } from "./units.js";

/** How often progress is written where lines cannot be overwritten. */
const PLAIN_MS = 10_000;

/** Shows how far a batch is: a line that is overwritten on a terminal, a line now and then elsewhere. */
export class BatchProgressView {
  readonly #terminal: Terminal;
  readonly #spinner: Spinner | undefined;
  #told = performance.now();

  static async open(terminal: Terminal, { quiet }: { quiet: boolean }): Promise<BatchProgressView> {
    if (quiet || !process.stderr.isTTY) return new BatchProgressView(terminal, undefined);
    const { default: spinner } = await import("yocto-spinner"); // ES modules only
    // The command handles Ctrl-C itself.
    return new BatchProgressView(terminal, spinner({ handleSignals: false }));
  }

  private constructor(terminal: Terminal, spinner: Spinner | undefined) {
    this.#terminal = terminal;
    this.#spinner = spinner;
  }

  readonly show = (progress: BatchProgress): void => {
    const text = progressText(progress);
    if (this.#spinner !== undefined) {
      const { fraction } = progress;
      const { columns } = process.stderr;
      this.#spinner.text =
        fraction === undefined ? text : `${progressBar(fraction, { columns })}  ${text}`;
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

/** How far a run is, and how long it will take. */
export function progressText(progress: BatchProgress): string {
  const { done, skipped, milliseconds, fraction } = progress;
  const parts = [counted(done, "line"), ...spent(progress)];
  // Results of earlier runs took no time.
  if (fraction !== undefined && fraction < 1 && done > skipped) {
    const left = (done * (1 - fraction)) / fraction;
    parts.push(`${duration((milliseconds / (done - skipped)) * left)} left`);
  }
  return parts.join(", ");
}

/** The last line of a run. */
export function summaryText(summary: BatchSummary): string {
  const { done, skipped, milliseconds } = summary;
  const earlier = skipped > 0 ? ` (${skipped} from before)` : "";
  const time = `${counted(done, "line")}${earlier} in ${duration(milliseconds)}`;
  return [time, ...spent(summary)].join(", ");
}

function spent(progress: Omit<BatchProgress, "fraction">): string[] {
  const { errors, promptTokens, cachedTokens, completionTokens, milliseconds } = progress;
  const rate = (tokens: number) => Math.round((tokens * 1000) / Math.max(milliseconds, 1));
  const cached = promptTokens > 0 ? Math.round((cachedTokens * 100) / promptTokens) : 0;
  return [
    `${rate(promptTokens)} tokens/s in (${cached} % cached)`,
    `${rate(completionTokens)} tokens/s out`,
    ...(errors > 0 ? [`${errors} errors`] : []),
  ];
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
