import { expected, invalid } from "./errors.js";
import type { Grammar } from "./grammar.js";
import { isMarked, mark } from "./marker.js";
import type { NativeSamplerStep } from "./native.js";
import { integer, list, MAX_UINT32, number, readOptions } from "./options.js";
import {
  checkStep,
  grammarOf,
  LAST_N_MAX,
  type LogitBias,
  logitBiasOf,
  penaltiesOf,
  type SamplerStep,
  TEMPERATURE_MAX,
  TOP_K_MAX,
  toNativeStep,
} from "./sampler-step.js";

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

/** The usual settings. They apply in llama.cpp's default order, whatever the order given here. */
export interface SamplerOptions {
  /** Randomness, 0…1,000. Default 0.8. 0 always takes the likeliest token. */
  readonly temperature?: number;
  /** Only the K likeliest tokens are drawn from; 0: no limit. Default 40. */
  readonly topK?: number;
  /** Only the likeliest tokens that together reach this probability; 1: off. Default 0.95. */
  readonly topP?: number;
  /** Only tokens at least this fraction as likely as the likeliest; 0: off. Default 0.05. */
  readonly minP?: number;
  /** Default: none. */
  readonly penalties?: Penalties;
  /** Token id → value added to its logit; -Infinity forbids the token. Default: none. */
  readonly logitBias?: LogitBias;
  /** Default: none. */
  readonly grammar?: Grammar;
  /** 0…2^32 - 2: the same seed and prompt give the same text. Default: a new one per generation. */
  readonly seed?: number;
}

const KNOWN: readonly (keyof SamplerOptions)[] = [
  "temperature",
  "topK",
  "topP",
  "minP",
  "penalties",
  "logitBias",
  "grammar",
  "seed",
];
/** What changes each logit by itself, so that it can go in front of any chain. */
const CHAINABLE: readonly (keyof SamplerOptions)[] = ["penalties", "logitBias", "grammar", "seed"];

const CHAIN = Symbol("Sampler.chain");
const MARKER = Symbol.for("cria.sampler");

interface Chain {
  readonly [CHAIN]: readonly SamplerStep[];
  readonly seed: number | undefined;
}

/**
 * How the next token is chosen. Immutable, and it holds no state of a generation, so one Sampler
 * serves any number of them.
 *
 * @example
 * const creative = new Sampler({ temperature: 1.1, minP: 0.02 });
 * const repeatable = creative.with({ seed: 42 });
 */
export class Sampler {
  /** The steps that the logits go through, in this order. */
  readonly steps: readonly SamplerStep[];
  /** The fixed seed, or undefined: a new one per generation. */
  readonly seed: number | undefined;
  /** Undefined for a sampler made by `chain`. */
  readonly #options: SamplerOptions | undefined;

  /** @throws {CriaError} ERR_INVALID_ARGUMENT */
  constructor(options?: SamplerOptions) {
    if (isChain(options)) {
      this.#options = undefined;
      this.steps = options[CHAIN];
      this.seed = options.seed;
    } else {
      this.#options = checkOptions(options, KNOWN);
      this.steps = stepsOf(this.#options);
      this.seed = this.#options.seed;
    }
    Object.freeze(this.steps);
    mark(this, MARKER);
    Object.freeze(this);
  }

  /** Always the likeliest token: the same as `temperature: 0`. */
  static greedy(): Sampler {
    return new Sampler({ temperature: 0 });
  }

  /**
   * Explicit steps in the given order, for those who want llama.cpp's own chain. The last one selects
   * the token (`greedy` or `dist`), and no other does.
   *
   * @example
   * Sampler.chain([{ type: "top-k", value: 20 }, { type: "temperature", value: 0.7 }, { type: "dist" }]);
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  static chain(steps: readonly SamplerStep[], options?: { readonly seed?: number }): Sampler {
    const checked = list(steps, "steps", "an array of sampler steps", checkStep);
    const selects = checked.map(({ type }) => type === "greedy" || type === "dist");
    if (checked.length === 0 || selects.indexOf(true) !== checked.length - 1) {
      throw expected("exactly one `greedy` or `dist` step, the last,", "steps", steps);
    }
    if (checked.filter(({ type }) => type === "grammar").length > 1) {
      throw expected("at most one `grammar` step", "steps", steps);
    }
    const { seed } = readOptions(options, "options", ["seed"]);
    return makeChain(checked, seed === undefined ? undefined : checkSeed(seed, "options.seed"));
  }

  /**
   * A sampler with some settings changed. One made by `chain` takes `penalties`, `logitBias`, `grammar`
   * and `seed`: its own step of that kind is replaced, or the new one goes in front.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  with(options: SamplerOptions): Sampler {
    if (this.#options !== undefined) {
      return new Sampler({ ...this.#options, ...readOptions(options, "options", KNOWN) });
    }
    const all = readOptions(options, "options", KNOWN);
    const refused = Object.keys(all).find((key) => !(CHAINABLE as readonly string[]).includes(key));
    if (refused !== undefined) {
      throw invalid(
        `A sampler made by Sampler.chain cannot take \`${refused}\` afterwards: its place in the ` +
          "order is unknown. Give the step in the chain",
        { option: refused },
      );
    }
    const changes = checkOptions(all, CHAINABLE);
    let steps = [...this.steps];
    for (const step of frontSteps(changes).reverse()) {
      const at = steps.findIndex(({ type }) => type === step.type);
      steps = at < 0 ? [step, ...steps] : steps.with(at, step);
    }
    return makeChain(steps, changes.seed ?? this.seed);
  }
}

function makeChain(steps: readonly SamplerStep[], seed: number | undefined): Sampler {
  const chain: Chain = { [CHAIN]: steps, seed };
  return new Sampler(chain as SamplerOptions);
}

function isChain(options: unknown): options is Chain {
  return typeof options === "object" && options !== null && Object.hasOwn(options, CHAIN);
}

/** Also one of the package's other copy (ESM and CommonJS in one process). */
export function isSampler(value: unknown): value is Sampler {
  return isMarked(value, MARKER);
}

function checkOptions(
  options: SamplerOptions | undefined,
  known: readonly (keyof SamplerOptions)[],
): SamplerOptions {
  const o = readOptions(options, "options", known);
  return {
    ...(o.temperature !== undefined && {
      temperature: number(o.temperature, "options.temperature", 0, TEMPERATURE_MAX),
    }),
    ...(o.topK !== undefined && { topK: integer(o.topK, "options.topK", 0, TOP_K_MAX) }),
    ...(o.topP !== undefined && { topP: number(o.topP, "options.topP", 0, 1) }),
    ...(o.minP !== undefined && { minP: number(o.minP, "options.minP", 0, 1) }),
    ...(o.penalties !== undefined && { penalties: penaltiesOf(o.penalties, "options.penalties") }),
    ...(o.logitBias !== undefined && { logitBias: logitBiasOf(o.logitBias, "options.logitBias") }),
    ...(o.grammar !== undefined && { grammar: grammarOf(o.grammar, "options.grammar") }),
    ...(o.seed !== undefined && { seed: checkSeed(o.seed, "options.seed") }),
  };
}

function checkSeed(value: unknown, name: string): number {
  return integer(value, name, 0, MAX_UINT32 - 1); // the last one is llama.cpp's sign for "any"
}

function stepsOf(options: SamplerOptions): SamplerStep[] {
  const { temperature = 0.8, topK = 40, topP = 0.95, minP = 0.05 } = options;
  const steps = frontSteps(options).filter((step) => step.type !== "penalties" || penalizes(step));
  if (temperature === 0) return [...steps, { type: "greedy" }];
  if (topK > 0) steps.push({ type: "top-k", value: topK });
  if (topP < 1) steps.push({ type: "top-p", value: topP });
  if (minP > 0) steps.push({ type: "min-p", value: minP });
  if (temperature !== 1) steps.push({ type: "temperature", value: temperature });
  steps.push({ type: "dist" });
  return steps.map((step) => Object.freeze(step));
}

function penalizes({ lastN = 64, repeat = 1, frequency = 0, presence = 0 }: Penalties): boolean {
  return lastN > 0 && (repeat !== 1 || frequency !== 0 || presence !== 0);
}

/** The grammar stands before everything that cuts candidates: it must never find none left. */
function frontSteps({ grammar, logitBias, penalties }: SamplerOptions): SamplerStep[] {
  const steps: SamplerStep[] = [];
  if (grammar !== undefined) steps.push({ type: "grammar", grammar });
  if (logitBias !== undefined) steps.push({ type: "logit-bias", biases: logitBias });
  if (penalties !== undefined) steps.push({ type: "penalties", ...penalties });
  return steps.map((step) => Object.freeze(step));
}

/** The settings that the model's file recommends (`general.sampling.*`), the usual ones for the rest. */
export function recommendedSampler(metadata: ReadonlyMap<string, string>): Sampler {
  const read = (key: string, min: number, max: number, whole = false): number | undefined => {
    const text = metadata.get(`general.sampling.${key}`);
    const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
    return value >= min && value <= max && (!whole || Number.isInteger(value)) ? value : undefined;
  };
  const usual = {
    temperature: read("temp", 0, TEMPERATURE_MAX),
    topK: read("top_k", 0, TOP_K_MAX, true),
    topP: read("top_p", 0, 1),
    minP: read("min_p", 0, 1),
  };
  const penalties = {
    lastN: read("penalty_last_n", 0, LAST_N_MAX, true),
    repeat: read("penalty_repeat", 0.01, 100),
  };
  return new Sampler({ ...usual, penalties } as SamplerOptions);
}

/** The steps as the addon takes them; token ids are checked against the vocabulary here. */
export function nativeSteps(sampler: Sampler, vocabularySize: number): NativeSamplerStep[] {
  return sampler.steps.map((step) => toNativeStep(step, vocabularySize));
}
