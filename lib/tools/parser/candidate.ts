import type { FoundCall } from "./callable-tools.js";
import type { Step } from "./characters.js";

/** Calls at the beginning of a text, which go to `length`; what follows is not theirs. */
export interface Calls {
  readonly calls: readonly FoundCall[];
  readonly length: number;
}

/** Where a candidate begins; decides what a doubtful one counts as. */
export interface Position {
  /** At the output's start, on a new line, behind a call, or first in a fence. */
  readonly fresh: boolean;
  /** Behind `<|python_tag|>`, where anything that is no call is code. */
  readonly tagged: boolean;
}

/**
 * Text that may turn out to be calls, fed one character at a time. It sees no text but its own, and
 * gets that as `source` once it has said that it is complete.
 */
export interface Candidate {
  /** `soFar` is the text before this character, made only when asked for. */
  step(code: number, soFar: () => string): Step;
  /** Of the complete source; undefined where it is no call after all. */
  calls(source: string): Calls | undefined;
  /** Of a source that the output ended in, the calls that are complete. */
  cutOff(source: string): Calls | undefined;
  /** Whether, after the tag, a source that the output ended in would be code rather than half a call. */
  readonly mayBeCode: boolean;
  /** Whether, having failed, it is plainly meant as a call: text even after the tag. */
  readonly isBrokenCall: boolean;
  /** Whether a complete source that is no call is a JSON value. */
  readonly isValue: boolean;
  /**
   * Whether it can be no call any more, and is only followed to its end to be text; set from outside
   * where it is quoted. What came before it may have been passed on: it must not ask for that.
   */
  isHopeless: boolean;
}
