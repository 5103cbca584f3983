import { isInScope, type Member } from "./conjunction-state.js";
import { type Goal, goalKey, itemParts } from "./conjunctions.js";
import { type AtomFormula, type Formula, type Json, rangeOf } from "./formula.js";
import {
  choice,
  type Expression,
  NOTHING,
  type Rule,
  sequence,
  text,
  use,
} from "./grammar-rules.js";
import type { Values } from "./values-interface.js";

/** All orders of so many different values are written out. */
const MAX_DISTINCT = 6;
const MAX_STATES = 2_000;

type Contains = Extract<AtomFormula, { kind: "contains" }>;

/** The grammar of the arrays that satisfy some atoms. */
export class ArrayGrammar {
  readonly #grammar: Values;
  readonly #members: readonly Member[];
  readonly #atoms: readonly AtomFormula[];
  /** So many items have their own place; the others are alike. */
  readonly #placed: number;
  readonly #min: number;
  readonly #max: number | undefined;

  constructor(grammar: Values, members: readonly Member[]) {
    this.#grammar = grammar;
    this.#members = members;
    this.#atoms = members.map(({ atom }) => atom);
    this.#placed = Math.max(
      0,
      ...this.#atoms.map((atom) => (atom.kind === "items" ? atom.prefix.length : 0)),
    );
    const { min, max } = rangeOf("count", this.#atoms);
    this.#min = min;
    this.#max = max;
  }

  expression(): Expression {
    const contains = this.#contains();
    const distinct = this.#distinct();
    if (distinct !== undefined) return this.#oneOfEach(distinct);
    return contains === undefined ? this.#plain() : this.#containing(contains);
  }

  #plain(): Expression {
    const { layout, rules } = this.#grammar;
    const end = this.#end;
    const room = this.#max ?? Number.POSITIVE_INFINITY;
    const others = this.#placed >= room ? NOTHING : this.#item(this.#placed);
    let rest =
      others === NOTHING
        ? this.#min <= this.#placed
          ? end
          : NOTHING
        : this.#grammar.text.repetitions.of(
            sequence(layout.comma, others),
            Math.max(this.#min - Math.max(this.#placed, 1), 0),
            this.#max === undefined ? undefined : Math.max(room - Math.max(this.#placed, 1), 0),
            end,
          );
    if (this.#placed === 0) {
      const some = others === NOTHING ? NOTHING : sequence(others, rest);
      return this.#around(choice(some, this.#min === 0 ? text("]") : NOTHING));
    }
    for (let index = Math.min(this.#placed, room) - 1; index >= 0; index--) {
      const item = this.#item(index);
      const here = sequence(index === 0 ? sequence() : layout.comma, item, rest);
      const stop = index === 0 ? text("]") : end;
      const ways = choice(item === NOTHING ? NOTHING : here, index >= this.#min ? stop : NOTHING);
      rest = index === 0 ? ways : use(rules.define("items", ways));
    }
    return this.#around(room === 0 ? text("]") : rest);
  }

  /** Counts what is contained, up to where it no longer matters. */
  #containing(contains: Contains): Expression {
    const { layout, rules, formulas, conjunctions } = this.#grammar;
    const { part, min, max } = contains;
    const known = new Map<string, Rule>();
    const waiting: (() => void)[] = [];
    const items = Math.max(1, this.#placed, this.#max ?? this.#min);
    const found = max ?? min;
    const item = (index: number, ...more: readonly Formula[]) => {
      const goal = this.#goal(index, ...more);
      return conjunctions.isSatisfiable(goal) ? this.#grammar.value(goal) : NOTHING;
    };
    const rest = (index: number, count: number): Expression => {
      const key = `${index},${count}`;
      let rule = known.get(key);
      if (rule === undefined) {
        if (known.size >= MAX_STATES)
          this.#grammar.problem(contains.path, "too many items to count");
        const made = rules.declare("items");
        known.set(key, made);
        waiting.push(() => {
          made.definition = define(index, count);
        });
        rule = made;
      }
      return use(rule);
    };
    const define = (index: number, count: number): Expression => {
      const ways: Expression[] = [];
      if (index >= this.#min && count >= min) ways.push(index === 0 ? text("]") : this.#end);
      if (this.#max !== undefined && index >= this.#max) return choice(...ways);
      const place = Math.min(index, this.#placed);
      const next = Math.min(index + 1, items);
      const before = index === 0 ? sequence() : layout.comma;
      const add = (value: Expression, then: number) => {
        if (value !== NOTHING) ways.push(sequence(before, value, rest(next, then)));
      };
      if (max === undefined) {
        add(item(place), count);
        if (count < min) add(item(place, part), count + 1);
      } else {
        add(item(place, formulas.not(part)), count);
        if (count < found) add(item(place, part), count + 1);
      }
      return choice(...ways);
    };
    // The first item has no comma before it: index 0 is only the start.
    const start = rest(0, 0);
    for (const run of waiting) run();
    return this.#around(start);
  }

  /** A list without repetitions, of few values. */
  #oneOfEach(values: readonly Json[]): Expression {
    const { layout, rules } = this.#grammar;
    const states = new Map<number, Rule>();
    const count = (mask: number) => values.filter((_, index) => (mask & (1 << index)) !== 0).length;
    const most = Math.min(values.length, this.#max ?? values.length);
    const rest = (mask: number): Rule => {
      let rule = states.get(mask);
      if (rule === undefined) {
        rule = rules.declare("distinct");
        states.set(mask, rule);
        const ways: Expression[] = [];
        if (count(mask) >= this.#min) ways.push(mask === 0 ? text("]") : this.#end);
        for (const [index, value] of values.entries()) {
          if ((mask & (1 << index)) !== 0 || count(mask) >= most) continue;
          const before = mask === 0 ? sequence() : layout.comma;
          ways.push(sequence(before, text(JSON.stringify(value)), use(rest(mask | (1 << index)))));
        }
        rule.definition = choice(...ways);
      }
      return rule;
    };
    return this.#around(use(rest(0)));
  }

  #around(items: Expression): Expression {
    return sequence(text("["), this.#grammar.layout.inside, items);
  }

  get #end(): Expression {
    return sequence(this.#grammar.layout.inside, text("]"));
  }

  #item(index: number): Expression {
    const goal = this.#goal(index);
    return this.#grammar.conjunctions.isSatisfiable(goal) ? this.#grammar.value(goal) : NOTHING;
  }

  #goal(index: number, ...more: readonly Formula[]): Goal {
    return this.#grammar.goal([
      ...itemParts(this.#atoms, index),
      ...this.#unevaluated(index),
      ...more,
    ]);
  }

  #unevaluated(index: number): Formula[] {
    return this.#members.flatMap(({ atom, chain }) => {
      if (atom.kind !== "unevaluated") return [];
      const inScope = this.#members.filter(
        (other) => other.atom !== atom && isInScope(other.chain, chain),
      );
      if (inScope.some((other) => other.atom.kind === "contains")) {
        this.#grammar.leave("unevaluatedItems", atom.path, "it depends on what `contains` finds");
        return [];
      }
      const spoken = inScope.some(
        ({ atom: other }) =>
          other.kind === "unevaluated" ||
          (other.kind === "items" && (index < other.prefix.length || other.rest !== undefined)),
      );
      return spoken ? [] : [atom.part];
    });
  }

  /** The one that is counted; of more, the others are left. */
  #contains(): Contains | undefined {
    const all = this.#atoms.filter((atom) => atom.kind === "contains");
    const counted = all.filter(({ min, max }) => min > 0 || max !== undefined);
    for (const { path } of counted.slice(1)) {
      this.#grammar.leave("contains", path, "only one of several can be counted");
    }
    return counted[0];
  }

  /** The values of which each may come once; undefined where that says nothing or is left. */
  #distinct(): readonly Json[] | undefined {
    const unique = this.#atoms.find((atom) => atom.kind === "unique");
    if (unique === undefined || (this.#max !== undefined && this.#max <= 1)) return undefined;
    const goals = new Map<string, Goal>();
    for (let index = 0; index <= this.#placed; index++) {
      const goal = this.#goal(index);
      goals.set(goalKey(goal), goal);
    }
    const [only] = goals.values();
    const values = goals.size === 1 ? this.#grammar.listValues(only!) : undefined;
    const others = this.#atoms.some((atom) => atom.kind === "contains");
    if (values !== undefined && values.length <= MAX_DISTINCT && !others) return values;
    this.#grammar.leave("uniqueItems", unique.path, "no grammar can compare items");
    return undefined;
  }
}
