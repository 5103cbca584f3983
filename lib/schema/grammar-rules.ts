import { type CharSet, rangesOf } from "./language/char-set.js";
import { SchemaProblem } from "./schema-problem.js";

/** What a rule matches. An alternative of nothing matches nothing; a sequence of nothing, the empty text. */
export type Expression =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "rule"; readonly rule: Rule }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "choice"; readonly parts: readonly Expression[] };

export interface Rule {
  readonly hint: string;
  definition: Expression | undefined;
}

const MAX_RULES = 60_000;
const MAX_SOURCE = 1 << 20;

export const NOTHING: Expression = { kind: "choice", parts: [] };
export const EMPTY: Expression = { kind: "sequence", parts: [] };

export function text(text: string): Expression {
  return text === "" ? EMPTY : { kind: "text", text };
}

export function set(set: CharSet): Expression {
  return set.length === 0 ? NOTHING : { kind: "set", set };
}

export function use(rule: Rule): Expression {
  return { kind: "rule", rule };
}

export function sequence(...parts: readonly Expression[]): Expression {
  const flat: Expression[] = [];
  for (const part of parts) {
    if (part === NOTHING) return NOTHING;
    for (const one of part.kind === "sequence" ? part.parts : [part]) {
      const last = flat.at(-1);
      if (one.kind === "text" && last?.kind === "text") {
        flat[flat.length - 1] = { kind: "text", text: last.text + one.text };
      } else flat.push(one);
    }
  }
  return flat.length === 1
    ? flat[0]!
    : flat.length === 0
      ? EMPTY
      : { kind: "sequence", parts: flat };
}

export function choice(...parts: readonly Expression[]): Expression {
  const unique = new Map<unknown, Expression>();
  for (const part of parts) {
    for (const one of part.kind === "choice" ? part.parts : [part]) {
      unique.set(one.kind === "rule" ? one.rule : one, one);
    }
  }
  const [first] = unique.values();
  if (first === undefined) return NOTHING;
  return unique.size === 1 ? first : { kind: "choice", parts: [...unique.values()] };
}

/** Makes the rules of a schema. */
export class GrammarRules {
  #count = 0;
  /** Where in the schema work is done, for who meets a limit. */
  place = "#";

  /** A rule to be defined later, which may lead back to itself. */
  declare(hint: string): Rule {
    if (++this.#count > MAX_RULES) {
      throw new SchemaProblem(this.place, `its grammar has more than ${MAX_RULES} rules`);
    }
    return { hint, definition: undefined };
  }

  define(hint: string, definition: Expression): Rule {
    const rule = this.declare(hint);
    rule.definition = definition;
    return rule;
  }
}

/**
 * A grammar in llama.cpp's GBNF, with "root" as the rule to start with; undefined where it can match
 * nothing.
 *
 * @throws {SchemaProblem} where it would be too large
 */
export function writeGrammar(start: Expression): string | undefined {
  const root: Rule = { hint: "root", definition: start };
  const matching = matchingRules(root);
  if (!matching.has(root)) return undefined;
  const lines: string[] = [];
  let size = 0;
  for (const line of new GbnfWriter(matching, root).lines()) {
    size += line.length;
    if (size > MAX_SOURCE) {
      throw new SchemaProblem("#", `its grammar has more than ${MAX_SOURCE} characters`);
    }
    lines.push(line);
  }
  return lines.join("");
}

/** Of all rules that one leads to, those that some text matches: found from those without references on. */
export function matchingRules(root: Rule): ReadonlySet<Rule> {
  const users = new Map<Rule, Set<Rule>>([[root, new Set()]]);
  for (const rule of users.keys()) {
    forEachRule(rule.definition ?? NOTHING, (used) => {
      const known = users.get(used);
      if (known === undefined) users.set(used, new Set([rule]));
      else known.add(rule);
    });
  }
  const matching = new Set<Rule>();
  const waiting = [...users.keys()];
  for (let rule = waiting.pop(); rule !== undefined; rule = waiting.pop()) {
    if (matching.has(rule) || !canMatch(rule.definition ?? NOTHING, matching)) continue;
    matching.add(rule);
    waiting.push(...users.get(rule)!);
  }
  return matching;
}

function forEachRule(expression: Expression, visit: (rule: Rule) => void): void {
  if (expression.kind === "rule") visit(expression.rule);
  else if (expression.kind === "sequence" || expression.kind === "choice") {
    for (const part of expression.parts) forEachRule(part, visit);
  }
}

function canMatch(expression: Expression, matching: ReadonlySet<Rule>): boolean {
  switch (expression.kind) {
    case "rule":
      return matching.has(expression.rule);
    case "sequence":
      return expression.parts.every((part) => canMatch(part, matching));
    case "choice":
      return expression.parts.some((part) => canMatch(part, matching));
    default:
      return true;
  }
}

class GbnfWriter {
  readonly #matching: ReadonlySet<Rule>;
  readonly #names = new Map<Rule, string>();
  readonly #used = new Set<string>(["root"]);
  readonly #counts = new Map<string, number>();
  readonly #waiting: Rule[] = [];

  constructor(matching: ReadonlySet<Rule>, root: Rule) {
    this.#matching = matching;
    this.#names.set(root, "root");
    this.#waiting.push(root);
  }

  *lines(): Generator<string> {
    for (const rule of this.#waiting) {
      yield `${this.#names.get(rule)} ::= ${this.#write(rule.definition!, "choice")}\n`;
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
        return `"${[...expression.text].map(escapeInText).join("")}"`;
      case "set":
        return `[${rangesOf(expression.set).map(writeRange).join("")}]`;
      case "rule":
        return this.#nameOf(expression.rule);
      case "sequence":
        if (expression.parts.length === 0) return '""';
        return expression.parts.map((part) => this.#write(part, "sequence")).join(" ");
      case "choice": {
        const parts = expression.parts.filter((part) => canMatch(part, this.#matching));
        const written = parts.map((part) => this.#write(part, "choice")).join(" | ");
        return around === "sequence" && parts.length > 1 ? `(${written})` : written;
      }
    }
  }
}

function writeRange([from, to]: readonly [number, number]): string {
  const end = escapeInSet(to);
  if (from === to) return end;
  return to === from + 1 ? escapeInSet(from) + end : `${escapeInSet(from)}-${end}`;
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
