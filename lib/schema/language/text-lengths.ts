import type { Limits } from "./budget.js";
import { DEAD, type Dfa, explore, stateCount } from "./dfa.js";

/** An automaton whose texts have so many characters. */
export interface Counted {
  readonly dfa: Dfa;
  readonly min: number;
  readonly max: number | undefined;
}

/**
 * The texts of so many code points.
 *
 * @throws {TooManyStates}
 */
export function withLength({ dfa, min, max }: Counted, limits: Limits): Dfa {
  const width = dfa.classes.length;
  // Longer texts would have more states than the limit.
  const cap = Math.min(max ?? min, limits.states);
  // A state and how many characters came before it, as one number.
  const stateOf = (place: number) => Math.floor(place / (cap + 1));
  const lengthOf = (place: number) => place % (cap + 1);
  return explore({
    classes: dfa.classes,
    start: 0,
    limits,
    next: (place, index) => {
      const length = lengthOf(place);
      const target = dfa.table[stateOf(place) * width + index]!;
      if (target === DEAD || (max !== undefined && length === max)) return undefined;
      return target * (cap + 1) + Math.min(length + 1, cap);
    },
    accepts: (place) => dfa.accepting[stateOf(place)] === 1 && lengthOf(place) >= min,
  });
}

/** A limit that no text is longer than anyway is none. */
export function withoutIdleLimit({ dfa, min, max }: Counted): Counted {
  const longest = max === undefined ? undefined : longestText(dfa);
  return { dfa, min, max: longest === undefined || longest > max! ? max : undefined };
}

/** Of the characters of a text; undefined where there is always a longer one. */
export function longestText(dfa: Dfa): number | undefined {
  const width = dfa.classes.length;
  const count = stateCount(dfa);
  // Each state but once all those before it are done: where some never are, there is a way back.
  const before = new Int32Array(count);
  for (const target of dfa.table) if (target !== DEAD) before[target]!++;
  const longest = new Int32Array(count);
  const done: number[] = before[0] === 0 ? [0] : [];
  for (const state of done) {
    for (let column = 0; column < width; column++) {
      const target = dfa.table[state * width + column]!;
      if (target === DEAD) continue;
      longest[target] = Math.max(longest[target]!, longest[state]! + 1);
      if (--before[target]! === 0) done.push(target);
    }
  }
  if (done.length < count) return undefined;
  return longest.reduce((most, length) => Math.max(most, length));
}
