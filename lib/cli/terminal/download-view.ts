import type { DownloadProgress } from "../../hub/download-model.js";
import type { Terminal } from "./terminal.js";
import { bytes } from "./units.js";

/** How often the line is drawn anew, and a line is written where none can be overwritten. */
const REDRAW_MS = 100;
const PLAIN_MS = 10_000;
const BAR = 24;
/** Where the terminal does not tell. */
const COLUMNS = 80;

/** Shows how far a download is: a bar on a terminal, a line now and then elsewhere. */
export class DownloadView {
  readonly #terminal: Terminal;
  readonly #start = performance.now();
  #drawn = Number.NEGATIVE_INFINITY;
  #told = performance.now();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  readonly show = (progress: DownloadProgress): void => {
    const now = performance.now();
    const isWhole = progress.receivedBytes === progress.totalBytes;
    if (process.stderr.isTTY) {
      if (now - this.#drawn < REDRAW_MS && !isWhole) return;
      this.#drawn = now;
      const columns = process.stderr.columns || COLUMNS;
      const line = downloadText(progress, now - this.#start);
      this.#terminal.status(line.slice(0, columns - 1));
      // What was there before needed no fetching, and leaves no line.
      if (isWhole) this.#terminal.clearProgress();
    } else if (now - this.#told > PLAIN_MS) {
      this.#told = now;
      this.#terminal.note(downloadText(progress, now - this.#start));
    }
  };
}

/** The bar first, so that a narrow terminal cuts off the name. */
export function downloadText(progress: DownloadProgress, milliseconds: number): string {
  const { file, receivedBytes, totalBytes, fetchedBytes } = progress;
  const share = receivedBytes / totalBytes;
  const full = Math.floor(share * BAR);
  const bar = `${"#".repeat(full)}${".".repeat(BAR - full)}`;
  const parts = [`${Math.floor(share * 100)} % of ${bytes(totalBytes)}`];
  const rate = (fetchedBytes * 1000) / Math.max(milliseconds, 1);
  if (rate > 0 && milliseconds > 1000) {
    parts.push(`${bytes(Math.round(rate))}/s`);
    parts.push(`${clock((totalBytes - receivedBytes) / rate)} left`);
  }
  return `[${bar}] ${parts.join(", ")}  ${file.slice(file.lastIndexOf("/") + 1)}`;
}

/** Minutes and seconds, with hours where there are some. */
function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
