import { list, readOptions } from "../internal/checks.js";
import { invalid } from "../internal/errors.js";
import type { NativeSamplerStep } from "../internal/native.js";
import {
  CHAINABLE,
  checkOptions,
  checkSeed,
  frontSteps,
  recommendedOptions,
  SAMPLER_OPTIONS,
  type SamplerOptions,
  stepsOf,
} from "./sampler-options.js";
import { checkChain, checkStep, type SamplerStep, toNativeStep } from "./sampler-step.js";

export type { SamplerOptions } from "./sampler-options.js";
export type {
  AdaptiveP,
  Dry,
  DynamicTemperature,
  Mirostat,
  Penalties,
  Xtc,
} from "./sampler-parts.js";

const CHAIN = Symbol("Sampler.chain");

interface Chain {
  readonly [CHAIN]: readonly SamplerStep[];
  readonly seed: number | undefined;
}

/** Of any value whatever, a proxy that throws included. Set by the class, whose member it looks for. */
export let isSampler: (value: unknown) => value is Sampler;

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

  static {
    isSampler = (value): value is Sampler =>
      typeof value === "object" && value !== null && #options in value;
  }

  /**
   * A sampler of these settings; those that are left out have `SamplerOptions`' defaults, whatever a model's
   * file recommends.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  constructor(options?: SamplerOptions) {
    if (isChain(options)) {
      this.#options = undefined;
      this.steps = options[CHAIN];
      this.seed = options.seed;
    } else {
      this.#options = checkOptions(options);
      this.steps = stepsOf(this.#options);
      this.seed = this.#options.seed;
    }
    Object.freeze(this.steps);
    Object.freeze(this);
  }

  /** Always the likeliest token: the same as `temperature: 0`. */
  static greedy(): Sampler {
    return new Sampler({ temperature: 0 });
  }

  /**
   * Explicit steps in the given order, for those who want llama.cpp's own chain. The last one selects
   * the token (`greedy`, `dist`, `mirostat` or `adaptive-p`), and no other does. The same seed and
   * steps choose the same tokens as that chain driven through llama.h.
   *
   * @example
   * Sampler.chain([{ type: "top-k", value: 20 }, { type: "temperature", value: 0.7 }, { type: "dist" }]);
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  static chain(steps: readonly SamplerStep[], options?: { readonly seed?: number }): Sampler {
    const checked = list(steps, "steps", "an array of sampler steps", checkStep);
    checkChain(checked, "steps");
    const { seed } = readOptions(options, "options", ["seed"]);
    return makeChain(checked, seed === undefined ? undefined : checkSeed(seed, "options.seed"));
  }

  /**
   * A sampler with some settings changed. One made by `chain` takes `penalties`, `dry`, `logitBias`,
   * `grammar` and `seed`: its own step of that kind is replaced, or the new one goes in front.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  with(options: SamplerOptions): Sampler {
    if (this.#options !== undefined) {
      return new Sampler({ ...this.#options, ...readOptions(options, "options", SAMPLER_OPTIONS) });
    }
    const all = readOptions(options, "options", SAMPLER_OPTIONS);
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
  try {
    return typeof options === "object" && options !== null && Object.hasOwn(options, CHAIN);
  } catch {
    return false; // a proxy that throws: checkOptions says so
  }
}

/**
 * The settings given, those that the model's file recommends (`general.sampling.*`) where there are none,
 * and the usual ones for the rest.
 */
export function recommendedSampler(
  metadata: ReadonlyMap<string, string>,
  given: SamplerOptions = {},
): Sampler {
  const { mirostat, ...recommended } = recommendedOptions(metadata);
  // Each of them selects the token: the file's gives way to what was asked for.
  const selects = mirostat !== undefined && given.adaptiveP === undefined ? { mirostat } : {};
  return new Sampler({ ...recommended, ...selects, ...given });
}

/** The steps as the addon takes them; token ids are checked against the vocabulary here. */
export function nativeSteps(sampler: Sampler, vocabularySize: number): NativeSamplerStep[] {
  return sampler.steps.map((step) => toNativeStep(step, vocabularySize));
}
