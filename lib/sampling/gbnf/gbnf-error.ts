import { CriaError } from "../../internal/errors.js";

const SHOWN_NAME = 40;

/** `offset` counts UTF-16 units of the source; `hint` says what to do, without a full stop. */
export function refuse(
  source: string,
  offset: number,
  expected: string,
  got: string,
  hint?: string,
): never {
  const { line, column } = placeOf(source, offset);
  const advice = hint === undefined ? "" : `. ${hint}`;
  throw new CriaError(
    "ERR_GRAMMAR_INVALID",
    `Grammar invalid at line ${line}, column ${column}: expected ${expected}, got ${got}${advice}`,
    { details: { line, column } },
  );
}

/** Both count from 1; a column is a character, however many UTF-16 units it takes. */
export function placeOf(source: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (const ending of source.slice(0, offset).matchAll(/\r\n|\r|\n/g)) {
    line++;
    lineStart = ending.index + ending[0].length;
  }
  return { line, column: [...source.slice(lineStart, offset)].length + 1 };
}

/** The character at `offset`, as the "got" of a message shows it. */
export function describeAt(source: string, offset: number): string {
  const codePoint = source.codePointAt(offset);
  if (codePoint === undefined) return "the end of the grammar";
  const character = String.fromCodePoint(codePoint);
  if (character === "\n" || character === "\r") return "the end of the line";
  if (/[\p{Letter}\p{Number}\p{Punctuation}\p{Symbol}]/u.test(character)) {
    return character === '"' ? `'"'` : `"${character}"`;
  }
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A rule's name as messages show it; names may be as long as the grammar. */
export function quoteName(name: string): string {
  const characters = [...name.slice(0, 2 * SHOWN_NAME + 2)];
  return characters.length > SHOWN_NAME
    ? `"${characters.slice(0, SHOWN_NAME).join("")}…"`
    : `"${name}"`;
}
