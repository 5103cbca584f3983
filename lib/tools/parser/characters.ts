/** ASCII white space; anything more exotic is text. */
export function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** Where the white space at the end of a text begins. */
export function beforeSpace(text: string): number {
  let index = text.length;
  while (index > 0 && isSpace(text.charCodeAt(index - 1))) index--;
  return index;
}

/** Letters, "_" and everything beyond ASCII. */
export const NAME_START = /^[A-Za-z_\u0080-\uffff]/;
/** What tool names without quotes are made of: `math.factorial`, `get-time`. */
export const NAME = /[\w\u0080-\uffff.-]*/y;
/** White space on a line. */
export const BLANK = /[\t\v\f\r ]*/y;
