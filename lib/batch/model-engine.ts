import type { Context } from "../context.js";
import { batchWindow } from "../generate-many.js";
import type { BatchEngine, Identity, Lane, PreparedRequest } from "./engine.js";
import { unsupported } from "./failures.js";
import { Generator, type RunDefaults } from "./generate.js";
import type { BatchPlan } from "./plans.js";

/** The engine that runs a model. */
export class ModelEngine implements BatchEngine {
  readonly #context: Context;
  readonly #generator: Generator;

  constructor(context: Context, defaults: RunDefaults) {
    this.#context = context;
    this.#generator = new Generator(context, defaults);
  }

  capacity(_lane: Lane): number {
    return batchWindow(this.#context.sequences);
  }

  prepare(plan: BatchPlan, identity: Identity): PreparedRequest {
    switch (plan.kind) {
      case "chat":
        return this.#generator.prepareChat(plan, identity);
      case "completion":
        return this.#generator.prepareCompletion(plan, identity);
      default:
        throw unsupported("url", "not yet");
    }
  }

  async dispose(): Promise<void> {
    await this.#context.dispose();
  }
}
