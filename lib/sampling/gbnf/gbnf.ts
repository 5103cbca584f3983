import { checkRules } from "./gbnf-check.js";
import { describeAt, gbnfError } from "./gbnf-error.js";
import { parseGbnf } from "./gbnf-parser.js";

/** Far above any grammar written by hand or made from a schema; bounds the time of every check. */
const MAX_SOURCE_BYTES = 1 << 20;

/**
 * Throws ERR_GRAMMAR_INVALID, with `line` and `column` in its details, for every grammar that
 * llama.cpp would refuse (which it does without a reason, but on stderr) or not survive. Returns the
 * texts of the tokens that it names (`<think>`): whether each is one token, a vocabulary has to say.
 */
export function validateGbnf(source: string, root: string): readonly string[] {
  checkText(source);
  const rules = parseGbnf(source);
  checkRules(source, rules, root);
  return [...rules.tokenTexts];
}

function checkText(source: string): void {
  const bytes = Buffer.byteLength(source);
  if (bytes > MAX_SOURCE_BYTES) {
    throw gbnfError(source, {
      offset: 0,
      expected: `at most ${MAX_SOURCE_BYTES} bytes`,
      got: `${bytes} bytes`,
    });
  }
  const nul = source.indexOf("\0");
  if (nul >= 0) {
    throw gbnfError(source, {
      offset: nul,
      expected: "text without NUL characters",
      got: "U+0000",
      hint: "Write it as \\x00 inside a literal or a character class",
    });
  }
  const surrogate = source.search(/\p{Surrogate}/u);
  if (surrogate >= 0) {
    throw gbnfError(source, {
      offset: surrogate,
      expected: "well-formed Unicode",
      got: `the lone surrogate ${describeAt(source, surrogate)}`,
    });
  }
}
