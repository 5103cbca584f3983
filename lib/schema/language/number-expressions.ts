// Regular expressions of numbers as JavaScript writes them, and of those that are within bounds.

/** JavaScript writes larger numbers with an exponent. */
export const INTEGER_DIGITS = 21;
export const DECIMALS = 24;
/** A double has no fewer. */
export const EXACT_DIGITS = 15;

export const DIGITS = "[0-9]";
export const FRACTION = `(?:\\.${DIGITS}{1,${DECIMALS}})?`;
const WHOLE = `(?:0|[1-9]${DIGITS}{0,${INTEGER_DIGITS - 1}})`;
/** JavaScript writes what is below 1e-6, and from 1e21 on, with an exponent behind a digit and a fraction. */
const TINY_FROM = 7;
const HUGE_FROM = 21;
/** The least number that a double can be is 5e-324. */
const MOST_TINY = 324;
/** All of this power of ten are finite, of the next some. */
const MOST_HUGE = 307;
/** The last power of ten is finite up to here. */
const LARGEST =
  `1(?:\\.[0-6]${DIGITS}{0,${DECIMALS - 1}}|\\.7(?:[0-8]${DIGITS}{0,${DECIMALS - 2}})?` +
  "|\\.7976931348623157)?[eE]\\+?308";
/** Any other exponent: the whole digits times 10^280 are still finite. */
const POWER = `-${DIGITS}{1,3}|\\+?(?:${DIGITS}{1,2}|0${DIGITS}{2}|1${DIGITS}{2}|2[0-7]${DIGITS})`;
export const FREE =
  `-?(?:${WHOLE}${FRACTION}(?:[eE](?:${POWER}))?` +
  `|[1-9]${FRACTION}[eE](?:${powers(HUGE_FROM, MOST_HUGE)})|${LARGEST})`;

/** In decimal, exactly. */
export interface Decimal {
  readonly negative: boolean;
  readonly whole: string;
  readonly decimals: string;
}

export function decimalOf(value: number): Decimal {
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

/** Whether a bound is well below what has the most digits. */
export function isExact(bound: number | undefined): boolean {
  return bound === undefined || Math.abs(bound) <= Number.MAX_SAFE_INTEGER;
}

const MOST_DIGITS = "9".repeat(INTEGER_DIGITS);

/** A regular expression of the integers between two, without a bound up to the most digits. */
export function integers(least?: number, most?: number): string {
  if (least !== undefined && most !== undefined && least > most) return "[]";
  const ways: string[] = [];
  const digits = (bound: number | undefined) =>
    bound === undefined ? MOST_DIGITS : String(Math.abs(bound));
  if ((least ?? 0) <= 0 && (most ?? 0) >= 0) ways.push("0");
  if (most === undefined || most > 0) {
    ways.push(digitsBetween(digits(Math.max(least ?? 1, 1)), digits(most)));
  }
  if (least === undefined || least < 0) {
    ways.push(`-(?:${digitsBetween(digits(Math.min(most ?? -1, -1)), digits(least))})`);
  }
  return ways.join("|");
}

/**
 * The numbers that a double does not round to an integer: one is told from the integers around it by a
 * digit that is neither 0 nor 9, behind as few of those as are larger than half the distance of two doubles
 * of so many whole digits.
 */
export function fractions(): string {
  const rest = (used: number) => `${DIGITS}{0,${DECIMALS - used}}`;
  const zeros = (count: number) => `0{${count}}[1-9]${rest(count + 1)}`;
  const upTo = (most: number, way: (count: number) => string) =>
    Array.from({ length: most }, (_, index) => way(index + 1));
  const ways = [`0\\.(?:${upTo(DECIMALS - 1, zeros).join("|")})`];
  for (let digits = 3; digits <= EXACT_DIGITS; digits += 4) {
    const half = 2 ** (Math.ceil(digits * Math.log2(10)) - 54);
    const few = Math.floor(-Math.log10(half)) - 1;
    const least = digits - 4;
    const whole =
      least < 0 ? `(?:0|[1-9]${DIGITS}{0,2})` : `[1-9]${DIGITS}{${least},${digits - 1}}`;
    const decimals = [
      `[1-8]${rest(1)}`,
      ...upTo(few, zeros),
      ...upTo(few, (count) => `9{${count}}[0-8]${rest(count + 1)}`),
      `9{1,${few + 1}}`,
    ];
    ways.push(`${whole}\\.(?:${decimals.join("|")})`);
  }
  const tiny = exponents(TINY_FROM, MOST_TINY - 1);
  return `-?(?:${ways.join("|")}|[1-9]${FRACTION}[eE]-(?:${tiny}))`;
}

/** Of all numbers between two around 0, of which one may be it; undefined where they have too many decimals. */
export function aroundZero(least: number, most: number): string | undefined {
  const [above, below] = [decimalOf(most), decimalOf(least)];
  const long = [above, below].some(({ decimals }) => decimals.length >= DECIMALS);
  return long ? undefined : `${notAbove(above, "any")}|-(?:${notAbove(below, "any")})`;
}

/** Of integers without a zero in front. */
function digitsBetween(low: string, high: string): string {
  const whole = { low: /^10*$/.test(low), high: /^9*$/.test(high) };
  if (low.length === high.length && !whole.low && !whole.high) return sameLength(low, high);
  const ways: string[] = [];
  if (!whole.low) ways.push(low, above(low));
  if (!whole.high) ways.push(high, ...(under(high) === "" ? [] : [under(high)]));
  // All numbers of so many digits, behind the first one.
  const fewest = whole.low ? low.length - 1 : low.length;
  const most = whole.high ? high.length - 1 : high.length - 2;
  if (fewest <= most) ways.push(`[1-9]${DIGITS}{${fewest},${most}}`);
  return ways.join("|");
}

/** Of as many digits, between two: those that part from the lower, from the higher one, and in between. */
function sameLength(low: string, high: string): string {
  if (low > high) return "[]";
  const { length } = low;
  let same = 0;
  while (same < length && low[same] === high[same]) same++;
  if (same === length) return low;
  const ways = [low, high];
  const add = (before: string, from: number, to: number) => {
    if (from <= to) ways.push(`${before}[${from}-${to}]${some(length - before.length - 1)}`);
  };
  add(low.slice(0, same), Number(low[same]) + 1, Number(high[same]) - 1);
  for (let i = same + 1; i < length; i++) {
    add(low.slice(0, i), Number(low[i]) + 1, 9);
    add(high.slice(0, i), 0, Number(high[i]) - 1);
  }
  return ways.join("|");
}

/** How a number may be written besides its whole digits. */
type Writing = "any" | "digits";

/** A regular expression of the numbers from a bound on. Rounding keeps order, so exact decimals do. */
export function atLeast(bound: number, writing: Writing = "any"): string {
  const { negative, ...size } = decimalOf(bound);
  if (isZero(size)) return `${notBelow(size, writing)}|-(?:0(?:\\.0{1,${DECIMALS}})?)`;
  return negative
    ? `${notBelow(ZERO, writing)}|-(?:${notAbove(size, writing)})`
    : notBelow(size, writing);
}

export function atMost(bound: number, writing: Writing = "any"): string {
  const { negative, ...size } = decimalOf(bound);
  if (isZero(size)) return `0(?:\\.0{1,${DECIMALS}})?|-(?:${notBelow(ZERO, writing)})`;
  return negative
    ? `-(?:${notBelow(size, writing)})`
    : `${notAbove(size, writing)}|-(?:${notBelow(ZERO, writing)})`;
}

type Size = Pick<Decimal, "whole" | "decimals">;
const ZERO: Size = { whole: "0", decimals: "" };

function isZero({ whole, decimals }: Size): boolean {
  return whole === "0" && decimals === "";
}

/** Of a bound with more decimals than a number here has, the next one that has as many. */
function cut({ whole, decimals }: Size, up: boolean): Size {
  if (decimals.length <= DECIMALS) return { whole, decimals };
  const near = BigInt(decimals.slice(0, DECIMALS)) + (up ? 1n : 0n);
  return { whole, decimals: String(near).padStart(DECIMALS, "0").replace(/0+$/, "") };
}

function notBelow(bound: Size, writing: Writing): string {
  const { whole, decimals } = cut(bound, true);
  const { length } = whole;
  const ways = writing === "digits" ? [] : [withExponent(bound, "up")];
  if (length > INTEGER_DIGITS) return ways.join("|");
  const larger = [whole === "0" ? "[1-9]" : above(whole)];
  if (length < INTEGER_DIGITS) larger.push(`[1-9]${DIGITS}{${length},${INTEGER_DIGITS - 1}}`);
  if (decimals === "") larger.push(whole);
  if (writing === "digits") return larger.join("|");
  if (decimals !== "") ways.push(`${whole}\\.(?:${decimalsFrom(decimals)})`);
  return [`(?:${larger.join("|")})${FRACTION}`, ...ways].join("|");
}

function notAbove(bound: Size, writing: Writing): string {
  const { whole, decimals } = cut(bound, false);
  const { length } = whole;
  const smaller: string[] = [];
  if (whole !== "0") {
    smaller.push("0");
    const most = Math.min(length - 1, INTEGER_DIGITS);
    if (most > 0) smaller.push(`[1-9]${DIGITS}{0,${most - 1}}`);
    const below = under(whole);
    if (below !== "" && length <= INTEGER_DIGITS) smaller.push(below);
  }
  const near = length <= INTEGER_DIGITS;
  if (writing === "digits") return [...smaller, ...(near ? [whole] : [])].join("|");
  const ways: string[] = [];
  if (smaller.length > 0) ways.push(`(?:${smaller.join("|")})${FRACTION}`);
  if (near) ways.push(`${whole}(?:\\.(?:${decimalsUpTo(decimals)}))?`);
  if (!isZero(bound)) ways.push(withExponent(bound, "down"));
  return ways.join("|");
}

/** The numbers from a bound on, or up to one, that JavaScript writes with an exponent. */
function withExponent(bound: Size, direction: "up" | "down"): string {
  const up = direction === "up";
  const ways: string[] = [];
  const add = (digits: string, exponents: string) => {
    if (exponents !== "") ways.push(`(?:${digits})[eE](?:${exponents})`);
  };
  const any = `[1-9]${FRACTION}`;
  if (isZero(bound)) add(any, powers(-MOST_TINY, MOST_HUGE));
  else {
    const { first, rest, exponent } = scientific(bound);
    add(any, up ? powers(exponent + 1, MOST_HUGE) : powers(-MOST_TINY, exponent - 1));
    if (!up) add(digitsUpTo(first, rest), powers(exponent, exponent));
    else add(digitsFrom(first, rest), powers(exponent, Math.min(exponent, MOST_HUGE)));
  }
  return (up ? [...ways, LARGEST] : ways).join("|");
}

/** The exponents between two of numbers that JavaScript writes with one; "" where there is none. */
function powers(from: number, to: number): string {
  const tiny = exponents(Math.max(TINY_FROM, -to), Math.min(MOST_TINY, -from));
  const huge = exponents(Math.max(HUGE_FROM, from), to);
  const signed = [tiny && `-(?:${tiny})`, huge && `\\+?(?:${huge})`];
  return signed.filter((some) => some !== "").join("|");
}

/** Some languages write no exponent of a single digit. */
function exponents(from: number, to: number): string {
  if (from > to) return "";
  const padded = from <= 9 ? `|0[${from}-${Math.min(to, 9)}]` : "";
  return digitsBetween(String(from), String(to)) + padded;
}

/** Of a number that is not 0, its digits without zeros around them, and the exponent of the first. */
function scientific({ whole, decimals }: Size): { first: number; rest: string; exponent: number } {
  const digits = (whole + decimals).replace(/^0+/, "");
  const exponent = digits.length - decimals.length - 1;
  return { first: Number(digits[0]), rest: digits.slice(1).replace(/0+$/, ""), exponent };
}

/** A digit and a fraction, from these on. */
function digitsFrom(first: number, rest: string): string {
  if (rest === "") return `[${first}-9]${FRACTION}`;
  const larger = first < 9 ? `[${first + 1}-9]${FRACTION}|` : "";
  return `${larger}${first}\\.(?:${decimalsFrom(rest)})`;
}

function digitsUpTo(first: number, rest: string): string {
  const smaller = first > 1 ? `[1-${first - 1}]${FRACTION}|` : "";
  return `${smaller}${first}(?:\\.(?:${decimalsUpTo(rest)}))?`;
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
