import type { GuardOptions } from "../../guard/guard-types.js";
import { LlamaGuard } from "../../guard/llama-guard.js";
import { windowWidth } from "../../internal/windowed.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import type { BatchPlan, EmbeddingPlan, ModerationPlan } from "../input/request-plans.js";
import { Contexts, type ContextsOptions } from "./batch-contexts.js";
import type { BatchEngine, Identity, Lane, PreparedRequest } from "./batch-engine.js";
import { embedInputs } from "./embed-inputs.js";
import { LineGenerator, type RunDefaults } from "./line-generator.js";
import { moderateInputs } from "./moderate-inputs.js";

export interface ModelEngineParts extends ContextsOptions {
  readonly defaults: RunDefaults;
  readonly guardOptions: GuardOptions;
}

/** How many lines may wait for a context that is still being opened. */
const BEFORE_OPEN = 16;
/** Texts under way for each that shares a batch: those of the next batch wait in the engine. */
const EMBEDDING_BATCHES = 2;

/** Runs the requests of a batch in contexts of its own. */
export class ModelEngine implements BatchEngine {
  readonly #parts: ModelEngineParts;
  readonly #contexts: Contexts;
  readonly #generator: LineGenerator;
  #guard: Promise<LlamaGuard> | undefined;

  constructor(parts: ModelEngineParts) {
    this.#parts = parts;
    this.#contexts = new Contexts(parts);
    this.#generator = new LineGenerator({
      model: parts.model,
      open: () => this.#contexts.get("generation"),
      defaults: parts.defaults,
    });
  }

  capacity(lane: Lane): number {
    const context = this.#contexts.peek(lane);
    if (context === undefined) return BEFORE_OPEN;
    const { sequences } = context;
    return lane === "embedding" ? sequences * EMBEDDING_BATCHES : windowWidth(sequences);
  }

  prepare(plan: BatchPlan, identity: Identity): PreparedRequest | Promise<PreparedRequest> {
    switch (plan.kind) {
      case "chat":
        return this.#generator.prepareChat(plan, identity);
      case "completion":
        return this.#generator.prepareCompletion(plan, identity);
      case "embedding":
        return this.#prepareEmbedding(plan);
      case "moderation":
        return this.#prepareModeration(plan, identity);
    }
  }

  dispose(): Promise<void> {
    return this.#contexts.dispose();
  }

  #prepareEmbedding(plan: EmbeddingPlan): PreparedRequest {
    return {
      lane: "embedding",
      prefix: "",
      start: async (signal) => {
        const context = await this.#contexts.get("embedding");
        return embedInputs(context, plan, { name: this.#parts.defaults.name, signal });
      },
    };
  }

  /** All these prompts begin with the policy: they have a lane of their own, whichever model judges. */
  #prepareModeration(plan: ModerationPlan, { hash }: Identity): PreparedRequest {
    const { guard: model, guardOptions, defaults } = this.#parts;
    const name = model === undefined ? defaults.name : nameOf(model);
    return {
      lane: "moderation",
      prefix: "",
      start: async (signal) => {
        this.#guard ??= this.#contexts
          .get("moderation")
          .then((context) => new LlamaGuard(context, guardOptions));
        return moderateInputs(await this.#guard, plan, { name, hash, signal });
      },
    };
  }
}

/** The name of a model's file, without its folder. */
export function nameOf(model: LoadedModel): string {
  return model.path.split(/[\\/]/).at(-1) ?? model.path;
}
