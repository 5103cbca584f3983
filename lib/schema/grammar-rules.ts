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

/** A rule, with what is found out about it once: none of it changes when its definition is there. */
export class Rule {
  /** What it is named by. */
  readonly hint: string;
  /** Whether it is kept for other grammars, and leads to no rules but such that only it leads to. */
  readonly shared: boolean;
  readonly use: Expression = { kind: "rule", rule: this };
  definition: Expression | undefined;
  /** Whether some text matches it; undefined as long as `findMatching()` has not met it. */
  matches: boolean | undefined = undefined;
  /** How it begins; undefined as long as nobody asked. */
  beginning: Beginning | undefined = undefined;

  constructor(hint: string, definition?: Expression, shared = false) {
    this.hint = hint;
    this.definition = definition;
    this.shared = shared;
  }
}

/** How llama.cpp expands a rule to what it can begin with, as far as that is limited. */
export interface Beginning {
  /** Whether it matches the empty text. */
  readonly empty: boolean;
  /** The most rules that each begin with the next. */
  readonly depth: number;
  /** Elements on the way down. */
  readonly steps: number;
  /** Stacks that end in a terminal, all stacks, and the items in those. */
  readonly ends: number;
  readonly stacks: number;
  readonly cells: number;
}

const MAX_RULES = 60_000;
/** No less than how a rule of characters begins, but for its steps: with two sets, or groups of them. */
const SET = { empty: false, depth: 2, ends: 8, stacks: 16, cells: 32 };
/** The same of a state that has as many ways, each with a character first. */
const MOST_WAYS = 128;
const STATE: Beginning = {
  ...{ empty: false, depth: SET.depth + 1, steps: 16 * MOST_WAYS, ends: SET.ends * MOST_WAYS },
  ...{ stacks: (SET.stacks + 1) * MOST_WAYS, cells: (SET.cells + SET.stacks + 1) * MOST_WAYS },
};
const ENDING_STATE: Beginning = { ...STATE, empty: true };

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
  return rule.use;
}

/**
 * Defines a rule for a state of an automaton: each way is the end, or begins with a character. Since
 * automata have many, it is known beforehand what would be found out about it.
 */
export function defineState(rule: Rule, ways: readonly Expression[]): void {
  rule.definition = ways.length === 1 ? ways[0]! : { kind: "choice", parts: ways };
  rule.matches = true;
  let steps = 1;
  for (const way of ways) {
    const parts = way.kind === "sequence" ? way.parts : [way];
    const [first] = parts;
    if (first?.kind === "rule") steps += first.rule.beginning?.steps ?? STATE.steps;
    for (const part of parts) steps += sizeOf(part);
    steps++;
  }
  if (ways.length > MOST_WAYS || steps > STATE.steps) return;
  rule.beginning = ways.includes(EMPTY) ? ENDING_STATE : STATE;
}

/** In llama.cpp's elements, or more; a rule or a group counts as one. */
export function sizeOf(part: Expression): number {
  switch (part.kind) {
    case "text":
      return part.text.length;
    case "set":
      return part.set.length;
    default:
      return 1;
  }
}

export function sequence(...parts: readonly Expression[]): Expression {
  return sequenceOf(parts);
}

/** Of more than a call can have as its arguments. */
export function sequenceOf(parts: readonly Expression[]): Expression {
  if (parts.includes(NOTHING)) return NOTHING;
  const flat = isFlat(parts) ? parts : flatten(parts);
  if (flat.length === 1) return flat[0]!;
  return flat.length === 0 ? EMPTY : { kind: "sequence", parts: flat };
}

/** Without sequences, and without two texts beside each other: so are most. */
function isFlat(parts: readonly Expression[]): boolean {
  let before: Expression["kind"] | undefined;
  for (const { kind } of parts) {
    if (kind === "sequence" || (kind === "text" && before === "text")) return false;
    before = kind;
  }
  return true;
}

function flatten(parts: readonly Expression[]): Expression[] {
  const flat: Expression[] = [];
  for (const part of parts) {
    for (const one of part.kind === "sequence" ? part.parts : [part]) {
      const last = flat.at(-1);
      if (one.kind === "text" && last?.kind === "text") {
        flat[flat.length - 1] = { kind: "text", text: last.text + one.text };
      } else flat.push(one);
    }
  }
  return flat;
}

export function choice(...parts: readonly Expression[]): Expression {
  const [first, second] = parts;
  if (first === undefined) return NOTHING;
  if (second === undefined) return first;
  const apart = parts.length === 2 && first.kind !== "choice" && second.kind !== "choice";
  if (apart) return first === second ? first : { kind: "choice", parts };
  const unique = new Set<Expression>();
  for (const part of parts) {
    if (part.kind === "choice") for (const one of part.parts) unique.add(one);
    else unique.add(part);
  }
  const [only] = unique;
  if (only === undefined) return NOTHING;
  return unique.size === 1 ? only : { kind: "choice", parts: [...unique] };
}

/** Makes the rules of a schema. */
export class GrammarRules {
  #count = 0;
  /** Where in the schema work is done, for who meets a limit. */
  place = "#";

  /** A rule to be defined later, which may lead back to itself. */
  declare(hint: string): Rule {
    this.#grow(1);
    return new Rule(hint);
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
    this.#grow(1);
    return new Rule(hint, definition);
  }

  /** A rule of sets, and of sequences that begin with one: some text matches it. */
  defineSet(hint: string, definition: Expression): Rule {
    const rule = this.define(hint, definition);
    rule.matches = definition !== NOTHING;
    const parts = definition.kind === "choice" ? definition.parts : [definition];
    const steps = parts.reduce((sum, part) => sum + sizeOf(part) + 4, 1);
    if (parts.length <= SET.ends) rule.beginning = { ...SET, steps };
    return rule;
  }

  /** A rule to be kept for other grammars, of which `include()` counts all that these are. */
  share(hint: string, definition: Expression): Rule {
    this.#grow(1);
    return new Rule(hint, definition, true);
  }
}

/** Whether some text matches an expression, all of whose rules are defined. */
export function isMatchable(start: Expression): boolean {
  findMatching(start);
  return canMatch(start);
}

/** Finds out which of the rules that an expression leads to some text matches. */
function findMatching(start: Expression): void {
  const all: Rule[] = [];
  const meet = (rule: Rule) => {
    if (rule.matches !== undefined) return;
    rule.matches = false;
    all.push(rule);
  };
  forEachRule(start, meet);
  for (const rule of all) forEachRule(rule.definition ?? NOTHING, meet);
  // Most are used before they come, so that few are left for a second look.
  const left = all.reverse().filter((rule) => !matchesNow(rule));
  if (left.length === 0) return;
  const users = new Map<Rule, Rule[]>(left.map((rule) => [rule, []]));
  for (const rule of left) {
    forEachRule(rule.definition ?? NOTHING, (used) => users.get(used)?.push(rule));
  }
  for (let rule = left.pop(); rule !== undefined; rule = left.pop()) {
    if (rule.matches !== true && matchesNow(rule)) left.push(...users.get(rule)!);
  }
}

function matchesNow(rule: Rule): boolean {
  rule.matches = canMatch(rule.definition ?? NOTHING);
  return rule.matches;
}

function forEachRule(expression: Expression, visit: (rule: Rule) => void): void {
  switch (expression.kind) {
    case "rule":
      visit(expression.rule);
      return;
    case "upTo":
      forEachRule(expression.part, visit);
      return;
    case "sequence":
    case "choice":
      for (const part of expression.parts) forEachRule(part, visit);
      return;
    default:
  }
}

/** Whether some text matches, as far as it is known which rules some text matches. */
export function canMatch(expression: Expression): boolean {
  switch (expression.kind) {
    case "rule":
      return expression.rule.matches === true;
    case "sequence":
      return expression.parts.every(canMatch);
    case "choice":
      return expression.parts.some(canMatch);
    default:
      return true;
  }
}
