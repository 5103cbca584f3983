import type { Context } from "../../context/context.js";
import type { ContextOptions } from "../../context/context-options.js";
import type { Pooling } from "../../embedding/embed.js";
import { CriaError } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import type { Model } from "../../model/model.js";
import type { SequencesMeasured } from "../batch-types.js";
import { EngineFailure } from "./batch-engine.js";
import { measureSequences } from "./measure-sequences.js";

export interface ContextsOptions {
  readonly model: Model;
  /** Undefined: to be measured. */
  readonly sequences: number | undefined;
  readonly context: ContextOptions;
  readonly pooling: Pooling | undefined;
  /** The model for moderations; undefined: the model itself. */
  readonly guard: Model | undefined;
  readonly onMeasured: ((measured: SequencesMeasured) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

type Kind = "generation" | "embedding" | "moderation";

/** The contexts of a run. Each is opened when the first line needs it: most files need only one. */
export class Contexts {
  readonly #options: ContextsOptions;
  readonly #opening = new Map<Kind, Promise<Context>>();
  readonly #open = new Map<Kind, Context>();

  constructor(options: ContextsOptions) {
    this.#options = options;
  }

  /**
   * A line that asks for what the model cannot do has that as its own error. That there is no room for a
   * context ends the run.
   *
   * @throws {EngineFailure} or {CriaError} ERR_UNSUPPORTED
   */
  async get(kind: Kind): Promise<Context> {
    try {
      const context = await this.#begin(kind);
      this.#open.set(kind, context);
      return context;
    } catch (error) {
      if (CriaError.is(error) && error.code === "ERR_UNSUPPORTED") throw error;
      throw new EngineFailure(error);
    }
  }

  /** The context, if it is open. */
  peek(kind: Kind): Context | undefined {
    return this.#open.get(kind);
  }

  async dispose(): Promise<void> {
    for (const opening of this.#opening.values()) {
      const context = await opening.catch(() => undefined);
      await context?.dispose();
    }
  }

  #begin(kind: Kind): Promise<Context> {
    const opening = this.#opening.get(kind) ?? this.#make(kind);
    this.#opening.set(kind, opening);
    return opening;
  }

  #make(kind: Kind): Promise<Context> {
    const { model, guard } = this.#options;
    if (kind === "embedding") return this.#embedding();
    if (kind === "generation") return this.#generating(model);
    return guard === undefined ? this.#begin("generation") : this.#generating(guard);
  }

  async #generating(model: Model): Promise<Context> {
    const { sequences, onMeasured, signal, context: common } = this.#options;
    // A draft guesses for the model that it was chosen for, not for another one that judges.
    const { speculation: _, ...rest } = common;
    const context = model === this.#options.model ? common : rest;
    const options = { ...context, ...given({ signal }) };
    if (sequences !== undefined) return model.createContext({ ...options, sequences });
    const measured = await measureSequences(model, context, signal);
    onMeasured?.(measured);
    for (let less = measured.sequences; ; less = Math.floor(less / 2)) {
      try {
        return await model.createContext({ ...options, sequences: less });
      } catch (error) {
        // It was measured with short contexts: so many of the whole size may not fit.
        const full = CriaError.is(error) && error.code === "ERR_OUT_OF_MEMORY";
        if (!full || less === 1) throw error;
      }
    }
  }

  #embedding(): Promise<Context> {
    const { model, pooling, signal, context } = this.#options;
    // What is about a cache has no meaning for texts.
    const { kvCache: _, kvCacheSize: __, speculation: ___, ...rest } = context;
    const { swaFull: ____, checkpointMemory: _____, ...options } = rest;
    return model.createContext({
      ...options,
      embeddings: true,
      ...given({ pooling, signal }),
    });
  }
}
