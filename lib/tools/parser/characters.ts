/** The candidate goes on with this character. */
export const MORE = 0;
/** The character completes it. */
export const DONE = 1;
/** It was complete before the character, which is not part of it. */
export const DONE_BEFORE = 2;
/** It is not a call; the character is not part of it. */
export const FAIL = 3;
export type Step = typeof MORE | typeof DONE | typeof DONE_BEFORE | typeof FAIL;

export const NEWLINE = 0x0a;
export const DOUBLE_QUOTE = 0x22;
export const SINGLE_QUOTE = 0x27;
export const ROUND_OPEN = 0x28;
export const ROUND_CLOSE = 0x29;
export const COMMA = 0x2c;
const DOT = 0x2e;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS = 0x3c;
export const GREATER = 0x3e;
export const SQUARE_OPEN = 0x5b;
export const BACKSLASH = 0x5c;
export const SQUARE_CLOSE = 0x5d;
export const BACKTICK = 0x60;
export const CURLY_OPEN = 0x7b;
export const CURLY_CLOSE = 0x7d;

/** ASCII white space; anything more exotic is text. */
export function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Letters, "_" and everything beyond ASCII. */
export function isNameStart(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || code > 0x7f
  );
}

export function isWord(code: number): boolean {
  return isNameStart(code) || isDigit(code);
}

/** What tool names without quotes are made of: `math.factorial`, `get-time`. */
export function isNamePart(code: number): boolean {
  return isWord(code) || code === DOT || code === 0x2d;
}

/** What numbers and `true`, `None` and so on are made of. */
export function isScalarPart(code: number): boolean {
  return isNamePart(code) || code === 0x2b;
}

/** The first index from `at` on that holds no white space. */
export function afterSpace(text: string, at: number): number {
  let index = at;
  while (index < text.length && isSpace(text.charCodeAt(index))) index++;
  return index;
}

/** Where the white space at the end of a text begins. */
export function beforeSpace(text: string): number {
  let index = text.length;
  while (index > 0 && isSpace(text.charCodeAt(index - 1))) index--;
  return index;
}
