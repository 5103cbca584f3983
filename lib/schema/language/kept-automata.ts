import type { Budget } from "./budget.js";
import { type Dfa, stateCount } from "./dfa.js";

export interface KeepingLimits {
  /** How many are kept, and of how many states each. Default: any number. */
  readonly automata?: number;
  readonly statesOfEach?: number;
  /** Of all together. Default: any number. */
  readonly states?: number;
}

/**
 * Automata that schemas ask for again and again. Each is paid for as if it were made again, so that a
 * schema ends alike whatever came before it.
 */
export class KeptAutomata {
  readonly #limits: Required<KeepingLimits>;
  readonly #kept = new Map<string, { readonly dfa: Dfa; readonly steps: number }>();
  #states = 0;

  constructor(limits: KeepingLimits) {
    const any = Number.POSITIVE_INFINITY;
    this.#limits = { automata: any, statesOfEach: any, states: any, ...limits };
  }

  /**
   * @throws {TooMuchWork}
   * @throws what `make` throws, which is not kept
   */
  get(key: string, budget: Budget, make: () => Dfa): Dfa {
    const known = this.#kept.get(key);
    if (known !== undefined) {
      budget.spend(known.steps);
      return known.dfa;
    }
    const before = budget.left;
    const dfa = make();
    this.#keep(key, dfa, before - budget.left);
    return dfa;
  }

  #keep(key: string, dfa: Dfa, steps: number): void {
    const { automata, statesOfEach, states } = this.#limits;
    const count = stateCount(dfa);
    if (count > statesOfEach) return;
    if (this.#kept.size >= automata || this.#states + count > states) {
      this.#kept.clear();
      this.#states = 0;
    }
    this.#kept.set(key, { dfa, steps });
    this.#states += count;
  }
}
