import type { CharSet } from "./language/char-set.js";
import { SchemaProblem } from "./schema-problem.js";

/** What a rule matches. An alternative of nothing matches nothing; a sequence of nothing, the empty text. */
export type Expression =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "set"; readonly set: CharSet }
  /** So many of a part, which is a set or a rule, or fewer. */
  | { readonly kind: "upTo"; readonly part: Expression; readonly most: number }
  | { readonly kind: "rule"; readonly rule: Rule }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "choice"; readonly parts: readonly Expression[] };

export interface Rule {
  readonly hint: string;
  definition: Expression | undefined;
}

const MAX_RULES = 60_000;

export const NOTHING: Expression = { kind: "choice", parts: [] };
export const EMPTY: Expression = { kind: "sequence", parts: [] };

export function text(text: string): Expression {
  return text === "" ? EMPTY : { kind: "text", text };
}

export function set(set: CharSet): Expression {
  return set.length === 0 ? NOTHING : { kind: "set", set };
}

/** At most 2,000, which is what llama.cpp counts to. */
export function upTo(most: number, part: Expression): Expression {
  return { kind: "upTo", part, most };
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
    this.#grow(1);
    return { hint, definition: undefined };
  }

  #grow(count: number): void {
    this.#count += count;
    if (this.#count <= MAX_RULES) return;
    throw new SchemaProblem(this.place, `its grammar has more than ${MAX_RULES} rules`);
  }

  /** Counts the rules of another one, whose expressions are used here, too. */
  include(other: GrammarRules): void {
    this.#grow(other.#count);
  }

  define(hint: string, definition: Expression): Rule {
    const rule = this.declare(hint);
    rule.definition = definition;
    return rule;
  }
}

const matchingOf = new WeakMap<Expression, ReadonlySet<Rule>>();

/** Of all rules that an expression leads to, those that some text matches. */
export function matchingRules(start: Expression): ReadonlySet<Rule> {
  let matching = matchingOf.get(start);
  if (matching === undefined) {
    matching = findMatching({ hint: "root", definition: start });
    matchingOf.set(start, matching);
  }
  return matching;
}

function findMatching(root: Rule): ReadonlySet<Rule> {
  const all = new Set([root]);
  for (const rule of all) forEachRule(rule.definition ?? NOTHING, (used) => all.add(used));
  const matching = new Set<Rule>();
  // Most are used before they come, so that few are left for a second look.
  const left = [...all].reverse().filter((rule) => !matchesNow(rule, matching));
  const users = new Map<Rule, Rule[]>(left.map((rule) => [rule, []]));
  for (const rule of left) {
    forEachRule(rule.definition ?? NOTHING, (used) => users.get(used)?.push(rule));
  }
  for (let rule = left.pop(); rule !== undefined; rule = left.pop()) {
    if (!matching.has(rule) && matchesNow(rule, matching)) left.push(...users.get(rule)!);
  }
  return matching;
}

function matchesNow(rule: Rule, matching: Set<Rule>): boolean {
  if (!canMatch(rule.definition ?? NOTHING, matching)) return false;
  matching.add(rule);
  return true;
}

function forEachRule(expression: Expression, visit: (rule: Rule) => void): void {
  if (expression.kind === "rule") visit(expression.rule);
  else if (expression.kind === "upTo") forEachRule(expression.part, visit);
  else if (expression.kind === "sequence" || expression.kind === "choice") {
    for (const part of expression.parts) forEachRule(part, visit);
  }
}

/** Whether some text matches, as far as it is known which rules some text matches. */
export function canMatch(expression: Expression, matching: ReadonlySet<Rule>): boolean {
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
