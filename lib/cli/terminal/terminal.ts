import { once } from "node:events";
import { describe, EXIT, failureJson } from "../report-failure.js";
import { progressBar } from "./progress-bar.js";
import { harmless, jsonOf, spoken, visible } from "./visible.js";

const ERASE_LINE = "\r\u001b[2K";

/**
 * Writes answers to stdout and notes to stderr. With `quiet` there are no notes; with `json` none either, since
 * what a program reads there is one object if anything fails, but a person at the terminal sees how far it is.
 */
export class Terminal {
  readonly #quiet: boolean;
  readonly #json: boolean;
  #progress = "";
  #atLineStart = true;

  constructor(options: { quiet?: boolean | undefined; json?: boolean | undefined }) {
    this.#quiet = options.quiet ?? false;
    this.#json = options.json ?? false;
  }

  /** Whether there is a person to talk to: keys come in and messages are seen. */
  get interactive(): boolean {
    return Boolean(process.stdin.isTTY && process.stderr.isTTY);
  }

  /**
   * Facts, which may quote files and other machines: on a terminal nothing in them moves the cursor. Resolves when there
   * is room for more, so that a slow reader slows the loop that feeds it.
   */
  async write(text: string): Promise<void> {
    await this.#put(process.stdout.isTTY ? harmless(text) : text);
  }

  /** What a model wrote: for a program as it is, on a terminal without what that would obey. */
  async answer(text: string): Promise<void> {
    await this.#put(process.stdout.isTTY ? spoken(text) : text);
  }

  async #put(text: string): Promise<void> {
    if (text === "") return;
    this.clearProgress();
    this.#atLineStart = text.endsWith("\n");
    if (!process.stdout.write(text)) await once(process.stdout, "drain");
  }

  /** Ends the answer's last line, if it has not ended itself. */
  async endLine(): Promise<void> {
    if (!this.#atLineStart) await this.write("\n");
  }

  async writeJson(value: unknown): Promise<void> {
    await this.#put(`${jsonOf(value, 2)}\n`);
  }

  /** One of many: one line each. */
  async writeJsonLine(value: unknown): Promise<void> {
    await this.#put(`${jsonOf(value)}\n`);
  }

  /** Whatever it quotes: nothing in it can move the cursor or change the terminal. */
  note(message: string): void {
    this.#tell(harmless(message));
  }

  /** A note in the midst of an answer, dimmed on a terminal. */
  async aside(message: string): Promise<void> {
    await this.endLine();
    const { stderr } = process;
    const text = harmless(message);
    this.#tell(stderr.isTTY && stderr.hasColors() ? `\u001b[2m${text}\u001b[22m` : text);
  }

  #tell(text: string): void {
    if (this.#quiet || this.#json) return;
    this.clearProgress();
    process.stderr.write(`${text}\n`);
  }

  /** A line that is overwritten. It is shown only on a terminal, and never over an answer. */
  progress(label: string, fraction: number): void {
    const { columns } = process.stderr;
    this.status(`${label} ${progressBar(fraction, { columns })}`);
  }

  /** The same if the total is not known. */
  count(label: string, number: number): void {
    this.status(`${label} ${number}`);
  }

  /** The same in words of the caller's. */
  status(line: string): void {
    if (this.#quiet || !process.stderr.isTTY || !this.#atLineStart) return;
    if (line === this.#progress) return;
    this.#progress = line;
    process.stderr.write(ERASE_LINE + visible(line)); // one line, whatever a file is called
  }

  clearProgress(): void {
    if (this.#progress === "") return;
    this.#progress = "";
    process.stderr.write(ERASE_LINE);
  }
}

/**
 * A reader that has had enough (`cria … | head -1`) is not a failure, unless the command has set an exit
 * code to be kept until it has done all. A full disk is one.
 */
export function exitOnBrokenOutput({ json }: { json: boolean }): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(process.exitCode ?? EXIT.ok);
      if (stream !== process.stderr) {
        process.stderr.write(`${json ? jsonOf(failureJson(error)) : describe(error)}\n`);
      }
      process.exit(EXIT.failed);
    });
  }
}
