import type { Budget } from "./budget.js";
import { single } from "./char-set.js";
import { type Dfa, explore, ofTexts, stateCount } from "./dfa.js";
import { type Decimal, DIGITS, decimalOf, EXACT_DIGITS } from "./number-expressions.js";
import { compileRegex } from "./regex.js";

const MAX_MODULUS = 1_000;
const MAX_LISTED = 2_000;
/** More than there are: each remainder has one before the point, and one for each of at most four decimals. */
const MAX_STATES = 16_000;

/** What is asked of a number that no automaton can follow, and why. */
export class NumberProblem extends Error {
  readonly about: "lower bound" | "upper bound" | "value" | "multiple";

  constructor(about: NumberProblem["about"], reason: string) {
    super(reason);
    this.about = about;
  }
}

/** Those of a short range one by one, as a check by division sees them; undefined for others. */
export function fewMultiples(
  step: number,
  least: number | undefined,
  most: number | undefined,
  budget: Budget,
): Dfa | undefined {
  if (least === undefined || most === undefined) return undefined;
  const first = Math.ceil(least / step);
  const last = Math.floor(most / step);
  // Beyond, the next integer is no other number.
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) return undefined;
  if (last - first >= MAX_LISTED) return undefined;
  const texts: string[] = [];
  for (let i = first; i <= last; i++) {
    const value = Number((i * step).toPrecision(EXACT_DIGITS));
    if (Number.isInteger(value / step)) texts.push(String(value === 0 ? 0 : value));
  }
  return ofTexts(texts, budget);
}

interface Reading {
  readonly rest: number;
  /** How many digits behind the point; -1 before it. */
  readonly place: number;
  /** Whether a sign, whether a digit was read. */
  readonly begun: 0 | 1 | 2;
}

export interface Multiples {
  /** Of any number of digits. */
  readonly all: Dfa;
  /**
   * The numbers of so few digits that a check by division, too, is exact, and that no automaton grows too large: 15,
   * or fewer where the multiples follow no pattern of decimals.
   */
  readonly countable: Dfa;
}

/**
 * `states`: how many those of both may have together.
 *
 * @throws {NumberProblem}
 */
export function multiplesOf(step: number, states: number, budget: Budget): Multiples {
  const { whole: units, decimals } = decimalOf(step);
  const places = decimals.length;
  const modulus = Number(units + decimals);
  if (!Number.isSafeInteger(step * 1024)) {
    const reason = "checkers differ about the multiples of what is no binary fraction";
    throw new NumberProblem("multiple", reason);
  }
  if (modulus > MAX_MODULUS)
    throw new NumberProblem("multiple", `its multiples are too far apart to be counted`);
  const digits = [..."0123456789"].map((digit) => single(digit.charCodeAt(0)));
  const shift = (rest: number, digit: number) => (rest * 10 + digit) % modulus;
  const stateOf = ({ rest, place, begun }: Reading) =>
    (rest * (places + 2) + place + 1) * 3 + begun;
  const readingOf = (state: number): Reading => ({
    rest: Math.floor(state / 3 / (places + 2)),
    place: (Math.floor(state / 3) % (places + 2)) - 1,
    begun: (state % 3) as Reading["begun"],
  });
  const all = explore({
    classes: [...digits, single(0x2d), single(0x2e)],
    start: stateOf({ rest: 0, place: -1, begun: 0 }),
    limits: { states: MAX_STATES, budget },
    next: (state, index) => {
      const { rest, place, begun } = readingOf(state);
      if (index === 10) return begun === 0 ? stateOf({ rest, place, begun: 1 }) : undefined;
      if (index === 11) {
        const may = begun === 2 && place < 0 && places > 0;
        return may ? stateOf({ rest, place: 0, begun }) : undefined;
      }
      if (place === places) return undefined;
      const behind = place < 0 ? place : place + 1;
      return stateOf({ rest: shift(rest, index), place: behind, begun: 2 });
    },
    accepts: (state) => {
      const { rest, place, begun } = readingOf(state);
      let end = rest;
      for (let i = Math.max(place, 0); i < places; i++) end = shift(end, 0);
      return begun === 2 && place !== 0 && end === 0;
    },
  });
  // Of the remainders by 1,000 four states are left, of those by 999 all of them.
  const most = Math.min(EXACT_DIGITS, Math.floor(states / stateCount(all)));
  const point = places === 0 ? "" : `(?:\\.${DIGITS}{1,${places}})?`;
  const source = `^(?:-?${DIGITS}{1,${Math.max(most - places, 1)}}${point})$`;
  return { all, countable: compileRegex(source, budget) };
}

/** In decimal, as people read it: 19.99 is one of 0.01, though a division of doubles does not say so. */
export function isDecimalMultiple(value: number, step: number): boolean {
  if (!Number.isFinite(value)) return false;
  const [a, b] = [decimalOf(value), decimalOf(step)];
  const places = Math.max(a.decimals.length, b.decimals.length);
  const units = (one: Decimal) => BigInt(one.whole + one.decimals.padEnd(places, "0"));
  return units(a) % units(b) === 0n;
}
