export const NEWLINE = 0x0a;
export const DOUBLE_QUOTE = 0x22;
export const SINGLE_QUOTE = 0x27;
export const ROUND_OPEN = 0x28;
export const ROUND_CLOSE = 0x29;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS = 0x3c;
export const EQUALS = 0x3d;
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

export function isQuote(code: number): boolean {
  return code === DOUBLE_QUOTE || code === SINGLE_QUOTE;
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
  return isWord(code) || code === 0x2d || code === 0x2e;
}

/** What numbers and `true`, `None` and so on are made of. */
export function isScalarPart(code: number): boolean {
  return isNamePart(code) || code === 0x2b;
}

/** Where the white space at the end of a text begins. */
export function beforeSpace(text: string): number {
  let index = text.length;
  while (index > 0 && isSpace(text.charCodeAt(index - 1))) index--;
  return index;
}
