import { isScalarPart } from "./characters.js";

const MIN_FENCE = 3;
const MAX_FENCE_INFO = 32;

/**
 * What backticks mean. A run of three or more opens a fence; one that turns out to hold anything but
 * calls is quoted, as is what stands between fewer on one line.
 */
export class Quotation {
  /** Between backticks on a line. It ends with the line. */
  inline = false;
  #run = 0;
  #fence = 0;
  #quoted = 0;
  #info = 0;

  /** Inside a quoted fence. */
  get fenced(): boolean {
    return this.#quoted > 0;
  }

  beginRun(): void {
    this.#run = 1;
  }

  growRun(): void {
    this.#run++;
  }

  /** Whether the run would open a fence where none is. */
  get opens(): boolean {
    return !this.fenced && !this.inline && this.#run >= MIN_FENCE;
  }

  /** Whether the run would close the fence that is open. */
  get closes(): boolean {
    return this.#run >= this.#fence;
  }

  open(): void {
    this.#fence = this.#run;
    this.#info = 0;
  }

  /** Whether the character may belong to the word after the opening run. */
  info(code: number): boolean {
    return code < 0x80 && isScalarPart(code) && this.#info++ < MAX_FENCE_INFO;
  }

  /** The open fence holds something other than calls. */
  quote(): void {
    this.#quoted = this.#fence;
  }

  /** The run has become text. */
  runIsText(): void {
    if (!this.fenced) this.inline = !this.inline;
    else if (this.#run >= this.#quoted) this.#quoted = 0;
  }
}
