import { integer, MAX_INT32, number, readOptions, unreadable } from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import type { NativeSamplerStep } from "../internal/native.js";
import { nearest } from "../internal/option-names.js";
import { type Grammar, prefixOf, triggersOf } from "./grammar.js";
import {
  type AdaptiveP,
  adaptivePOf,
  type Dry,
  type DynamicTemperature,
  dryOf,
  dynamicTemperatureOf,
  grammarOf,
  type LogitBias,
  logitBiasOf,
  type Mirostat,
  mirostatOf,
  type Penalties,
  penaltiesOf,
  TOP_K_MAX,
  TOP_N_SIGMA_MAX,
  type Xtc,
  xtcOf,
} from "./sampler-parts.js";
import { TEMPERATURE_MAX } from "./temperature-max.js";

export type { LogitBias } from "./sampler-parts.js";

/** At least so many tokens stay. 1…2^31 - 1, default 1. */
interface MinKeep {
  readonly minKeep?: number;
}

/** One step of a sampler; the ranges and defaults are those of `SamplerOptions`. */
export type SamplerStep =
  /** Takes the likeliest token. */
  | { readonly type: "greedy" }
  /** Draws by the probabilities that the steps before have left. */
  | { readonly type: "dist" }
  /**
   * Draws, too. Version 1 guesses from the likeliest `candidates` how the probabilities fall:
   * 2…1,000,000, default 100.
   */
  | ({ readonly type: "mirostat"; readonly candidates?: number } & Mirostat)
  /** Draws, too. */
  | ({ readonly type: "adaptive-p" } & AdaptiveP)
  /** `SamplerOptions.temperature`. */
  | { readonly type: "temperature"; readonly value: number }
  /** `SamplerOptions.dynamicTemperature` around the temperature `value`. */
  | ({ readonly type: "dynamic-temperature"; readonly value: number } & DynamicTemperature)
  /** `SamplerOptions.topK`. */
  | { readonly type: "top-k"; readonly value: number }
  /** `SamplerOptions.topP`. */
  | ({ readonly type: "top-p"; readonly value: number } & MinKeep)
  /** `SamplerOptions.minP`. */
  | ({ readonly type: "min-p"; readonly value: number } & MinKeep)
  /** `SamplerOptions.typicalP`. */
  | ({ readonly type: "typical-p"; readonly value: number } & MinKeep)
  /** `SamplerOptions.topNSigma`. */
  | { readonly type: "top-n-sigma"; readonly value: number }
  /** `SamplerOptions.xtc`. */
  | ({ readonly type: "xtc" } & Xtc & MinKeep)
  /** `SamplerOptions.penalties`. */
  | ({ readonly type: "penalties" } & Penalties)
  /** `SamplerOptions.dry`. */
  | ({ readonly type: "dry" } & Dry)
  /** `SamplerOptions.logitBias`. */
  | { readonly type: "logit-bias"; readonly biases: LogitBias }
  /**
   * For filling in the middle: joins tokens that begin alike, and ends the text rather than going on
   * with something unlikely. Needs a `top-k` of 1…1,000 before it.
   */
  | { readonly type: "infill" }
  /** `SamplerOptions.grammar`; one in a chain at most. */
  | { readonly type: "grammar"; readonly grammar: Grammar };

/** The types that select a token; a chain ends with one of them. */
const SELECTING: readonly SamplerStep["type"][] = ["greedy", "dist", "mirostat", "adaptive-p"];

/** The infill step compares each candidate with each other. */
const INFILL_MAX = 1000;

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
  mirostat: (step, name) => {
    const known = ["version", "tau", "eta", "candidates"];
    const { candidates = 100, ...rest } = fields(step, name, known);
    return {
      type: "mirostat",
      ...mirostatOf(rest, name),
      candidates: integer(candidates, `${name}.candidates`, 2, 1e6),
    };
  },
  "adaptive-p": (step, name) => ({
    type: "adaptive-p",
    ...adaptivePOf(fields(step, name, ["target", "decay"]), name),
  }),
  temperature: (step, name) => {
    const { value } = fields(step, name, ["value"]);
    return { type: "temperature", value: number(value, `${name}.value`, 0, TEMPERATURE_MAX) };
  },
  "dynamic-temperature": (step, name) => {
    const { value, ...rest } = fields(step, name, ["value", "range", "exponent"]);
    return {
      type: "dynamic-temperature",
      value: number(value, `${name}.value`, 0, TEMPERATURE_MAX),
      ...dynamicTemperatureOf(rest, name),
    };
  },
  "top-k": (step, name) => {
    const { value } = fields(step, name, ["value"]);
    return { type: "top-k", value: integer(value, `${name}.value`, 0, TOP_K_MAX) };
  },
  "top-p": (step, name) => ({ type: "top-p", ...cut(step, name) }),
  "min-p": (step, name) => ({ type: "min-p", ...cut(step, name) }),
  "typical-p": (step, name) => ({ type: "typical-p", ...cut(step, name) }),
  "top-n-sigma": (step, name) => {
    const { value } = fields(step, name, ["value"]);
    return { type: "top-n-sigma", value: number(value, `${name}.value`, 0, TOP_N_SIGMA_MAX) };
  },
  xtc: (step, name) => {
    const { minKeep, ...rest } = fields(step, name, ["probability", "threshold", "minKeep"]);
    return { type: "xtc", ...xtcOf(rest, name), minKeep: minKeepOf(minKeep, name) };
  },
  penalties: (step, name) => {
    const known = ["lastN", "repeat", "frequency", "presence"];
    return { type: "penalties", ...penaltiesOf(fields(step, name, known), name) };
  },
  dry: (step, name) => {
    const known = ["multiplier", "base", "allowedLength", "lastN", "breakers"];
    return { type: "dry", ...dryOf(fields(step, name, known), name) };
  },
  "logit-bias": (step, name) => {
    const { biases } = fields(step, name, ["biases"]);
    return { type: "logit-bias", biases: logitBiasOf(biases, `${name}.biases`) };
  },
  infill: (step, name) => {
    readOptions(step, name, ["type"]);
    return { type: "infill" };
  },
  grammar: (step, name) => {
    const { grammar } = fields(step, name, ["grammar"]);
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

/** What needs the whole chain to be told. */
export function checkChain(steps: readonly SamplerStep[], name: string): void {
  const selects = steps.map(({ type }) => SELECTING.includes(type));
  if (steps.length === 0 || selects.indexOf(true) !== steps.length - 1) {
    const types = SELECTING.map((type) => `"${type}"`).join(", ");
    throw expected(`exactly one step that selects a token (${types}), the last,`, name, steps);
  }
  if (steps.filter(({ type }) => type === "grammar").length > 1) {
    throw expected("at most one `grammar` step", name, steps);
  }
  const infill = steps.findIndex(({ type }) => type === "infill");
  const before = steps.slice(0, Math.max(infill, 0));
  const few = before.some((s) => s.type === "top-k" && s.value >= 1 && s.value <= INFILL_MAX);
  if (infill >= 0 && !few) {
    throw invalid(
      `The step \`${name}[${infill}]\` of type "infill" needs a "top-k" of 1 to ${INFILL_MAX} ` +
        "before it: it compares each candidate with each other",
      { name: `${name}[${infill}]` },
    );
  }
}

function fields(
  step: Record<string, unknown>,
  name: string,
  known: readonly string[],
): Partial<Record<string, unknown>> {
  const { type: _, ...rest } = readOptions(step, name, ["type", ...known]);
  return rest;
}

function cut(step: Record<string, unknown>, name: string): { value: number; minKeep: number } {
  const { value, minKeep } = fields(step, name, ["value", "minKeep"]);
  return {
    value: number(value, `${name}.value`, 0, 1),
    minKeep: minKeepOf(minKeep, name),
  };
}

function minKeepOf(value: unknown, name: string): number {
  return value === undefined ? 1 : integer(value, `${name}.minKeep`, 1, MAX_INT32);
}

/** The step as the addon takes it; token ids are checked against the vocabulary here. */
export function toNativeStep(step: SamplerStep, vocabularySize: number): NativeSamplerStep {
  switch (step.type) {
    case "temperature":
      return { ...step, value: floored(step.value) };
    case "dynamic-temperature":
      return { ...step, value: floored(step.value), exponent: step.exponent ?? 1 };
    case "logit-bias":
      return nativeBias(step.biases as Readonly<Record<number, number>>, vocabularySize);
    case "grammar":
      return { type: step.type, ...nativeGrammar(step.grammar) };
    default: // its reader fills in what is optional
      return READERS[step.type]({ ...step }, step.type) as NativeSamplerStep;
  }
}

function floored(temperature: number): number {
  return temperature < TEMPERATURE_MIN ? 0 : temperature;
}

function nativeGrammar(grammar: Grammar) {
  const { source, root } = grammar;
  const triggers = triggersOf(grammar);
  const prefix = prefixOf(grammar);
  if (prefix !== undefined) return { source, root, prefix };
  if (triggers === undefined) return { source, root };
  const triggerTokens = Int32Array.from(triggers.tokens);
  return { source, root, lazy: true, triggerTokens, triggerPatterns: triggers.patterns };
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
