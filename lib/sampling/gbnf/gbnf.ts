import type { WrittenGrammar } from "../../schema/gbnf-writer.js";
import { checkRules } from "./gbnf-check.js";
import { describeAt, refuse } from "./gbnf-error.js";
import { parseGbnf } from "./gbnf-parser.js";
import { isSurelyTaken } from "./written-check.js";

/** Far above any grammar written by hand or made from a schema; bounds the time of every check. */
const MAX_SOURCE_BYTES = 1 << 20;

/**
 * Throws ERR_GRAMMAR_INVALID, with `line` and `column` in its details, for every grammar that
 * llama.cpp's own parser would refuse or not survive: a grammar is one here if it is one there. The
 * engine (native/core/sampling/grammar_rules.h) only guards itself, and says little. Returns the texts
 * of the tokens that the grammar names (`<think>`): only a vocabulary can tell whether each is one
 * token.
 */
export function validateGbnf(source: string, root: string): readonly string[] {
  checkText(source);
  const rules = parseGbnf(source);
  checkRules(source, rules, root);
  return [...rules.tokenTexts];
}

/**
 * Throws for a grammar of ours as `validateGbnf()` would for its source, mostly without reading that: the
 * writer knows its notation, but not what llama.cpp survives.
 */
export function checkWritten(written: WrittenGrammar): void {
  const { source } = written;
  if (Buffer.byteLength(source) > MAX_SOURCE_BYTES || !isSurelyTaken(written)) {
    validateGbnf(source, "root");
  }
}

function checkText(source: string): void {
  const bytes = Buffer.byteLength(source);
  if (bytes > MAX_SOURCE_BYTES) {
    refuse(source, 0, `at most ${MAX_SOURCE_BYTES} bytes`, `${bytes} bytes`);
  }
  const nul = source.indexOf("\0");
  if (nul >= 0) {
    const hint = "Write it as \\x00 inside a literal or a character class";
    refuse(source, nul, "text without NUL characters", "U+0000", hint);
  }
  const surrogate = source.search(/\p{Surrogate}/u);
  if (surrogate >= 0) {
    const got = `the lone surrogate ${describeAt(source, surrogate)}`;
    refuse(source, surrogate, "well-formed Unicode", got);
  }
}
