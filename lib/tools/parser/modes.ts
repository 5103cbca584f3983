/** Where a Splitter stands. */
export type Mode =
  | typeof PROSE
  | typeof CANDIDATE
  | typeof BRACKET
  | typeof ANGLE
  | typeof TICKS
  | typeof FENCE_INFO
  | typeof TAGGED
  | typeof VALUE
  | typeof CODE;

/** Prose; nothing is held but white space. */
export const PROSE = 0;
/** In something that may be calls. */
export const CANDIDATE = 1;
/** Behind a "[". */
export const BRACKET = 2;
/** In something that may be a tag or a token. */
export const ANGLE = 3;
/** In a run of backticks. */
export const TICKS = 4;
/** In the word behind a fence's backticks. */
export const FENCE_INFO = 5;
/** Behind the tag, before anything else. */
export const TAGGED = 6;
/** Behind the tag and a JSON value that is no call. */
export const VALUE = 7;
export const CODE = 8;
