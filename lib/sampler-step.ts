import { types } from "node:util";
import { expected } from "./errors.js";
import { type Grammar, isGrammar, triggersOf } from "./grammar.js";
import type { NativeSamplerStep } from "./native.js";
import {
  integer,
  isPlainObject,
  MAX_INT32,
  nearest,
  number,
  readOptions,
  unreadable,
} from "./options.js";

/** Token id → value added to its logit. */
export type LogitBias = ReadonlyMap<number, number> | Readonly<Record<number, number>>;

/** One step of a sampler; the ranges and defaults are those of `SamplerOptions`. */
export type SamplerStep =
  /** Takes the likeliest token. */
  | { readonly type: "greedy" }
  /** Draws by the probabilities that the steps before have left. */
  | { readonly type: "dist" }
  | { readonly type: "temperature"; readonly value: number }
  | { readonly type: "top-k"; readonly value: number }
  /** `minKeep` tokens stay at least, default 1. */
  | { readonly type: "top-p"; readonly value: number; readonly minKeep?: number }
  | { readonly type: "min-p"; readonly value: number; readonly minKeep?: number }
  | {
      readonly type: "penalties";
      readonly lastN?: number;
      readonly repeat?: number;
      readonly frequency?: number;
      readonly presence?: number;
    }
  | { readonly type: "logit-bias"; readonly biases: LogitBias }
  | { readonly type: "grammar"; readonly grammar: Grammar };

export const TEMPERATURE_MAX = 1000;
export const TOP_K_MAX = MAX_INT32;
export const LAST_N_MAX = 1_048_576;

/** Smaller ones overflow the engine's 32-bit floats, and choose as 0 does. */
const TEMPERATURE_MIN = 1e-6;

type StepReader = (step: Record<string, unknown>, name: string) => SamplerStep;

const READERS: Readonly<Record<SamplerStep["type"], StepReader>> = {
  greedy: (step, name) => {
    readOptions(step, name, ["type"]);
    return { type: "greedy" };
  },
  dist: (step, name) => {
    readOptions(step, name, ["type"]);
    return { type: "dist" };
  },
  temperature: (step, name) => {
    const { value } = readOptions(step, name, ["type", "value"]);
    return { type: "temperature", value: number(value, `${name}.value`, 0, TEMPERATURE_MAX) };
  },
  "top-k": (step, name) => {
    const { value } = readOptions(step, name, ["type", "value"]);
    return { type: "top-k", value: integer(value, `${name}.value`, 0, TOP_K_MAX) };
  },
  "top-p": (step, name) => ({ type: "top-p", ...cut(step, name) }),
  "min-p": (step, name) => ({ type: "min-p", ...cut(step, name) }),
  penalties: (step, name) => {
    const known = ["type", "lastN", "repeat", "frequency", "presence"];
    const { type: _, ...rest } = readOptions(step, name, known);
    return { type: "penalties", ...penaltiesOf(rest, name) };
  },
  "logit-bias": (step, name) => {
    const { biases } = readOptions(step, name, ["type", "biases"]);
    return { type: "logit-bias", biases: logitBiasOf(biases, `${name}.biases`) };
  },
  grammar: (step, name) => {
    const { grammar } = readOptions(step, name, ["type", "grammar"]);
    return { type: "grammar", grammar: grammarOf(grammar, `${name}.grammar`) };
  },
};

/** An own, frozen copy of a step of the user's. */
export function checkStep(step: unknown, name: string): SamplerStep {
  if (typeof step !== "object" || step === null) throw expected("a sampler step", name, step);
  let type: unknown;
  try {
    type = (step as { type?: unknown }).type;
  } catch (error) {
    throw unreadable(error, name, step);
  }
  const reader =
    typeof type === "string" && Object.hasOwn(READERS, type)
      ? READERS[type as SamplerStep["type"]]
      : undefined;
  if (reader === undefined) {
    const names = Object.keys(READERS);
    const near = typeof type === "string" ? nearest(type, names) : undefined;
    const hint = near === undefined ? "" : ` (did you mean "${near}"?)`;
    throw expected(`one of ${names.join(", ")}${hint}`, `${name}.type`, type);
  }
  return Object.freeze(reader(step as Record<string, unknown>, name));
}

function cut(step: Record<string, unknown>, name: string): { value: number; minKeep: number } {
  const { value, minKeep = 1 } = readOptions(step, name, ["type", "value", "minKeep"]);
  return {
    value: number(value, `${name}.value`, 0, 1),
    minKeep: integer(minKeep, `${name}.minKeep`, 1, MAX_INT32),
  };
}

/** Complete and frozen. */
export function penaltiesOf(value: unknown, name: string) {
  const known = ["lastN", "repeat", "frequency", "presence"] as const;
  const o = readOptions(value as Record<(typeof known)[number], unknown>, name, known);
  const { lastN = 64, repeat = 1, frequency = 0, presence = 0 } = o;
  return Object.freeze({
    lastN: integer(lastN, `${name}.lastN`, 0, LAST_N_MAX),
    repeat: number(repeat, `${name}.repeat`, 0.01, 100),
    frequency: number(frequency, `${name}.frequency`, -100, 100),
    presence: number(presence, `${name}.presence`, -100, 100),
  });
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
  throw expected("a Grammar", name, value);
}

/** The step as the addon takes it; token ids are checked against the vocabulary here. */
export function toNativeStep(step: SamplerStep, vocabularySize: number): NativeSamplerStep {
  switch (step.type) {
    case "temperature":
      return { type: step.type, value: step.value < TEMPERATURE_MIN ? 0 : step.value };
    case "top-p":
    case "min-p":
      return { type: step.type, value: step.value, minKeep: step.minKeep ?? 1 };
    case "penalties":
      return { ...penaltiesOf(withoutType(step), "penalties"), type: step.type };
    case "logit-bias":
      return nativeBias(step.biases as Readonly<Record<number, number>>, vocabularySize);
    case "grammar":
      return { type: step.type, ...nativeGrammar(step.grammar) };
    default:
      return { ...step };
  }
}

function withoutType<T extends { type: string }>({ type: _, ...rest }: T): Omit<T, "type"> {
  return rest;
}

function nativeGrammar(grammar: Grammar) {
  const { source, root, tokens } = grammar;
  const triggers = triggersOf(grammar);
  if (triggers === undefined) return { source, root, tokens };
  const triggerTokens = Int32Array.from(triggers.tokens);
  return { source, root, tokens, lazy: true, triggerTokens, triggerPatterns: triggers.patterns };
}

type NativeBias = Extract<NativeSamplerStep, { type: "logit-bias" }>;

/** A bias may name most of a vocabulary: it is made ready once, not at every generation. */
const nativeBiases = new WeakMap<object, NativeBias>();

function nativeBias(biases: Readonly<Record<number, number>>, size: number): NativeBias {
  let native = nativeBiases.get(biases);
  if (native === undefined) {
    const tokens = Int32Array.from(Object.keys(biases), Number); // rising, as all such keys
    native = { type: "logit-bias", tokens, biases: Float32Array.from(Object.values(biases)) };
    nativeBiases.set(biases, native);
  }
  const largest = native.tokens.at(-1) ?? 0;
  if (largest < size) return native;
  throw expected(`token ids below the vocabulary size ${size}`, "logitBias", largest);
}
