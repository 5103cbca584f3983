import { CriaError } from "../../internal/errors.js";

const SHOWN_NAME = 40;

/** What is wrong in a grammar, and where: `offset` counts UTF-16 units of its source. */
export interface GbnfProblem {
  readonly offset: number;
  readonly expected: string;
  readonly got: string;
  /** What to do, as a sentence without its full stop. */
  readonly hint?: string | undefined;
}

export function gbnfError(source: string, problem: GbnfProblem): CriaError {
  const { line, column } = placeOf(source, problem.offset);
  const what = `expected ${problem.expected}, got ${problem.got}`;
  const hint = problem.hint === undefined ? "" : `. ${problem.hint}`;
  return new CriaError(
    "ERR_GRAMMAR_INVALID",
    `Grammar invalid at line ${line}, column ${column}: ${what}${hint}`,
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

/** The character at `offset` in words, for the "got" of a message. */
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
