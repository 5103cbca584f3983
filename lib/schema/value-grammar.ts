import type { Steps } from "../internal/steps.js";
import { ArrayGrammar } from "./array-grammar.js";
import type { Conjunction, Member } from "./conjunction-state.js";
import { type Conjunctions, type Goal, goalKey, goalOf } from "./conjunctions.js";
import { canonical, Evaluator, typeOf } from "./evaluation.js";
import {
  type AtomFormula,
  type Formula,
  type Formulas,
  type Json,
  NUMBER,
  TYPE,
} from "./formula.js";
import { choice, type Expression, type GrammarRules, NOTHING, text, use } from "./grammar-rules.js";
import type { Layout } from "./json-layout.js";
import { type Dfa, unite } from "./language/dfa.js";
import { typesOf } from "./negation.js";
import { numberExpression } from "./number-grammar.js";
import { ObjectGrammar } from "./object-grammar.js";
import { SchemaProblem } from "./schema-problem.js";
import { stringExpressions } from "./string-grammar.js";
import { TextGrammar } from "./text-grammar.js";
import type { TextLanguages } from "./text-languages.js";
import type { Unchecked, Values } from "./values-interface.js";

/** What a `ValueGrammar` is given; the rest of `Values` it is itself. */
export type ValueGrammarParts = Pick<
  Values,
  "formulas" | "conjunctions" | "evaluator" | "texts" | "rules" | "layout" | "closed"
>;

const MAX_GOALS = 20_000;
/** Steps on the way through values that are let through as they stand. */
const MAX_REPORT_STEPS = 1_000_000;
/** Of an automaton of names that several ways let through. */
const MAX_NAME_STATES = 2_000;

/** Rules for the values that satisfy goals; each goal has one, however often it is met. */
export class ValueGrammar implements Values {
  readonly formulas: Formulas;
  readonly conjunctions: Conjunctions;
  readonly evaluator: Evaluator;
  readonly texts: TextLanguages;
  readonly rules: GrammarRules;
  readonly layout: Layout;
  readonly closed: boolean;
  readonly text: TextGrammar;
  readonly #values = new Map<string, Expression>();
  readonly #waiting: (() => void)[] = [];
  readonly #unchecked = new Map<string, Unchecked>();
  /** Reports what it takes to hold. */
  readonly #reporter: Evaluator;

  constructor(parts: ValueGrammarParts) {
    this.formulas = parts.formulas;
    this.conjunctions = parts.conjunctions;
    this.evaluator = parts.evaluator;
    this.texts = parts.texts;
    this.rules = parts.rules;
    this.layout = parts.layout;
    this.closed = parts.closed;
    this.text = new TextGrammar(this.rules);
    this.#reporter = new Evaluator(
      (source, text) => this.texts.isMatch(source, text),
      MAX_REPORT_STEPS,
      { onUnchecked: ({ keyword, path, reason }) => this.leave(keyword, path, reason) },
    );
  }

  get unchecked(): readonly Unchecked[] {
    return [...this.#unchecked.values()];
  }

  goal(parts: readonly Formula[]): Goal {
    return goalOf(parts, this.formulas);
  }

  /** The values that satisfy a goal. What it says is written by `finish()`. */
  value(goal: Goal): Expression {
    if (goal.includes(this.formulas.FALSE)) return NOTHING;
    const key = goalKey(goal);
    let value = this.#values.get(key);
    if (value === undefined) {
      const { path = "#" } = goal[0] ?? {};
      if (this.#values.size >= MAX_GOALS) this.problem(path, "its parts combine in too many ways");
      const rule = this.rules.declare(hintFor(goal));
      value = use(rule);
      this.#values.set(key, value);
      this.#waiting.push(() => {
        this.rules.place = path;
        rule.definition = this.#define(goal);
      });
    }
    return value;
  }

  *finish(): Steps<void> {
    for (const define of this.#waiting) {
      define();
      yield;
    }
  }

  leave(keyword: string, path: string, reason: string): void {
    this.#unchecked.set(path, { keyword, path, reason });
  }

  /** Of a value that is let through as it stands, what is taken to hold, however deep in it. */
  reportWithin(value: Json, formulas: readonly Formula[]): void {
    if (!this.formulas.has("unchecked")) return;
    for (const formula of formulas) this.#reporter.holds(value, formula);
  }

  problem(path: string, reason: string): never {
    throw new SchemaProblem(path, reason);
  }

  /** All values of a goal, where they are few enough to be listed. */
  listValues(goal: Goal): readonly Json[] | undefined {
    const found = new Map<string, Json>();
    for (const way of this.conjunctions.expand(goal)) {
      let { values } = way;
      if (values === undefined && (way.types & ~(TYPE.null | TYPE.boolean)) === 0) {
        values = [null, true, false].filter(
          (value) =>
            (typeOf(value) & way.types) !== 0 &&
            way.members.every(({ atom }) => this.evaluator.holds(value, atom)),
        );
      }
      if (values === undefined) return undefined;
      for (const value of values) {
        this.#reportValue(value, way.members);
        found.set(canonical(value), value);
      }
    }
    return [...found.values()];
  }

  /** The names that a goal of texts lets through; undefined for all. */
  namesOf(part: Formula): Dfa | undefined {
    let all: Dfa | undefined;
    for (const way of this.conjunctions.expand(this.goal([part]))) {
      let names: Dfa | undefined;
      if (way.values !== undefined) {
        const texts = way.values.filter((value) => typeof value === "string");
        for (const text of texts) this.#reportValue(text, way.members);
        names = this.texts.ofTexts(texts);
      } else if ((way.types & TYPE.string) === 0) {
        names = this.texts.ofTexts([]);
      } else {
        this.#reportUnchecked(way.members, TYPE.string);
        names = this.texts.countedOrShorter(way.members.map(({ atom }) => atom));
        if (names === undefined) return undefined;
      }
      all = all === undefined ? names : unite(all, names, this.texts.limits(MAX_NAME_STATES));
    }
    return all ?? this.texts.ofTexts([]);
  }

  #define(goal: Goal): Expression {
    const ways = this.conjunctions.expand(goal);
    const parts = [this.#listed(ways)];
    const open = ways.filter(({ values }) => values === undefined);
    const withMembers = (type: number) => widest(open, type);
    if (withMembers(TYPE.null).length > 0) parts.push(text("null"));
    parts.push(...this.#booleans(open));
    parts.push(...this.#numberWays(open));
    const strings = withMembers(TYPE.string);
    for (const members of strings) this.#reportUnchecked(members, TYPE.string);
    parts.push(...stringExpressions(this, strings));
    for (const members of withMembers(TYPE.array)) {
      this.#reportUnchecked(members, TYPE.array);
      this.#reportLeftOut(members, TYPE.array);
      parts.push(new ArrayGrammar(this, members).expression());
    }
    for (const members of withMembers(TYPE.object)) {
      this.#reportUnchecked(members, TYPE.object);
      this.#reportLeftOut(members, TYPE.object);
      parts.push(new ObjectGrammar(this, members).expression());
    }
    return choice(...parts);
  }

  /** Values that are given one by one. */
  #listed(ways: readonly Conjunction[]): Expression {
    const texts = new Set<string>();
    for (const { values, members } of ways) {
      for (const value of values ?? []) {
        texts.add(JSON.stringify(value === 0 ? 0 : value));
        this.#reportValue(value, members);
        for (const { atom } of members) {
          if (atom.kind === "unevaluated" && (typesOf(atom) & typeOf(value)) !== 0) {
            this.leave("unevaluated", atom.path, "it stands beside values that are given");
          }
        }
      }
    }
    if (texts.size === 0) return NOTHING;
    return this.text.listed([...texts]);
  }

  #booleans(open: readonly Conjunction[]): Expression[] {
    const ways = open.filter(({ types }) => (types & TYPE.boolean) !== 0);
    const possible = [true, false].filter((value) =>
      ways.some(({ members }) => members.every(({ atom }) => this.evaluator.holds(value, atom))),
    );
    return possible.map((value) => text(String(value)));
  }

  #numberWays(open: readonly Conjunction[]): Expression[] {
    const parts = new Set<Expression>();
    const ways = new Map<number, readonly (readonly Member[])[]>();
    for (const kind of [NUMBER, TYPE.integer, TYPE.fraction]) {
      const having = open.filter(({ types }) => (types & NUMBER) === kind);
      ways.set(kind, widest(having, kind));
    }
    for (const [kind, members] of ways) {
      for (const way of members) {
        this.#reportUnchecked(way, kind);
        const atoms = way.map(({ atom }) => atom);
        parts.add(numberExpression(this, atoms, kind));
      }
    }
    return [...parts];
  }

  #reportValue(value: Json, members: readonly Member[]): void {
    this.reportWithin(
      value,
      members.map(({ atom }) => atom),
    );
  }

  /** Lists or objects that must not come, where nothing else keeps them out. */
  #reportLeftOut(members: readonly Member[], type: number): void {
    for (const { atom } of members) {
      if (atom.kind !== "values" || !atom.negated) continue;
      const possible = atom.values.some(
        (value) =>
          (typeOf(value) & type) !== 0 &&
          members.every(({ atom: other }) => other === atom || this.evaluator.holds(value, other)),
      );
      if (possible) {
        const reason = "lists and objects are not told apart by all that is in them";
        this.leave("not", atom.path, reason);
      }
    }
  }

  #reportUnchecked(members: readonly Member[], types: number): void {
    for (const { atom } of members) {
      if (atom.kind === "unchecked" && (atom.types & types) !== 0) {
        this.leave(atom.keyword, atom.path, atom.reason);
      }
    }
  }
}

/**
 * What the ways to satisfy a goal say of a type, without those that only say more than another. What
 * is said of all that is unevaluated depends on where it stands, and is never the wider one.
 */
function widest(ways: readonly Conjunction[], type: number): (readonly Member[])[] {
  const found = ways
    .filter(({ types }) => (types & type) !== 0)
    .map(({ members }) =>
      members.filter(({ atom }) => (typesOf(atom) & type) !== 0 && speaks(atom, type)),
    );
  if (found.length <= 1) return found;
  const ids = found.map((members) => new Set(members.map(({ atom }) => atom.id)));
  const scoped = found.map((members) => members.some(({ atom }) => atom.kind === "unevaluated"));
  return found.filter((_, index) =>
    ids.every((other, at) => {
      if (at === index || scoped[at]) return true;
      const wider = [...other].every((id) => ids[index]!.has(id));
      return !wider || (other.size === ids[index]!.size && at > index);
    }),
  );
}

/** Values of other types do not count. */
function speaks(atom: AtomFormula, type: number): boolean {
  if (atom.kind !== "values") return true;
  return atom.values.some((value) => (typeOf(value) & type) !== 0);
}

/** A rule is named after the place of what it is for. */
function hintFor(goal: Goal): string {
  const last = (goal[0]?.path ?? "")
    .split("/")
    .findLast((part) => /^[A-Za-z]/.test(part) && !KEYWORDS.has(part));
  const name = (last ?? "value")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/-+$/, "")
    .slice(0, 24);
  return name === "root" ? "root-value" : name;
}

const KEYWORDS = new Set([
  ...["type", "enum", "const", "properties", "patternProperties", "additionalProperties", "items"],
  ...["prefixItems", "required", "allOf", "anyOf", "oneOf", "not", "if", "$ref", "minLength"],
  ...["maxLength", "pattern", "format", "minimum", "maximum", "minItems", "maxItems"],
]);
