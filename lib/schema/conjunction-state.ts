import { ANY_TYPE, type AtomFormula, type Formula, type Json } from "./formula.js";
import { SchemaProblem } from "./schema-problem.js";

/** Formulas inside each other, in one place of a value. */
const MAX_CHAIN = 500;

/** The formulas around a part, from the inside out. */
export interface Chain {
  readonly id: number;
  /** Whether what is inside is what must not hold. */
  readonly negated: boolean;
  readonly above: Chain | undefined;
}

export interface Member<A extends AtomFormula = AtomFormula> {
  readonly atom: A;
  readonly chain: Chain | undefined;
}

/** One way to satisfy a goal: all of these hold. */
export interface Conjunction {
  readonly types: number;
  readonly members: readonly Member[];
  /** Where only so many values are left. */
  readonly values: readonly Json[] | undefined;
}

/** A formula that is made of others. */
export type Compound = Exclude<Formula, AtomFormula>;

export interface Choice {
  readonly formula: Extract<Formula, { kind: "any" | "one" }>;
  readonly chain: Chain | undefined;
}

/** What is known so far on the way to a conjunction. */
export class State {
  types = ANY_TYPE;
  values: readonly Json[] | undefined;
  readonly members: Member[];
  choices: readonly Choice[];
  readonly #seen: Set<number>;
  /** The same, in the order in which they were seen. */
  readonly #trail: number[];

  constructor(other?: State) {
    this.types = other?.types ?? ANY_TYPE;
    this.values = other?.values;
    this.members = [...(other?.members ?? [])];
    this.choices = other?.choices ?? [];
    this.#trail = other === undefined ? [] : [...other.#trail];
    this.#seen = new Set(this.#trail);
  }

  get seen(): number {
    return this.#trail.length;
  }

  /** Whether it was not there before. */
  see(id: number): boolean {
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    this.#trail.push(id);
    return true;
  }

  /** Undoes all that came since, each time that it is called. */
  mark(): () => void {
    const { types, values, choices } = this;
    const { length } = this.members;
    const seen = this.#trail.length;
    return () => {
      this.types = types;
      this.values = values;
      this.choices = choices;
      this.members.length = length;
      while (this.#trail.length > seen) this.#seen.delete(this.#trail.pop()!);
    };
  }
}

/** Whether a formula is in a chain. */
export function isIn(chain: Chain | undefined, { id, path }: Formula): boolean {
  let length = 0;
  for (let at = chain; at !== undefined; at = at.above) {
    if (at.id === id) return true;
    if (++length > MAX_CHAIN)
      throw new SchemaProblem(path, "references lead to references too far");
  }
  return false;
}

/** Whether something is said only of what must not hold. */
export function isNegated(chain: Chain | undefined): boolean {
  for (let at = chain; at !== undefined; at = at.above) if (at.negated) return true;
  return false;
}

/** Whether the formula that `scope` ends with is around what `chain` stands for. */
export function isInScope(chain: Chain | undefined, scope: Chain | undefined): boolean {
  for (let at = chain; at !== scope; at = at.above) {
    if (at === undefined || at.id === scope?.id) return at !== undefined;
    if (at.negated) return false;
  }
  return true;
}
