import { TooManyStates } from "./budget.js";
import type { CharSet } from "./char-set.js";
import { type Dfa, edgesOf } from "./dfa.js";

/** A character of a set, or, if it may be, the edge of the text. */
export interface Neighbour {
  readonly set: CharSet;
  readonly edge: boolean;
}

/** What is asked of a place in a text: what is before it, and what comes next. */
export interface Neighbours {
  readonly before?: Neighbour;
  readonly after?: Neighbour;
}

export const EDGE: Neighbour = { set: [], edge: true };

/** A step that takes no character. */
export interface FreeStep extends Neighbours {
  readonly to: number;
}

/** A step that takes a character of a set. */
export interface Step {
  readonly to: number;
  readonly set: CharSet;
}

/** An automaton under construction, as Thompson has it: states with steps that take no character. */
export class Nfa {
  readonly #limit: number;
  readonly #free: FreeStep[][] = [];
  readonly #steps: Step[][] = [];
  /** Equal sets are one, so that few are told apart. */
  readonly #sets = new Map<string, CharSet>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Per state. */
  get freeSteps(): readonly (readonly FreeStep[])[] {
    return this.#free;
  }

  /** Per state. */
  get steps(): readonly (readonly Step[])[] {
    return this.#steps;
  }

  /** Of all steps, each once. */
  get sets(): readonly CharSet[] {
    return [...this.#sets.values()];
  }

  /** @throws {TooManyStates} */
  state(): number {
    if (this.#free.length >= this.#limit) throw new TooManyStates(`more than ${this.#limit} parts`);
    this.#steps.push([]);
    return this.#free.push([]) - 1;
  }

  free(from: number, to: number, asked?: Neighbours): void {
    this.#free[from]!.push({ to, ...asked });
  }

  step(from: number, to: number, set: CharSet): void {
    if (set.length > 0) this.#steps[from]!.push({ to, set: this.#only(set) });
  }

  /** From a state on, what an automaton accepts, and then the end of the text. */
  embed(dfa: Dfa, from: number, to: number): void {
    const states = Array.from(dfa.accepting, () => this.state());
    const edges = edgesOf(dfa);
    this.free(from, states[0]!);
    for (const [number, state] of states.entries()) {
      for (const [target, set] of edges[number]!) this.step(state, states[target]!, set);
      if (dfa.accepting[number] === 1) this.free(state, to, { after: EDGE });
    }
  }

  #only(set: CharSet): CharSet {
    const key = set.join(",");
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    this.#sets.set(key, set);
    return set;
  }
}
