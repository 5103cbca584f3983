/** What an automaton would need is over a limit. */
export class TooManyStates extends Error {}

/** What is made, or why it would have too many states. */
export function attempt<T>(make: () => T): T | TooManyStates {
  try {
    return make();
  } catch (error) {
    if (error instanceof TooManyStates) return error;
    throw error;
  }
}

/** What all automata of a schema would need is over a limit. */
export class TooMuchWork extends Error {}

/** Of one schema's automata together: schemas in use take less than a twentieth of it. */
const MOST_STEPS = 8_000_000;

/**
 * What may still be done to make automata for one schema. A step is a class of characters in a state's row,
 * or one of the places that a state stands for.
 */
export class Budget {
  #left = MOST_STEPS;

  get left(): number {
    return this.#left;
  }

  /** @throws {TooMuchWork} */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new TooMuchWork("its patterns and numbers together take too many states");
    }
  }
}

/** For the making of one automaton. */
export interface Limits {
  readonly states: number;
  readonly budget: Budget;
}
