import type { Context } from "../context.js";
import type { ContextOptions } from "../context-options.js";
import type { GuardOptions } from "../guard/types.js";
import type { Model } from "../model.js";
import { windowWidth } from "../windowed.js";
import type { BatchEngine, Identity, Lane, PreparedRequest } from "./engine.js";
import { unsupported } from "./failures.js";
import { Generator, type RunDefaults } from "./generate.js";
import { Moderator } from "./moderate.js";
import type { BatchPlan, EmbeddingPlan, ModerationPlan } from "./plans.js";

/** What an engine is made of. */
export interface ModelEngineParts {
  /** For chats and completions. */
  readonly context: Context;
  /** For more contexts, as they are needed. */
  readonly options: ContextOptions;
  readonly defaults: RunDefaults;
  /** Judges moderations, if it is not the model itself. */
  readonly guard: Model | undefined;
  readonly guardOptions: GuardOptions;
}

/** Runs the requests of a batch in contexts, which it owns. */
export class ModelEngine implements BatchEngine {
  readonly #parts: ModelEngineParts;
  readonly #generator: Generator;
  readonly #exact: boolean;
  #moderator: Promise<Moderator> | undefined;
  #guardContext: Promise<Context> | undefined;

  constructor(parts: ModelEngineParts) {
    this.#parts = parts;
    this.#exact = parts.options.cacheLayout !== "shared";
    this.#generator = new Generator(parts.context, parts.defaults, this.#exact);
  }

  capacity(_lane: Lane): number {
    return windowWidth(this.#parts.context.sequences);
  }

  prepare(plan: BatchPlan, identity: Identity): PreparedRequest {
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

  async dispose(): Promise<void> {
    await this.#parts.context.dispose();
    const guard = await this.#guardContext?.catch(() => undefined);
    await guard?.dispose();
  }

  #prepareEmbedding(_plan: EmbeddingPlan): PreparedRequest {
    throw unsupported("url", "/v1/embeddings is not there yet");
  }

  /** The policy comes first in all prompts: they have one lane, whatever is judged. */
  #prepareModeration(plan: ModerationPlan, { hash }: Identity): PreparedRequest {
    return {
      lane: "moderation",
      prefix: "",
      start: async (signal) => {
        this.#moderator ??= this.#openModerator();
        return (await this.#moderator).moderate(plan, hash, signal);
      },
    };
  }

  async #openModerator(): Promise<Moderator> {
    const { context, guard, guardOptions, options, defaults } = this.#parts;
    const name = guard === undefined ? defaults.name : nameOf(guard);
    const given = { exact: this.#exact, name, options: guardOptions };
    if (guard === undefined) return new Moderator(context, given);
    this.#guardContext = guard.createContext({ ...options, sequences: context.sequences });
    return new Moderator(await this.#guardContext, given);
  }
}

/** A model's file, without where it is. */
export function nameOf(model: Model): string {
  return model.path.split(/[\\/]/).at(-1) ?? model.path;
}
