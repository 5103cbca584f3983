import { single } from "./char-set.js";
import {
  ANY_TEXT,
  type Dfa,
  explore,
  intersect,
  isEmpty,
  ofTexts,
  stateCount,
  subtract,
  unite,
} from "./dfa.js";
import {
  aroundZero,
  atLeast,
  atMost,
  DECIMALS,
  type Decimal,
  DIGITS,
  decimalOf,
  FRACTION,
  FREE,
  INTEGER_DIGITS,
  integers,
  isExact,
  TINY,
} from "./number-expressions.js";
import { compileRegex } from "./regex.js";

const EXPONENT_FROM = 1e21;
/** Up to here every multiple of an integer is exact, and so is the check. */
const EXACT_DIGITS = 15;
const MAX_STATES = 8_000;
/** All but a few are left of these, and lead to as many others. */
const MAX_STATES_LEFT = 5_000;
const MAX_MODULUS = 1_000;
const MAX_LISTED = 2_000;

/** What is asked of a number. */
export interface NumberRules {
  /** Both kinds, or only those without a fraction, or only those with one. */
  readonly kind: "any" | "integer" | "fraction";
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf: readonly number[];
  readonly not: readonly number[];
  readonly notMultipleOf: readonly number[];
}

/** A keyword that no automaton can follow here, and why. */
export class NumberProblem extends Error {}

/** Each takes the states of its digits. */
const MAX_LEFT_OUT = 30;

const cache = new Map<string, Dfa>();
/** Of all that are kept: a few MB at most. */
const MOST_STATES_KEPT = 50_000;
let kept = 0;

/** @throws {NumberProblem} */
export function numberLanguage(rules: NumberRules): Dfa {
  const key = JSON.stringify(rules);
  let dfa = cache.get(key);
  if (dfa === undefined) {
    dfa = compute(rules);
    kept += dfa.accepting.length;
    if (kept > MOST_STATES_KEPT) {
      cache.clear();
      kept = dfa.accepting.length;
    }
    cache.set(key, dfa);
  }
  return dfa;
}

function compute(rules: NumberRules): Dfa {
  const least = lowerBound(rules);
  const most = upperBound(rules);
  if (
    rules.kind === "integer" &&
    ((least ?? 0) >= EXPONENT_FROM || (most ?? 0) <= -EXPONENT_FROM)
  ) {
    throw new NumberProblem(
      "checkers differ about integers that JavaScript writes with an exponent",
    );
  }
  let dfa = between(rules.kind, least, most);
  const narrow = (other: Dfa) => {
    dfa = intersect(dfa, other, MAX_STATES);
  };
  const check = (countable: Dfa) => {
    if (isEmpty(dfa) || !isEmpty(intersect(dfa, countable, MAX_STATES))) return;
    throw new NumberProblem("all its multiples there have too many digits to be counted");
  };
  for (const step of rules.multipleOf) {
    const few = fewMultiples(step, least, most);
    if (few !== undefined) {
      narrow(few);
      continue;
    }
    const { all, countable } = multiplesOf(step, MAX_STATES);
    check(countable);
    narrow(intersect(all, countable, MAX_STATES));
  }
  for (const step of rules.notMultipleOf) {
    if (rules.kind !== "integer") throw new NumberProblem("only integers are told apart by it");
    const { all, countable } = multiplesOf(step, MAX_STATES_LEFT);
    check(countable);
    narrow(countable);
    dfa = subtract(dfa, all, MAX_STATES);
  }
  // An integer is written in one way.
  const spelled = (value: number) => rules.kind === "integer" && Number.isSafeInteger(value);
  const texts = rules.not.filter(spelled).map(String);
  if (texts.length > 0) dfa = subtract(dfa, ofTexts(texts), MAX_STATES);
  const rest = rules.not.filter((value) => !spelled(value));
  if (rest.length > MAX_LEFT_OUT) throw new NumberProblem("too many numbers are left out");
  for (const value of rest) narrow(others(value));
  return dfa;
}

function whole(source: string): Dfa {
  return compileRegex(`^(?:${source})$`);
}

function between(kind: NumberRules["kind"], least?: number, most?: number): Dfa {
  // What most schemas ask for is one expression: no automaton is made only to be narrowed.
  if (isExact(least) && isExact(most)) {
    if (kind === "integer") return whole(integers(least, most));
    if (kind === "any" && least !== undefined && most !== undefined && least <= 0 && most >= 0) {
      const source = aroundZero(least, most);
      if (source !== undefined) return whole(source);
    }
  }
  let dfa = form(kind, least, most);
  // An integer's bounds are integers, and it has no other writing.
  const writing = kind === "integer" ? "digits" : "any";
  if (least !== undefined) dfa = intersect(dfa, whole(atLeast(least, writing)), MAX_STATES);
  if (most !== undefined) dfa = intersect(dfa, whole(atMost(most, writing)), MAX_STATES);
  return dfa;
}

/** How a number may be written; where it has a bound, that tells of the rest. */
function form(kind: NumberRules["kind"], least?: number, most?: number): Dfa {
  const free = least === undefined && most === undefined;
  switch (kind) {
    case "integer": {
      const lengths = [least, most].map((bound) => decimalOf(bound ?? 0).whole.length + 1);
      return whole(`0|-?[1-9]${DIGITS}{0,${Math.max(INTEGER_DIGITS, ...lengths) - 1}}`);
    }
    case "any":
      return free ? whole(FREE) : ANY_TEXT;
    case "fraction": {
      // None that a double would round to an integer.
      const few = whole(
        `-?(?:(?:0|[1-9]${DIGITS}{0,5})\\.${DIGITS}{0,8}[1-9]|[1-9]${FRACTION}[eE]${TINY})`,
      );
      const many = compileRegex(
        `^(?!-?${DIGITS}+\\.(?:0{9}|9{9}))-?(?:0|[1-9]${DIGITS}{0,5})\\.${DIGITS}{10,${DECIMALS}}$`,
      );
      return unite(few, many, MAX_STATES);
    }
  }
}

const floats = new Float64Array(1);
const bits = new BigInt64Array(floats.buffer);

/** The next number that a double can be, up or down. */
function beside(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * Number.MIN_VALUE;
  floats[0] = value;
  bits[0] = bits[0]! + BigInt(value > 0 === direction > 0 ? 1 : -1);
  return floats[0];
}

/** `LARGEST` has the numbers there, but cannot count them. */
const NEAR_INFINITY = "a bound beyond 1e308 is not followed";

function lowerBound({ minimum, exclusiveMinimum, kind }: NumberRules): number | undefined {
  const bounds: number[] = [];
  if (minimum !== undefined) bounds.push(kind === "integer" ? Math.ceil(minimum) : minimum);
  if (exclusiveMinimum !== undefined) {
    const next = Math.floor(exclusiveMinimum) + 1;
    const whole = kind === "integer" && Number.isSafeInteger(next);
    bounds.push(whole ? next : beside(exclusiveMinimum, 1));
  }
  const bound = Math.max(...bounds);
  if (bounds.length === 0 || bound <= -Number.MAX_VALUE) return undefined;
  if (Math.abs(bound) > 1e308) throw new NumberProblem(NEAR_INFINITY);
  return bound;
}

function upperBound({ maximum, exclusiveMaximum, kind }: NumberRules): number | undefined {
  const bounds: number[] = [];
  if (maximum !== undefined) bounds.push(kind === "integer" ? Math.floor(maximum) : maximum);
  if (exclusiveMaximum !== undefined) {
    const next = Math.ceil(exclusiveMaximum) - 1;
    const whole = kind === "integer" && Number.isSafeInteger(next);
    bounds.push(whole ? next : beside(exclusiveMaximum, -1));
  }
  const bound = Math.min(...bounds);
  if (bounds.length === 0 || bound >= Number.MAX_VALUE) return undefined;
  if (Math.abs(bound) > 1e308) throw new NumberProblem(NEAR_INFINITY);
  return bound;
}

/** Those of a short range one by one, as a check by division sees them. */
function fewMultiples(step: number, least?: number, most?: number): Dfa | undefined {
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
  return ofTexts(texts);
}

interface Reading {
  readonly rest: number;
  /** How many digits behind the point; -1 before it. */
  readonly place: number;
  /** Whether a sign, whether a digit was read. */
  readonly begun: 0 | 1 | 2;
}

interface Multiples {
  /** Of any number of digits. */
  readonly all: Dfa;
  /**
   * The numbers of so few digits that a check by division, too, is exact, and that no automaton grows too large: 15,
   * or fewer where the multiples follow no pattern of decimals.
   */
  readonly countable: Dfa;
}

function multiplesOf(step: number, states: number): Multiples {
  const { whole: units, decimals } = decimalOf(step);
  const places = decimals.length;
  const modulus = Number(units + decimals);
  if (!Number.isSafeInteger(step * 1024)) {
    throw new NumberProblem("checkers differ about the multiples of what is no binary fraction");
  }
  if (modulus > MAX_MODULUS)
    throw new NumberProblem(`its multiples are too far apart to be counted`);
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
    limit: 2 * MAX_STATES,
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
  const countable = whole(`-?${DIGITS}{1,${Math.max(most - places, 1)}}${point}`);
  return { all, countable };
}

/** All numbers but one, and what a double would round to it. */
function others(value: number): Dfa {
  if (Math.abs(value) > 1e308) throw new NumberProblem("a number beyond 1e308 is not left out");
  const [below, above] = [beside(value, -1), beside(value, 1)];
  return unite(whole(atMost(below)), whole(atLeast(above)), MAX_STATES);
}

/** In decimal, as people read it: 19.99 is one of 0.01, though a division of doubles does not say so. */
export function isDecimalMultiple(value: number, step: number): boolean {
  if (!Number.isFinite(value)) return false;
  const [a, b] = [decimalOf(value), decimalOf(step)];
  const places = Math.max(a.decimals.length, b.decimals.length);
  const units = (one: Decimal) => BigInt(one.whole + one.decimals.padEnd(places, "0"));
  return units(a) % units(b) === 0n;
}
