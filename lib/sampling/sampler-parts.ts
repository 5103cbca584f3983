import { types } from "node:util";
import {
  integer,
  isPlainObject,
  isWellFormed,
  list,
  MAX_INT32,
  number,
  oneOf,
  readOptions,
  string,
  unreadable,
} from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { type Grammar, isGrammar } from "./grammar.js";
import { TEMPERATURE_MAX } from "./temperature-max.js";

/** Token id → value added to its logit. */
export type LogitBias = ReadonlyMap<number, number> | Readonly<Record<number, number>>;

/** A temperature that follows how sure the model is. */
export interface DynamicTemperature {
  /**
   * From `temperature` less this where one token is certain, to more by this where all are alike. 0…1,000.
   */
  readonly range: number;
  /** How the entropy of the tokens maps to that range: above 1, cool for longer. 0…100, default 1. */
  readonly exponent?: number;
}

/** "Exclude top choices": sometimes leaves out the likeliest tokens, for variety. */
export interface Xtc {
  /** How often it does, per token. 0…1; 0: off. */
  readonly probability: number;
  /** Of all tokens at least this likely, only the least likely stays. 0…1, default 0.1; above 0.5: off. */
  readonly threshold?: number;
}

/** Keeps the surprise of the text at a level, in place of fixed cuts. */
export interface Mirostat {
  /** Mirostat 1.0 or 2.0. */
  readonly version: 1 | 2;
  /** The level: mean surprise per token, in bits. 0…100, default 5. */
  readonly tau?: number;
  /** How fast it learns. 0…10, default 0.1. */
  readonly eta?: number;
}

/** Prefers tokens whose probability is near a target, over time. `minP` alone goes well with it. */
export interface AdaptiveP {
  /** The probability. 0…1. */
  readonly target: number;
  /** The mean that is held at the target reaches over about 1 / (1 - decay) tokens. 0…0.99, default 0.9. */
  readonly decay?: number;
}

/** Strength of the repetition penalties. */
export interface Penalties {
  /** How many of the last tokens count, the prompt's included. 0…1,048,576, default 64. */
  readonly lastN?: number;
  /** Divides a repeated token's logit (multiplies a negative one). 0.01…100, default 1: off. */
  readonly repeat?: number;
  /** Subtracted once per occurrence. -100…100, default 0: off. */
  readonly frequency?: number;
  /** Subtracted once if the token occurred at all. -100…100, default 0: off. */
  readonly presence?: number;
}

/**
 * "Don't repeat yourself": against tokens that would go on with a repetition, the more the longer it is.
 * multiplier × base ^ (length - allowedLength) is subtracted from the logit.
 */
export interface Dry {
  /** 0…100; 0: off. */
  readonly multiplier: number;
  /** 1…100, default 1.75. */
  readonly base?: number;
  /** Tokens that may repeat at no cost. 0…1,048,576, default 2. */
  readonly allowedLength?: number;
  /** How many of the last tokens count, the prompt's included. 0…1,048,576, default 64. */
  readonly lastN?: number;
  /**
   * Texts that no repetition reaches across: at most 100, each of 1 to 40 bytes.
   * Default: line break, colon, quotation mark, asterisk.
   */
  readonly breakers?: readonly string[];
}

export const TOP_K_MAX = MAX_INT32;
export const LAST_N_MAX = 1_048_576;
export const TOP_N_SIGMA_MAX = 100;
export const TAU_MAX = 100;
export const ETA_MAX = 10;

const BREAKERS: readonly string[] = Object.freeze(["\n", ":", '"', "*"]);
const BREAKERS_MAX = 100;
const BREAKER_BYTES_MAX = 40; // llama.cpp cuts off the rest, in the middle of a character too

// Each returns an own copy, complete and frozen.

export function dynamicTemperatureOf(value: unknown, name: string) {
  const o = readOptions(value as DynamicTemperature, name, ["range", "exponent"]);
  const { range, exponent = 1 } = o;
  return Object.freeze({
    range: number(range, `${name}.range`, 0, TEMPERATURE_MAX),
    exponent: number(exponent, `${name}.exponent`, 0, 100),
  });
}

export function xtcOf(value: unknown, name: string) {
  const o = readOptions(value as Xtc, name, ["probability", "threshold"]);
  const { probability, threshold = 0.1 } = o;
  return Object.freeze({
    probability: number(probability, `${name}.probability`, 0, 1),
    threshold: number(threshold, `${name}.threshold`, 0, 1),
  });
}

export function mirostatOf(value: unknown, name: string) {
  const o = readOptions(value as Mirostat, name, ["version", "tau", "eta"]);
  const { version, tau = 5, eta = 0.1 } = o;
  return Object.freeze({
    version: oneOf(version, `${name}.version`, [1, 2]),
    tau: number(tau, `${name}.tau`, 0, TAU_MAX),
    eta: number(eta, `${name}.eta`, 0, ETA_MAX),
  });
}

export function adaptivePOf(value: unknown, name: string) {
  const { target, decay = 0.9 } = readOptions(value as AdaptiveP, name, ["target", "decay"]);
  return Object.freeze({
    target: number(target, `${name}.target`, 0, 1),
    decay: number(decay, `${name}.decay`, 0, 0.99),
  });
}

export function penaltiesOf(value: unknown, name: string) {
  const known = ["lastN", "repeat", "frequency", "presence"] as const;
  const o = readOptions(value as Penalties, name, known);
  const { lastN = 64, repeat = 1, frequency = 0, presence = 0 } = o;
  return Object.freeze({
    lastN: integer(lastN, `${name}.lastN`, 0, LAST_N_MAX),
    repeat: number(repeat, `${name}.repeat`, 0.01, 100),
    frequency: number(frequency, `${name}.frequency`, -100, 100),
    presence: number(presence, `${name}.presence`, -100, 100),
  });
}

export function dryOf(value: unknown, name: string) {
  const known = ["multiplier", "base", "allowedLength", "lastN", "breakers"] as const;
  const o = readOptions(value as Dry, name, known);
  const { multiplier, base = 1.75, allowedLength = 2, lastN = 64, breakers = BREAKERS } = o;
  return Object.freeze({
    multiplier: number(multiplier, `${name}.multiplier`, 0, 100),
    base: number(base, `${name}.base`, 1, 100),
    allowedLength: integer(allowedLength, `${name}.allowedLength`, 0, LAST_N_MAX),
    lastN: integer(lastN, `${name}.lastN`, 0, LAST_N_MAX),
    breakers: breakersOf(breakers, `${name}.breakers`),
  });
}

function breakersOf(value: unknown, name: string): readonly string[] {
  if (value === BREAKERS) return BREAKERS;
  try {
    if (Array.isArray(value) && value.length > BREAKERS_MAX) {
      throw expected(`at most ${BREAKERS_MAX} strings`, name, value);
    }
  } catch (error) {
    throw unreadable(error, name, value);
  }
  return Object.freeze(list(value, name, "an array of strings", breakerOf));
}

function breakerOf(value: unknown, name: string): string {
  const text = string(value, name);
  const bytes = Buffer.byteLength(text);
  const fits = bytes > 0 && bytes <= BREAKER_BYTES_MAX;
  if (fits && isWellFormed(text) && !text.includes("\0")) return text;
  throw expected(`1 to ${BREAKER_BYTES_MAX} bytes of text (whole characters, no NUL)`, name, value);
}

/** A frozen record, so that what a user does to the map afterwards changes nothing. */
export function logitBiasOf(value: unknown, name: string): Readonly<Record<number, number>> {
  const entries: [number, number][] = [];
  try {
    if (types.isMap(value)) {
      for (const [token, bias] of Map.prototype.entries.call(value) as Iterable<
        [unknown, unknown]
      >) {
        entries.push(biasOf(token, bias, name));
      }
    } else if (isPlainObject(value)) {
      for (const [key, bias] of Object.entries(value)) {
        entries.push(biasOf(/^(0|[1-9]\d*)$/.test(key) ? Number(key) : key, bias, name));
      }
    } else {
      throw expected("a Map or an object from token id to number", name, value);
    }
  } catch (error) {
    throw unreadable(error, name, value);
  }
  return Object.freeze(Object.fromEntries(entries));
}

function biasOf(token: unknown, bias: unknown, name: string): [number, number] {
  const id = integer(token, `${name} (token id)`, 0, MAX_INT32);
  if (bias === Number.NEGATIVE_INFINITY) return [id, bias];
  return [id, number(bias, `${name}[${id}]`, -1e6, 1e6)];
}

export function grammarOf(value: unknown, name: string): Grammar {
  if (isGrammar(value)) return value;
  const made = "Grammar.jsonSchema(), Grammar.gbnf() or Grammar.json()";
  throw expected(`a Grammar, made by ${made},`, name, value);
}
