import {
  canMatch,
  choice,
  EMPTY,
  type Expression,
  matchingRules,
  type Rule,
  sequence,
} from "./grammar-rules.js";
import { type CharSet, rangesOf } from "./language/char-set.js";
import { SchemaProblem } from "./schema-problem.js";

const MAX_SOURCE = 1 << 20;

/** A grammar in llama.cpp's GBNF, with "root" as the rule to start with. */
export interface WrittenGrammar {
  readonly source: string;
  /** What stands in it, rule by rule. */
  readonly definitions: ReadonlyMap<Rule, Expression>;
  readonly names: ReadonlyMap<Rule, string>;
}

/**
 * The grammar of what an expression matches; undefined where that is nothing.
 *
 * @throws {SchemaProblem} where it would be too large
 */
export function writeGrammar(start: Expression): WrittenGrammar | undefined {
  const matching = matchingRules(start);
  if (!canMatch(start, matching)) return undefined;
  return new GbnfWriter(matching).write({ hint: "root", definition: start });
}

class GbnfWriter {
  readonly #matching: ReadonlySet<Rule>;
  readonly #names = new Map<Rule, string>();
  readonly #used = new Set<string>(["root"]);
  readonly #counts = new Map<string, number>();
  readonly #definitions = new Map<Rule, Expression>();
  readonly #waiting: Rule[] = [];

  constructor(matching: ReadonlySet<Rule>) {
    this.#matching = matching;
  }

  write(root: Rule): WrittenGrammar {
    this.#names.set(root, "root");
    this.#waiting.push(root);
    let source = "";
    for (const rule of this.#waiting) {
      const definition = this.#matchable(rule.definition!);
      this.#definitions.set(rule, definition);
      source += `${this.#names.get(rule)} ::= ${this.#write(definition, "choice")}\n`;
      if (source.length > MAX_SOURCE) {
        throw new SchemaProblem("#", `its grammar has more than ${MAX_SOURCE} characters`);
      }
    }
    return { source, definitions: this.#definitions, names: this.#names };
  }

  /** Without the alternatives that no text matches. */
  #matchable(expression: Expression): Expression {
    switch (expression.kind) {
      case "upTo":
        return canMatch(expression.part, this.#matching) ? expression : EMPTY;
      case "sequence": {
        const parts = expression.parts.map((part) => this.#matchable(part));
        return isSame(parts, expression.parts) ? expression : sequence(...parts);
      }
      case "choice": {
        const possible = expression.parts.filter((part) => canMatch(part, this.#matching));
        const parts = possible.map((part) => this.#matchable(part));
        return isSame(parts, expression.parts) ? expression : choice(...parts);
      }
      default:
        return expression;
    }
  }

  #nameOf(rule: Rule): string {
    let name = this.#names.get(rule);
    if (name === undefined) {
      do {
        const count = this.#counts.get(rule.hint) ?? 0;
        this.#counts.set(rule.hint, count + 1);
        name = count === 0 ? rule.hint : `${rule.hint}-${count}`;
      } while (this.#used.has(name));
      this.#used.add(name);
      this.#names.set(rule, name);
      this.#waiting.push(rule);
    }
    return name;
  }

  #write(expression: Expression, around: "choice" | "sequence"): string {
    switch (expression.kind) {
      case "text":
        return `"${escapeText(expression.text)}"`;
      case "set":
        return writeSet(expression.set);
      case "upTo":
        return `${this.#write(expression.part, "sequence")}{0,${expression.most}}`;
      case "rule":
        return this.#nameOf(expression.rule);
      case "sequence":
        if (expression.parts.length === 0) return '""';
        return expression.parts.map((part) => this.#write(part, "sequence")).join(" ");
      case "choice": {
        const written = expression.parts.map((part) => this.#write(part, "choice")).join(" | ");
        return around === "sequence" ? `(${written})` : written;
      }
    }
  }
}

function isSame(parts: readonly Expression[], others: readonly Expression[]): boolean {
  return parts.length === others.length && parts.every((part, index) => part === others[index]);
}

const writtenSets = new WeakMap<CharSet, string>();

function writeSet(set: CharSet): string {
  let written = writtenSets.get(set);
  if (written === undefined) {
    written = `[${rangesOf(set).map(writeRange).join("")}]`;
    writtenSets.set(set, written);
  }
  return written;
}

function writeRange([from, to]: readonly [number, number]): string {
  const end = escapeInSet(to);
  if (from === to) return end;
  return to === from + 1 ? escapeInSet(from) + end : `${escapeInSet(from)}-${end}`;
}

function escapeText(text: string): string {
  return /^[ !#-[\]-~]*$/.test(text) ? text : [...text].map(escapeInText).join("");
}

function escapeInText(letter: string): string {
  if (letter === '"' || letter === "\\") return `\\${letter}`;
  return isPlain(letter.codePointAt(0)!) ? letter : hexadecimal(letter.codePointAt(0)!);
}

function escapeInSet(codePoint: number): string {
  const letter = String.fromCodePoint(codePoint);
  if (/[\\\]^[-]/.test(letter)) return hexadecimal(codePoint);
  return isPlain(codePoint) && codePoint < 0x7f ? letter : hexadecimal(codePoint);
}

/** Shows as what it is, in any editor. */
function isPlain(codePoint: number): boolean {
  return (
    (codePoint >= 0x20 && codePoint < 0x7f) ||
    /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(String.fromCodePoint(codePoint))
  );
}

function hexadecimal(codePoint: number): string {
  const digits = codePoint.toString(16).toUpperCase();
  if (codePoint <= 0xff) return `\\x${digits.padStart(2, "0")}`;
  return codePoint <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}
