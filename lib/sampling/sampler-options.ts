import { integer, MAX_UINT32, number, readOptions } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import type { Grammar } from "./grammar.js";
import {
  type AdaptiveP,
  adaptivePOf,
  type Dry,
  type DynamicTemperature,
  dryOf,
  dynamicTemperatureOf,
  ETA_MAX,
  grammarOf,
  LAST_N_MAX,
  type LogitBias,
  logitBiasOf,
  type Mirostat,
  mirostatOf,
  type Penalties,
  penaltiesOf,
  TAU_MAX,
  TOP_K_MAX,
  TOP_N_SIGMA_MAX,
  type Xtc,
  xtcOf,
} from "./sampler-parts.js";
import type { SamplerStep } from "./sampler-step.js";
import { TEMPERATURE_MAX } from "./temperature-max.js";

/**
 * The usual settings. They apply in llama.cpp's default order, whatever the order given here: grammar,
 * logitBias, penalties, dry, topNSigma, topK, typicalP, topP, minP, xtc, temperature.
 */
export interface SamplerOptions {
  /** Randomness, 0…1,000. Default 0.8. 0 always takes the likeliest of what the other settings leave. */
  readonly temperature?: number;
  /** Only the K likeliest tokens are drawn from, 0…2^31 - 1; 0: no limit. Default 40. */
  readonly topK?: number;
  /** Only the likeliest tokens that together reach this probability, 0…1; 1: off. Default 0.95. */
  readonly topP?: number;
  /** Only tokens at least this fraction as likely as the likeliest, 0…1; 0: off. Default 0.05. */
  readonly minP?: number;
  /**
   * Only the tokens whose surprise is nearest to the expected, that together reach this probability,
   * 0…1; 1: off. Default 1.
   */
  readonly typicalP?: number;
  /**
   * Only tokens whose logit is at most so many standard deviations of all logits below the highest,
   * 0…100; 0: off. Default 0.
   */
  readonly topNSigma?: number;
  /** A temperature that follows how sure the model is. Default: none, the temperature is fixed. */
  readonly dynamicTemperature?: DynamicTemperature;
  /** Leaves out the likeliest tokens from time to time. Default: none. */
  readonly xtc?: Xtc;
  /**
   * Keeps the surprise of the text at a level. As in llama.cpp it stands in place of penalties, dry, every cut,
   * xtc and dynamicTemperature. Not together with adaptiveP. Default: none.
   */
  readonly mirostat?: Mirostat;
  /**
   * Prefers tokens near a probability, in place of the plain draw. Not together with mirostat. Default:
   * none.
   */
  readonly adaptiveP?: AdaptiveP;
  /** Makes tokens that were there before less likely. Default: none. */
  readonly penalties?: Penalties;
  /** Makes tokens that would go on with a repetition less likely. Default: none. */
  readonly dry?: Dry;
  /** Token id → value added to its logit, -1,000,000…1,000,000; -Infinity forbids it. Default: none. */
  readonly logitBias?: LogitBias;
  /** Constrained decoding: the output follows this grammar. Default: none. */
  readonly grammar?: Grammar;
  /** 0…2^32 - 2: the same seed and prompt give the same text. Default: a new one per generation. */
  readonly seed?: number;
}

export const SAMPLER_OPTIONS = optionNames(
  ["context.generate", "Sampler"],
  [
    "temperature",
    "topK",
    "topP",
    "minP",
    "typicalP",
    "topNSigma",
    "dynamicTemperature",
    "xtc",
    "mirostat",
    "adaptiveP",
    "penalties",
    "dry",
    "logitBias",
    "grammar",
    "seed",
  ],
) satisfies readonly (keyof SamplerOptions)[];

/** What changes each logit by itself, so that it can go in front of any chain. */
export const CHAINABLE: readonly (keyof SamplerOptions)[] = [
  "penalties",
  "dry",
  "logitBias",
  "grammar",
  "seed",
];

/** An own copy of what was given. */
export function checkOptions(
  options: SamplerOptions | undefined,
  known: readonly (keyof SamplerOptions)[] = SAMPLER_OPTIONS,
): SamplerOptions {
  const given = readOptions(options, "options", known);
  const checked: Record<string, unknown> = {};
  for (const key of Object.keys(given) as (keyof SamplerOptions)[]) {
    checked[key] = CHECKS[key](given[key], `options.${key}`);
  }
  if (checked.mirostat !== undefined && checked.adaptiveP !== undefined) {
    throw expected(
      "either `mirostat` or `adaptiveP`, since each of them selects the token,",
      "options",
      options,
    );
  }
  return checked;
}

const share = (value: unknown, name: string) => number(value, name, 0, 1);

const CHECKS: {
  readonly [Key in keyof Required<SamplerOptions>]: (
    value: unknown,
    name: string,
  ) => SamplerOptions[Key];
} = {
  temperature: (value, name) => number(value, name, 0, TEMPERATURE_MAX),
  topK: (value, name) => integer(value, name, 0, TOP_K_MAX),
  topP: share,
  minP: share,
  typicalP: share,
  topNSigma: (value, name) => number(value, name, 0, TOP_N_SIGMA_MAX),
  dynamicTemperature: dynamicTemperatureOf,
  xtc: xtcOf,
  mirostat: mirostatOf,
  adaptiveP: adaptivePOf,
  penalties: penaltiesOf,
  dry: dryOf,
  logitBias: logitBiasOf,
  grammar: grammarOf,
  seed: checkSeed,
};

export function checkSeed(value: unknown, name: string): number {
  return integer(value, name, 0, MAX_UINT32 - 1); // the last one is llama.cpp's sign for "any"
}

/** The steps that checked options stand for; what has no effect is left out. */
export function stepsOf(options: SamplerOptions): SamplerStep[] {
  const { temperature = 0.8, mirostat, adaptiveP } = options;
  if (mirostat !== undefined) {
    const { grammar, logitBias } = options;
    const steps = frontSteps({ ...(grammar && { grammar }), ...(logitBias && { logitBias }) });
    if (temperature === 0) return [...steps, freeze({ type: "greedy" })];
    if (temperature !== 1) steps.push(freeze({ type: "temperature", value: temperature }));
    return [...steps, freeze({ type: "mirostat", ...mirostat })];
  }
  const front = frontSteps(options).filter(hasEffect);
  const cuts = cutsOf(options);
  const dynamic = options.dynamicTemperature;
  const varies = dynamic !== undefined && dynamic.range > 0;
  if (temperature === 0 && !varies) {
    // The likeliest token is in what all the others leave.
    const matter = cuts.some(({ type }) => type === "typical-p" || type === "xtc");
    return [...front, ...(matter ? cuts : []), freeze({ type: "greedy" })];
  }
  const steps = [...front, ...cuts];
  if (varies) {
    steps.push(freeze({ type: "dynamic-temperature", value: temperature, ...dynamic }));
  } else if (temperature !== 1) {
    steps.push(freeze({ type: "temperature", value: temperature }));
  }
  steps.push(freeze(adaptiveP ? { type: "adaptive-p", ...adaptiveP } : { type: "dist" }));
  return steps;
}

function cutsOf(options: SamplerOptions): SamplerStep[] {
  const { topNSigma = 0, topK = 40, typicalP = 1, topP = 0.95, minP = 0.05, xtc } = options;
  const steps: SamplerStep[] = [];
  if (topNSigma > 0) steps.push({ type: "top-n-sigma", value: topNSigma });
  if (topK > 0) steps.push({ type: "top-k", value: topK });
  if (typicalP < 1) steps.push({ type: "typical-p", value: typicalP });
  if (topP < 1) steps.push({ type: "top-p", value: topP });
  if (minP > 0) steps.push({ type: "min-p", value: minP });
  if (xtc !== undefined && xtc.probability > 0 && (xtc.threshold ?? 0) <= 0.5) {
    steps.push({ type: "xtc", ...xtc });
  }
  return steps.map(freeze);
}

/** The grammar stands before everything that cuts candidates: it must never find none left. */
export function frontSteps({ grammar, logitBias, penalties, dry }: SamplerOptions): SamplerStep[] {
  const steps: SamplerStep[] = [];
  if (grammar !== undefined) steps.push({ type: "grammar", grammar });
  if (logitBias !== undefined) steps.push({ type: "logit-bias", biases: logitBias });
  if (penalties !== undefined) steps.push({ type: "penalties", ...penalties });
  if (dry !== undefined) steps.push({ type: "dry", ...dry });
  return steps.map(freeze);
}

function hasEffect(step: SamplerStep): boolean {
  if (step.type === "dry") return step.multiplier > 0 && step.lastN !== 0;
  if (step.type !== "penalties") return true;
  const { lastN = 64, repeat = 1, frequency = 0, presence = 0 } = step;
  return lastN > 0 && (repeat !== 1 || frequency !== 0 || presence !== 0);
}

function freeze(step: SamplerStep): SamplerStep {
  return Object.freeze(step);
}

/** What the model's file recommends (`general.sampling.*`), as far as it makes sense. */
export function recommendedOptions(metadata: ReadonlyMap<string, string>): SamplerOptions {
  const read = (key: string, min: number, max: number, whole = false): number | undefined => {
    const text = metadata.get(`general.sampling.${key}`);
    const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
    return value >= min && value <= max && (!whole || Number.isInteger(value)) ? value : undefined;
  };
  const probability = read("xtc_probability", 0, 1);
  const version = read("mirostat", 1, 2, true);
  return {
    temperature: read("temp", 0, TEMPERATURE_MAX),
    topK: read("top_k", 0, TOP_K_MAX, true),
    topP: read("top_p", 0, 1),
    minP: read("min_p", 0, 1),
    penalties: {
      lastN: read("penalty_last_n", 0, LAST_N_MAX, true),
      repeat: read("penalty_repeat", 0.01, 100),
    },
    ...(probability && { xtc: { probability, threshold: read("xtc_threshold", 0, 1) } }),
    ...(version && {
      mirostat: {
        version,
        tau: read("mirostat_tau", 0, TAU_MAX),
        eta: read("mirostat_eta", 0, ETA_MAX),
      },
    }),
  } as SamplerOptions;
}
