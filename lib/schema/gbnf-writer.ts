import {
  canMatch,
  choice,
  EMPTY,
  type Expression,
  isMatchable,
  Rule,
  sequence,
} from "./grammar-rules.js";
import { type CharSet, rangesOf } from "./language/char-set.js";
import { SchemaProblem } from "./schema-problem.js";

const MAX_SOURCE = 1 << 20;

/** What each rule says, without the alternatives that no text matches; the first is the start. */
export type Definitions = ReadonlyMap<Rule, Expression>;

/** A grammar in llama.cpp's GBNF, with "root" as the rule to start with. */
export interface WrittenGrammar {
  readonly source: string;
  /** What stands in it, but for shared rules. */
  readonly definitions: Definitions;
  /** Each with the rules that it leads to, which `sharedDefinitions()` tells. */
  readonly shared: readonly Rule[];
}

/**
 * The grammar of what an expression matches; undefined where that is nothing.
 *
 * @throws {SchemaProblem} where it would be too large
 */
export function writeGrammar(start: Expression): WrittenGrammar | undefined {
  if (!isMatchable(start)) return undefined;
  const root = new Rule("root", start);
  root.matches = true;
  const writer = new GbnfWriter();
  const source = writer.write(root, "root");
  return { source, definitions: writer.definitions, shared: writer.shared };
}

/** A shared rule with those that it leads to: written once, and then again and again by other names. */
interface SharedText {
  /** The text of its rules, parted where the name of the first stands. */
  readonly parts: readonly string[];
  readonly definitions: Definitions;
}

const sharedTexts = new WeakMap<Rule, SharedText>();
/** Stands for the name, since no grammar has it. */
const NAME = "\0";

function sharedText(rule: Rule): SharedText {
  let known = sharedTexts.get(rule);
  if (known === undefined) {
    const writer = new GbnfWriter(NAME);
    const parts = writer.write(rule, NAME).split(NAME);
    known = { parts, definitions: writer.definitions };
    sharedTexts.set(rule, known);
  }
  return known;
}

/** What a shared rule says, and those that it leads to. */
export function sharedDefinitions(rule: Rule): Definitions {
  return sharedText(rule).definitions;
}

class GbnfWriter {
  readonly definitions = new Map<Rule, Expression>();
  readonly shared: Rule[] = [];
  /** Whose rules these are, where they are those of a shared one: what they are named by. */
  readonly #owner: string | undefined;
  readonly #names = new Map<Rule, string>();
  readonly #used = new Set<string>(["root"]);
  readonly #counts = new Map<string, number>();
  readonly #waiting: Rule[] = [];

  constructor(owner?: string) {
    this.#owner = owner;
  }

  write(first: Rule, name: string): string {
    this.#names.set(first, name);
    this.#waiting.push(first);
    let source = "";
    for (const rule of this.#waiting) {
      const own = this.#names.get(rule)!;
      if (rule.shared && rule !== first) {
        source += sharedText(rule).parts.join(own);
        this.shared.push(rule);
      } else {
        const definition = matchable(rule.definition!);
        this.definitions.set(rule, definition);
        source += `${own} ::= ${this.#write(definition, "choice")}\n`;
      }
      if (source.length > MAX_SOURCE) {
        throw new SchemaProblem("#", `its grammar has more than ${MAX_SOURCE} characters`);
      }
    }
    return source;
  }

  #nameOf(rule: Rule): string {
    let name = this.#names.get(rule);
    if (name === undefined) {
      name =
        this.#owner === undefined ? this.#free(rule.hint) : `${this.#owner}--${this.#names.size}`;
      this.#names.set(rule, name);
      this.#waiting.push(rule);
    }
    return name;
  }

  #free(hint: string): string {
    let count = this.#counts.get(hint) ?? 0;
    let name = count === 0 ? hint : `${hint}-${count}`;
    while (this.#used.has(name)) name = `${hint}-${++count}`;
    this.#used.add(name);
    this.#counts.set(hint, count + 1);
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
        return this.#join(expression.parts, "sequence", " ");
      case "choice": {
        const written = this.#join(expression.parts, "choice", " | ");
        return around === "sequence" ? `(${written})` : written;
      }
    }
  }

  #join(parts: readonly Expression[], around: "choice" | "sequence", between: string): string {
    let written = "";
    for (const part of parts) {
      if (written !== "") written += between;
      written += this.#write(part, around);
    }
    return written;
  }
}

/** Without the alternatives that no text matches: most expressions have none. */
function matchable(expression: Expression): Expression {
  if (isWhole(expression)) return expression;
  switch (expression.kind) {
    case "upTo":
      return EMPTY;
    case "sequence":
      return sequence(...expression.parts.map(matchable));
    case "choice":
      return choice(...expression.parts.filter(canMatch).map(matchable));
    default:
      return expression;
  }
}

/** Whether some text matches each part. */
function isWhole(expression: Expression): boolean {
  switch (expression.kind) {
    case "rule":
      return expression.rule.matches === true;
    case "upTo":
      return isWhole(expression.part);
    case "sequence":
      return expression.parts.every(isWhole);
    case "choice":
      return expression.parts.length > 0 && expression.parts.every(isWhole);
    default:
      return true;
  }
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
  return text.replace(/[^ !#-[\]-~]/gu, escapeInText);
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
