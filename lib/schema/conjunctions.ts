import { type Chain, type Compound, type Conjunction, isIn, State } from "./conjunction-state.js";
import { type Evaluator, partsFor, typeOf } from "./evaluation.js";
import {
  ANY_TYPE,
  type AtomFormula,
  type Formula,
  type Formulas,
  NUMBER,
  rangeOf,
  TYPE,
} from "./formula.js";
import { negate, typesOf } from "./negation.js";
import { SchemaProblem } from "./schema-problem.js";
import type { TextLanguages } from "./text-languages.js";

/** Ways that a value can satisfy a schema: more of them for one place are no schema of practice. */
const MAX_WAYS = 1_000;
const MAX_STEPS = 600_000;
/** What one of many members costs, where all are gone through. */
const MEMBER_STEPS = 1 / 8;
const TYPES = Object.values(TYPE);
/** How deep it is looked for a contradiction; what lies deeper is taken for satisfiable. */
const MAX_DEPTH = 24;
const MAX_CHECKED_ITEMS = 8;

/** Several formulas that hold together, of one value. */
export type Goal = readonly Formula[];

export function goalKey(goal: Goal): string {
  let key = "";
  for (const { id } of goal) key += `${id},`;
  return key;
}

/** In the order of their numbers, each once, without what says nothing. */
export function goalOf(parts: readonly Formula[], { TRUE, FALSE }: Formulas): Goal {
  if (parts.includes(FALSE)) return [FALSE];
  if (parts.length === 1) return parts[0] === TRUE ? [] : parts;
  const unique = [...new Set(parts)].filter((part) => part !== TRUE);
  return unique.sort((a, b) => a.id - b.id);
}

/** Brings formulas into alternatives that each say all they ask for: `ref`, `allOf` and choices undone. */
export class Conjunctions {
  readonly #formulas: Formulas;
  readonly #evaluator: Evaluator;
  readonly #texts: TextLanguages;
  readonly #satisfiable = new Map<string, boolean>();
  /** Of goals without a choice, what was found on the way to whether they are satisfiable. */
  readonly #onlyWays = new Map<string, Conjunction>();
  /** Per two formulas, the types of values that may satisfy both. */
  readonly #common = new Map<string, number>();
  #steps = MAX_STEPS;
  #depth = 0;

  constructor(formulas: Formulas, evaluator: Evaluator, texts: TextLanguages) {
    this.#formulas = formulas;
    this.#evaluator = evaluator;
    this.#texts = texts;
  }

  /** @throws {SchemaProblem} */
  expand(goal: Goal): Conjunction[] {
    const only = this.#onlyWays.get(goalKey(goal));
    if (only !== undefined) return [only];
    const found: Conjunction[] = [];
    const start = new State();
    if (!this.#gatherAll(goal, undefined, start)) return found;
    this.#visit(start, ({ types, members, values }) => {
      if (found.length >= MAX_WAYS) {
        const { path = "#" } = goal[0] ?? {};
        throw new SchemaProblem(path, `it can be satisfied in more than ${MAX_WAYS} ways`);
      }
      found.push({ types, members: [...members], values });
      return false;
    });
    return found;
  }

  /** False only where it is certain that no value satisfies all. */
  isSatisfiable(goal: Goal): boolean {
    const key = goalKey(goal);
    const known = this.#satisfiable.get(key);
    if (known !== undefined) return known;
    if (this.#depth >= MAX_DEPTH) return true;
    this.#satisfiable.set(key, true); // as long as it is not known better
    this.#depth++;
    const start = new State();
    const possible = this.#gatherAll(goal, undefined, start);
    const isOnly = start.choices.length === 0;
    const found = possible && this.#visit(start, () => true);
    this.#depth--;
    if (found && isOnly && this.#depth === 0) {
      const { types, members, values } = start;
      this.#onlyWays.set(key, { types, members, values });
    }
    this.#satisfiable.set(key, found);
    return found;
  }

  /** Goes through all ways, until `found` wants no more; whether it does. */
  #visit(state: State, found: (state: State) => boolean): boolean {
    const { members } = state;
    this.#step(members[0]?.atom, 1 + (members.length + state.seen) * MEMBER_STEPS);
    if (this.#isContradictory(state)) return false;
    const [choice, ...others] = state.choices;
    if (choice === undefined) return found(state);
    const { formula, chain } = choice;
    state.choices = others;
    const before = formula.kind === "one" ? new State(state) : state;
    const undo = state.mark();
    for (const part of formula.parts) {
      const holds =
        this.#gather(part, chain, state) &&
        (formula.kind !== "one" || this.#excludeOthers(formula, part, chain, before, state));
      if (holds && this.#visit(state, found)) return true;
      undo();
    }
    return false;
  }

  /** The other branches of a `oneOf` do not hold; where they cannot, it need not be said. */
  #excludeOthers(
    { parts, path }: Extract<Formula, { kind: "one" }>,
    chosen: Formula,
    chain: Chain | undefined,
    before: State,
    next: State,
  ): boolean {
    const f = this.#formulas;
    const index = parts.indexOf(chosen);
    for (const [at, other] of parts.entries()) {
      if (at === index) continue;
      const common = this.#commonTypes(chosen, other, before);
      if (common === 0) continue;
      let excluding = f.not(other);
      // That a value is none of some needs no types.
      if (other.kind !== "values") {
        const apart = f.types(ANY_TYPE & ~common, path);
        excluding = f.any([apart, f.all([f.types(common, path), excluding], path)], path);
      }
      if (!this.#gather(excluding, chain, next)) return false;
    }
    return true;
  }

  #commonTypes(a: Formula, b: Formula, before: State): number {
    const key = a.id < b.id ? `${a.id},${b.id}` : `${b.id},${a.id}`;
    let common = this.#common.get(key);
    if (common === undefined) {
      common = this.#typesOfBoth(a, b, new State());
      this.#common.set(key, common);
    }
    if (common === 0 || before.members.length === 0) return common & before.types;
    const both = new State(before);
    both.choices = [];
    return common & this.#typesOfBoth(a, b, both);
  }

  #typesOfBoth(a: Formula, b: Formula, state: State): number {
    let common = 0;
    if (!this.#gatherAll([a, b], undefined, state)) return common;
    this.#visit(state, ({ types }) => {
      common |= types;
      return false;
    });
    return common;
  }

  #gatherAll(parts: readonly Formula[], chain: Chain | undefined, state: State): boolean {
    return parts.every((part) => this.#gather(part, chain, state));
  }

  /** Adds what a formula says; false where nothing can satisfy it. */
  #gather(formula: Formula, chain: Chain | undefined, state: State): boolean {
    this.#step(formula);
    if (!state.see(formula.id) && !this.#countsAgain(formula)) return state.types !== 0;
    switch (formula.kind) {
      case "types":
        state.types &= formula.types;
        return state.types !== 0;
      case "all":
      case "any":
      case "one":
      case "not":
      case "ref": {
        const inner: Chain = { id: formula.id, negated: formula.kind === "not", above: chain };
        return this.#gatherInner(formula, inner, state);
      }
      default:
        state.members.push({ atom: formula, chain });
        return true;
    }
  }

  #gatherInner(formula: Compound, inner: Chain, state: State): boolean {
    switch (formula.kind) {
      case "all":
        return this.#gatherAll(formula.parts, inner, state);
      case "any":
        if (formula.parts.length === 0) return false;
        state.choices = [...state.choices, { formula, chain: inner }];
        return true;
      case "one":
        state.choices = [...state.choices, { formula, chain: inner }];
        return true;
      case "not":
        return this.#gather(negate(formula.part, this.#formulas), inner, state);
      case "ref":
        if (isIn(inner.above, formula)) {
          throw new SchemaProblem(formula.path, "the reference comes back to itself");
        }
        return this.#gather(formula.resolve(), inner, state);
    }
  }

  /** What a formula speaks of matters to each `unevaluated` that is around it. */
  #countsAgain({ kind }: Formula): boolean {
    if (kind === "ref") return true;
    const speaks = kind === "all" || kind === "properties" || kind === "items";
    return speaks && this.#formulas.has("unevaluated");
  }

  /** Takes away what is certainly not possible; whether nothing is left. */
  #isContradictory(state: State): boolean {
    const { members } = state;
    for (const { atom } of members) {
      if (atom.kind !== "values" || atom.negated) continue;
      state.values = (state.values ?? atom.values).filter(
        (value) =>
          (typeOf(value) & state.types) !== 0 &&
          members.every((other) => this.#evaluator.holds(value, other.atom)),
      );
    }
    if (state.values !== undefined) {
      state.types &= state.values.reduce<number>((types, value) => types | typeOf(value), 0);
      return state.types === 0;
    }
    let spoken = 0;
    for (const { atom } of members) spoken |= typesOf(atom);
    for (const type of TYPES) {
      if ((state.types & spoken & type) === 0) continue;
      const atoms: AtomFormula[] = [];
      for (const { atom } of members) if ((typesOf(atom) & type) !== 0) atoms.push(atom);
      if (this.#isImpossible(type, atoms)) state.types &= ~type;
    }
    return state.types === 0;
  }

  #isImpossible(type: number, atoms: readonly AtomFormula[]): boolean {
    switch (type) {
      case TYPE.null:
        return atoms.some((atom) => atom.kind === "values" && !this.#evaluator.holds(null, atom));
      case TYPE.boolean:
        return [true, false].every((value) =>
          atoms.some((atom) => atom.kind === "values" && !this.#evaluator.holds(value, atom)),
        );
      case TYPE.string:
        return this.#texts.isImpossible(atoms);
      case TYPE.array:
        return this.#isImpossibleArray(atoms);
      case TYPE.object:
        return this.#isImpossibleObject(atoms);
      default:
        return isImpossibleNumber(atoms, (type & NUMBER) === TYPE.integer);
    }
  }

  #isImpossibleArray(atoms: readonly AtomFormula[]): boolean {
    const { min, max } = rangeOf("count", atoms);
    if (max !== undefined && min > max) return true;
    for (let index = 0; index < Math.min(min, MAX_CHECKED_ITEMS); index++) {
      const parts = itemParts(atoms, index);
      if (parts.length > 0 && !this.isSatisfiable(goalOf(parts, this.#formulas))) return true;
    }
    return false;
  }

  #isImpossibleObject(atoms: readonly AtomFormula[]): boolean {
    const required = requiredNames(atoms);
    const { min, max } = rangeOf("size", atoms);
    if (max !== undefined && (min > max || required.size > max)) return true;
    this.#step(atoms[0], required.size * atoms.length * MEMBER_STEPS);
    for (const name of required) {
      const parts = propertyParts(atoms, name, this.#texts);
      if (parts.length > 0 && !this.isSatisfiable(goalOf(parts, this.#formulas))) return true;
      for (const atom of atoms) {
        if (atom.kind === "names" && !this.#evaluator.holds(name, atom.part)) return true;
      }
    }
    return false;
  }

  #step(formula: Formula | undefined, cost = 1): void {
    this.#steps -= cost;
    if (this.#steps >= 0) return;
    throw new SchemaProblem(formula?.path ?? "#", "its parts combine in too many ways");
  }
}

function isImpossibleNumber(atoms: readonly AtomFormula[], integer: boolean): boolean {
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  const edges: number[] = [];
  for (const atom of atoms) {
    if (atom.kind !== "bound") continue;
    if (atom.relation === ">" || atom.relation === "<") edges.push(atom.value);
    if (atom.relation.startsWith(">")) low = Math.max(low, atom.value);
    else high = Math.min(high, atom.value);
  }
  if (
    low > high ||
    (low === high && (edges.includes(low) || (!integer && Number.isInteger(low))))
  ) {
    return true;
  }
  if (
    !integer ||
    !Number.isSafeInteger(Math.ceil(low)) ||
    !Number.isSafeInteger(Math.floor(high))
  ) {
    return false;
  }
  const first = Math.ceil(low) + (edges.includes(Math.ceil(low)) ? 1 : 0);
  const last = Math.floor(high) - (edges.includes(Math.floor(high)) ? 1 : 0);
  return first > last;
}

export function requiredNames(atoms: readonly AtomFormula[]): Set<string> {
  return new Set(atoms.flatMap((atom) => (atom.kind === "required" ? atom.names : [])));
}

export function propertyParts(
  atoms: readonly AtomFormula[],
  name: string,
  texts: TextLanguages,
): Formula[] {
  const parts: Formula[] = [];
  const isMatch = (source: string) => texts.isMatch(source, name);
  for (const atom of atoms) {
    if (atom.kind === "properties") parts.push(...partsFor(name, atom, isMatch));
  }
  return parts;
}

export function itemParts(atoms: readonly AtomFormula[], index: number): Formula[] {
  return atoms.flatMap((atom) => {
    const part = atom.kind === "items" ? (atom.prefix[index] ?? atom.rest) : undefined;
    return part === undefined ? [] : [part];
  });
}
