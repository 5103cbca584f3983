import type { GuardOptions } from "../../guard/guard-types.js";
import { windowWidth } from "../../internal/windowed.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import type { BatchPlan, EmbeddingPlan, ModerationPlan } from "../input/plans.js";
import { Contexts, type ContextsOptions } from "./batch-contexts.js";
import type { BatchEngine, Identity, Lane, PreparedRequest } from "./batch-engine.js";
import { Moderator } from "./batch-moderator.js";
import { embedInputs } from "./embed-inputs.js";
import { Generator, type RunDefaults } from "./generator.js";

/** What an engine is made of. */
export interface ModelEngineParts extends ContextsOptions {
  readonly defaults: RunDefaults;
  readonly guardOptions: GuardOptions;
}

/** Lines that wait in a context which is being opened. */
const BEFORE_OPEN = 16;
/** Texts under way, for each that shares a batch: the next batches' wait in the engine. */
const EMBEDDING_BATCHES = 2;

/** Runs the requests of a batch in contexts of its own. */
export class ModelEngine implements BatchEngine {
  readonly #parts: ModelEngineParts;
  readonly #contexts: Contexts;
  readonly #generator: Generator;
  #moderator: Promise<Moderator> | undefined;

  constructor(parts: ModelEngineParts) {
    this.#parts = parts;
    this.#contexts = new Contexts(parts);
    this.#generator = new Generator({
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

  /** All prompts begin with the policy: one lane for them, on whichever model. */
  #prepareModeration(plan: ModerationPlan, { hash }: Identity): PreparedRequest {
    return {
      lane: "moderation",
      prefix: "",
      start: async (signal) => {
        this.#moderator ??= this.#makeModerator();
        return (await this.#moderator).moderate(plan, hash, signal);
      },
    };
  }

  async #makeModerator(): Promise<Moderator> {
    const { guard, guardOptions: options, defaults } = this.#parts;
    const context = await this.#contexts.get("moderation");
    const name = guard === undefined ? defaults.name : nameOf(guard);
    return new Moderator(context, { name, options });
  }
}

/** A model's file, without where it is. */
export function nameOf(model: LoadedModel): string {
  return model.path.split(/[\\/]/).at(-1) ?? model.path;
}
