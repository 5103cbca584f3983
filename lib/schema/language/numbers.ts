import type { Budget, Limits } from "./budget.js";
import { ANY_TEXT, type Dfa, intersect, isEmpty, ofTexts, subtract, unite } from "./dfa.js";
import { KeptAutomata } from "./kept-automata.js";
import { fewMultiples, multiplesOf, NumberProblem } from "./multiples.js";
import {
  aroundZero,
  atLeast,
  atMost,
  DIGITS,
  FREE,
  fractions,
  INTEGER_DIGITS,
  integers,
  isExact,
} from "./number-expressions.js";
import { compileRegex } from "./regex.js";

const EXPONENT_FROM = 1e21;
const MAX_STATES = 8_000;
/** All but a few are left of these, and lead to as many others. */
const MAX_STATES_LEFT = 5_000;
/** Each takes the states of its digits. */
const MAX_LEFT_OUT = 30;

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

/** A few MB at most. */
const kept = new KeptAutomata({ states: 50_000 });

/**
 * @throws {NumberProblem}
 * @throws {TooManyStates}
 */
export function numberLanguage(rules: NumberRules, budget: Budget): Dfa {
  const make = () => new NumberCompiler(budget).compile(rules);
  return kept.get(JSON.stringify(rules), budget, make);
}

class NumberCompiler {
  readonly #limits: Limits;

  constructor(budget: Budget) {
    this.#limits = { states: MAX_STATES, budget };
  }

  compile(rules: NumberRules): Dfa {
    const { kind, multipleOf, notMultipleOf } = rules;
    const limits = this.#limits;
    const { least, most } = boundsOf(rules);
    // Where there are no integers, none has to be told from others.
    const isApart =
      kind === "fraction" && Math.ceil(least ?? -Infinity) > Math.floor(most ?? Infinity);
    let dfa = this.#between(isApart ? "any" : kind, least, most);
    const check = (countable: Dfa) => {
      if (isEmpty(dfa) || !isEmpty(intersect(dfa, countable, limits))) return;
      const reason = "all its multiples there have too many digits to be counted";
      throw new NumberProblem("multiple", reason);
    };
    for (const step of multipleOf) {
      const few = fewMultiples(step, least, most, limits.budget);
      if (few !== undefined) {
        dfa = intersect(dfa, few, limits);
        continue;
      }
      const { all, countable } = multiplesOf(step, MAX_STATES, limits.budget);
      check(countable);
      dfa = intersect(dfa, intersect(all, countable, limits), limits);
    }
    for (const step of notMultipleOf) {
      if (kind !== "integer") {
        throw new NumberProblem("multiple", "only integers are told apart by it");
      }
      const { all, countable } = multiplesOf(step, MAX_STATES_LEFT, limits.budget);
      check(countable);
      dfa = subtract(intersect(dfa, countable, limits), all, limits);
    }
    return this.#without(rules, dfa);
  }

  #without({ kind, not }: NumberRules, all: Dfa): Dfa {
    let dfa = all;
    // An integer is written in one way.
    const spelled = (value: number) => kind === "integer" && Number.isSafeInteger(value);
    const texts = not.filter(spelled).map(String);
    if (texts.length > 0) {
      dfa = subtract(dfa, ofTexts(texts, this.#limits.budget), this.#limits);
    }
    const rest = not.filter((value) => !spelled(value));
    if (rest.length > MAX_LEFT_OUT) {
      throw new NumberProblem("value", "too many numbers are left out");
    }
    for (const value of rest) dfa = intersect(dfa, this.#others(value), this.#limits);
    return dfa;
  }

  #between(kind: NumberRules["kind"], least?: number, most?: number): Dfa {
    // What most schemas ask for is one expression: no automaton is made only to be narrowed.
    if (isExact(least) && isExact(most)) {
      if (kind === "integer") return this.#whole(integers(least, most));
      if (kind === "any" && least !== undefined && most !== undefined && least <= 0 && most >= 0) {
        const source = aroundZero(least, most);
        if (source !== undefined) return this.#whole(source);
      }
    }
    let dfa = this.#form(kind, least, most);
    const narrow = (source: string) => {
      dfa = intersect(dfa, this.#whole(source), this.#limits);
    };
    // An integer's bounds are integers, and it has no other writing.
    const writing = kind === "integer" ? "digits" : "any";
    if (least !== undefined) narrow(atLeast(least, writing));
    if (most !== undefined) narrow(atMost(most, writing));
    return dfa;
  }

  /** How a number may be written; where it has a bound, that tells of the rest. */
  #form(kind: NumberRules["kind"], least?: number, most?: number): Dfa {
    const free = least === undefined && most === undefined;
    switch (kind) {
      case "integer":
        return this.#whole(`0|-?[1-9]${DIGITS}{0,${INTEGER_DIGITS - 1}}`);
      case "any":
        return free ? this.#whole(FREE) : ANY_TEXT;
      case "fraction":
        return this.#whole(fractions());
    }
  }

  /** All numbers but one, and what a double would round to it. */
  #others(value: number): Dfa {
    if (Math.abs(value) > 1e308) {
      throw new NumberProblem("value", "a number beyond 1e308 is not left out");
    }
    const [below, above] = [beside(value, -1), beside(value, 1)];
    return unite(this.#whole(atMost(below)), this.#whole(atLeast(above)), this.#limits);
  }

  #whole(source: string): Dfa {
    return compileRegex(`^(?:${source})$`, this.#limits.budget);
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

interface Bounds {
  readonly least: number | undefined;
  readonly most: number | undefined;
}

/** Each is one of the numbers between. */
function boundsOf({ kind, ...rules }: NumberRules): Bounds {
  const negative = (value: number | undefined) => (value === undefined ? undefined : -value);
  const least = lowerBound(kind, rules.minimum, rules.exclusiveMinimum);
  const below = lowerBound(kind, negative(rules.maximum), negative(rules.exclusiveMaximum));
  for (const [about, bound = 0] of [
    ["lower bound", least],
    ["upper bound", below],
  ] as const) {
    // All numbers up to the largest one can be written, but those from there on cannot be told from others.
    if (bound > 1e308) throw new NumberProblem(about, "a bound beyond 1e308 is not followed");
    if (kind === "integer" && bound >= EXPONENT_FROM) {
      const reason = "checkers differ about integers that JavaScript writes with an exponent";
      throw new NumberProblem(about, reason);
    }
  }
  return { least, most: negative(below) };
}

function lowerBound(
  kind: NumberRules["kind"],
  minimum: number | undefined,
  exclusive: number | undefined,
): number | undefined {
  const bounds: number[] = [];
  if (minimum !== undefined) bounds.push(kind === "integer" ? Math.ceil(minimum) : minimum);
  if (exclusive !== undefined) {
    const next = Math.floor(exclusive) + 1;
    const whole = kind === "integer" && Number.isSafeInteger(next);
    bounds.push(whole ? next : beside(exclusive, 1));
  }
  const bound = Math.max(...bounds);
  return bounds.length === 0 || bound <= -Number.MAX_VALUE ? undefined : bound;
}
