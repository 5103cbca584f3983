import { single } from "./char-set.js";
import {
  ANY_TEXT,
  type Dfa,
  explore,
  intersect,
  ofTexts,
  stateCount,
  subtract,
  unite,
} from "./dfa.js";
import { compileRegex } from "./regex.js";

/** JavaScript writes larger numbers with an exponent. */
const INTEGER_DIGITS = 21;
const DECIMALS = 24;
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

const DIGITS = "[0-9]";
const FRACTION = `(?:\\.${DIGITS}{1,${DECIMALS}})?`;
const WHOLE = `(?:0|[1-9]${DIGITS}{0,${INTEGER_DIGITS - 1}})`;
/**
 * As JavaScript writes what is below 1e-6, and from 1e21 on, behind a digit and a fraction: far from 0 and
 * from infinity.
 */
const TINY = "-(?:[7-9]|0[7-9]|[1-9][0-9]|[12][0-9][0-9]|30[0-7])";
const HUGE = "\\+?(?:2[1-9]|[3-9][0-9]|[12][0-9][0-9]|30[0-7])";
/** The last power of ten is finite up to here. */
const LARGEST =
  `1(?:\\.[0-6]${DIGITS}{0,${DECIMALS - 1}}|\\.7[0-8]${DIGITS}{0,${DECIMALS - 2}}` +
  "|\\.7976931348623157)?[eE]\\+?308";
/** Any other exponent: the whole digits times 10^280 are still finite. */
const POWER = `-${DIGITS}{1,3}|\\+?(?:${DIGITS}{1,2}|0${DIGITS}{2}|1${DIGITS}{2}|2[0-7]${DIGITS})`;
const FREE =
  `-?(?:${WHOLE}${FRACTION}(?:[eE](?:${POWER}))?` +
  `|[1-9]${FRACTION}[eE](?:${TINY}|${HUGE})|${LARGEST})`;

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
  let dfa = form(rules.kind, least, most);
  const narrow = (other: Dfa) => {
    dfa = intersect(dfa, other, MAX_STATES);
  };
  // An integer's bounds are integers, and it has no other writing.
  const writing = rules.kind === "integer" ? "digits" : "any";
  if (least !== undefined) narrow(whole(atLeast(least, writing)));
  if (most !== undefined) narrow(whole(atMost(most, writing)));
  for (const step of rules.multipleOf) {
    const few = fewMultiples(step, least, most);
    if (few !== undefined) {
      narrow(few);
      continue;
    }
    const { all, countable } = multiplesOf(step, MAX_STATES);
    narrow(intersect(all, countable, MAX_STATES));
  }
  for (const step of rules.notMultipleOf) {
    if (rules.kind !== "integer") throw new NumberProblem("only integers are told apart by it");
    const { all, countable } = multiplesOf(step, MAX_STATES_LEFT);
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

/** In decimal, exactly. */
interface Decimal {
  readonly negative: boolean;
  readonly whole: string;
  readonly decimals: string;
}

function decimalOf(value: number): Decimal {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  const [, sign, first = "", rest = "", exponent = "0"] = parts;
  const digits = first + rest;
  const point = first.length + Number(exponent);
  const whole = digits
    .slice(0, Math.max(point, 0))
    .padEnd(point, "0")
    .replace(/^0+(?=.)/, "");
  const decimals = "0".repeat(Math.max(-point, 0)) + digits.slice(Math.max(point, 0));
  return {
    negative: sign === "-",
    whole: whole === "" ? "0" : whole,
    decimals: decimals.replace(/0+$/, ""),
  };
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

/** How a number may be written besides its whole digits. */
type Writing = "any" | "digits";

/** A regular expression of the numbers from a bound on. Rounding keeps order, so exact decimals do. */
function atLeast(bound: number, writing: Writing = "any"): string {
  const { negative, ...size } = decimalOf(bound);
  const zero = size.whole === "0" && size.decimals === "";
  if (zero) return `${notBelow(size, writing)}|-(?:0(?:\\.0{1,${DECIMALS}})?)`;
  return negative
    ? `${notBelow(ZERO, writing)}|-(?:${notAbove(size, writing)})`
    : notBelow(size, writing);
}

function atMost(bound: number, writing: Writing = "any"): string {
  const { negative, ...size } = decimalOf(bound);
  const zero = size.whole === "0" && size.decimals === "";
  if (zero) return `0(?:\\.0{1,${DECIMALS}})?|-(?:${notBelow(ZERO, writing)})`;
  return negative
    ? `-(?:${notBelow(size, writing)})`
    : `${notAbove(size, writing)}|-(?:${notBelow(ZERO, writing)})`;
}

type Size = Pick<Decimal, "whole" | "decimals">;
const ZERO: Size = { whole: "0", decimals: "" };

/** Of a bound with more decimals than a number here has, the next one that has as many. */
function cut({ whole, decimals }: Size, up: boolean): Size {
  if (decimals.length <= DECIMALS) return { whole, decimals };
  const near = BigInt(decimals.slice(0, DECIMALS)) + (up ? 1n : 0n);
  return { whole, decimals: String(near).padStart(DECIMALS, "0").replace(/0+$/, "") };
}

function notBelow(bound: Size, writing: Writing): string {
  const { whole, decimals } = cut(bound, true);
  const { length } = whole;
  const most = Math.max(INTEGER_DIGITS, length + 1);
  const larger = [`[1-9]${DIGITS}{${length},${most - 1}}`, whole === "0" ? "[1-9]" : above(whole)];
  if (decimals === "") larger.push(whole);
  if (writing === "digits") return larger.join("|");
  const ways = [`(?:${larger.join("|")})${FRACTION}`];
  if (decimals !== "") ways.push(`${whole}\\.(?:${decimalsFrom(decimals)})`);
  const powers: string[] = [];
  if (whole === "0" && /^(?:0{307,}|$)/.test(bound.decimals)) powers.push(TINY);
  if (length <= INTEGER_DIGITS) {
    powers.push(HUGE);
    ways.push(LARGEST);
  }
  if (powers.length > 0) ways.push(`[1-9]${FRACTION}[eE](?:${powers.join("|")})`);
  return ways.join("|");
}

function notAbove(bound: Size, writing: Writing): string {
  const { whole, decimals } = cut(bound, false);
  const smaller: string[] = [];
  const { length } = whole;
  if (whole !== "0") {
    const below = under(whole);
    if (below !== "") smaller.push(below);
    smaller.push("0");
    if (length > 1) smaller.push(`[1-9]${DIGITS}{0,${length - 2}}`);
  }
  if (writing === "digits") return [...smaller, whole].join("|");
  const ways = [`${whole}(?:\\.(?:${decimalsUpTo(decimals)}))?`];
  if (smaller.length > 0) ways.push(`(?:${smaller.join("|")})${FRACTION}`);
  if (whole !== "0" || /^0{0,5}[1-9]/.test(decimals)) ways.push(`[1-9]${FRACTION}[eE]${TINY}`);
  return ways.join("|");
}

/** Of as many digits, without a zero in front, those above; "[]" matches nothing. */
function above(digits: string): string {
  const ways: string[] = [];
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[i]);
    if (digit === 9) continue;
    ways.push(`${digits.slice(0, i)}[${digit + 1}-9]${some(digits.length - i - 1)}`);
  }
  return ways.length === 0 ? "[]" : ways.join("|");
}

function under(digits: string): string {
  const ways: string[] = [];
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[i]);
    const least = i === 0 ? 1 : 0;
    if (digit <= least) continue;
    ways.push(`${digits.slice(0, i)}[${least}-${digit - 1}]${some(digits.length - i - 1)}`);
  }
  return ways.join("|");
}

function some(count: number): string {
  return count === 0 ? "" : `${DIGITS}{${count}}`;
}

/** `digits` ends with no zero and is not empty. */
function decimalsFrom(digits: string): string {
  const ways: string[] = [];
  const room = (used: number) => `${DIGITS}{0,${Math.max(DECIMALS - used, 0)}}`;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[i]);
    if (digit === 9) continue;
    ways.push(`${digits.slice(0, i)}[${digit + 1}-9]${room(i + 1)}`);
  }
  ways.push(digits + room(digits.length));
  return ways.join("|");
}

function decimalsUpTo(digits: string): string {
  const ways: string[] = [];
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[i]);
    if (i > 0) ways.push(digits.slice(0, i));
    if (digit === 0) continue;
    ways.push(`${digits.slice(0, i)}[0-${digit - 1}]${DIGITS}{0,${Math.max(DECIMALS - i - 1, 0)}}`);
  }
  ways.push(`${digits}0{${digits === "" ? 1 : 0},${Math.max(DECIMALS - digits.length, 1)}}`);
  return ways.join("|");
}

/** Those of a short range one by one, as a check by division sees them. */
function fewMultiples(step: number, least?: number, most?: number): Dfa | undefined {
  if (least === undefined || most === undefined) return undefined;
  const first = Math.ceil(least / step);
  const last = Math.floor(most / step);
  if (!(last - first < MAX_LISTED)) return undefined;
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
  const all = explore<Reading>({
    classes: [...digits, single(0x2d), single(0x2e)],
    start: { rest: 0, place: -1, begun: 0 },
    limit: 2 * MAX_STATES,
    key: ({ rest, place, begun }) => `${rest},${place},${begun}`,
    next: (reading, index) => {
      const { rest, place, begun } = reading;
      if (index === 10) return begun === 0 ? { ...reading, begun: 1 } : undefined;
      if (index === 11) {
        return begun === 2 && place < 0 && places > 0 ? { ...reading, place: 0 } : undefined;
      }
      if (place === places) return undefined;
      const behind = place < 0 ? place : place + 1;
      return { rest: shift(rest, index), place: behind, begun: 2 };
    },
    accepts: ({ rest, place, begun }) => {
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
