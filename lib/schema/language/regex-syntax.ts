import { type AST, RegExpParser } from "@eslint-community/regexpp";

/** Why no automaton can be made of a regular expression. */
export class RegexProblem extends Error {
  /** "invalid": it is none at all. */
  readonly kind: "invalid" | "inexpressible";

  constructor(kind: "invalid" | "inexpressible", message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The stack has an end. */
export function tooDeep(): RegexProblem {
  return new RegexProblem("inexpressible", "its groups are nested too deeply");
}

/** @throws {RegexProblem} for what is no regular expression */
export function checkRegex(source: string): void {
  parseRegex(source);
  try {
    regexOf(source);
  } catch (error) {
    throw new RegexProblem("invalid", (error as Error).message);
  }
}

/** A test by the same reading. */
export function regexOf(source: string): RegExp {
  try {
    return new RegExp(source, "u");
  } catch {
    return new RegExp(source);
  }
}

/** Read with the flag u where it can be. */
export function parseRegex(source: string): { pattern: AST.Pattern; unicode: boolean } {
  const parser = new RegExpParser();
  const read = (unicode: boolean) => ({
    pattern: parser.parsePattern(source, 0, source.length, { unicode, unicodeSets: false }),
    unicode,
  });
  try {
    return read(true);
  } catch {
    try {
      return read(false);
    } catch (error) {
      if (error instanceof RangeError) throw tooDeep();
      throw new RegexProblem("invalid", (error as Error).message);
    }
  }
}
