import type { FoundCall } from "./callable-tools.js";
import type { Step } from "./characters.js";

/** Calls at the beginning of a text. They end at `length`. */
export interface Calls {
  readonly calls: readonly FoundCall[];
  readonly length: number;
}

/** Where a candidate begins, which decides about doubtful ones. */
export interface Position {
  /** At the start of the output or of a line, after a call, or first in a fence. */
  readonly fresh: boolean;
  /** After `<|python_tag|>`, where anything that is not a call is code. */
  readonly tagged: boolean;
}

/**
 * Text that may turn out to be calls, fed one character at a time. It sees only its own text, and gets
 * that as `source` once it has said that it is complete.
 */
export interface Candidate {
  /** @param soFar makes the text before this character, which takes time */
  step(code: number, soFar: () => string): Step;
  /** The calls in the complete source; undefined if it is not a call after all. */
  calls(source: string): Calls | undefined;
  /** The complete calls in a source that ends with the output. */
  cutOff(source: string): Calls | undefined;
  /** Whether a source after the tag that ends with the output is code rather than half a call. */
  readonly mayBeCode: boolean;
  /** Whether a failed one was plainly meant as a call: then it is text even after the tag. */
  readonly isBrokenCall: boolean;
  /** Whether a complete source that is not a call is a JSON value. */
  readonly isValue: boolean;
  /**
   * Whether it cannot become a call any more, and is only followed to its end; set from outside where it is
   * quoted. Its text may have been passed on already, so it must not ask for that.
   */
  isHopeless: boolean;
}
