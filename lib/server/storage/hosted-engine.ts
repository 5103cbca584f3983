import {
  type BatchEngine,
  EngineFailure,
  type Identity,
  type Lane,
  type PreparedRequest,
} from "../../batch/engine/batch-engine.js";
import { embedInputs } from "../../batch/engine/embed-inputs.js";
import { LineGenerator } from "../../batch/engine/line-generator.js";
import { moderateInputs } from "../../batch/engine/moderate-inputs.js";
import type { BatchPlan } from "../../batch/input/request-plans.js";
import {
  contextSettings,
  engineSettings,
  fileSettings,
  modelSettings,
  type Settings,
  settingsOf,
  under,
} from "../../batch/output/batch-settings.js";
import { Places } from "../../internal/places.js";
import { type HostedModel, type HostedWeights, SettingsError } from "../hosted-model.js";
import { isAboutPlaces } from "../http-errors.js";

/** Texts to embed that are under way: they share batches in the engine. */
const EMBEDDINGS = 16;

/**
 * Runs the lines of a batch in the contexts of the server, beside the requests of others. One sequence stays
 * free for those, where there are several, and each of them that runs takes another from the batch.
 */
export class HostedEngine implements BatchEngine {
  readonly #hosted: HostedModel;
  readonly #weights: HostedWeights;
  readonly #generator: LineGenerator;

  /** @param date what chats are told to be today: the same for all runs of the batch */
  constructor(hosted: HostedModel, weights: HostedWeights, date: Date) {
    this.#hosted = hosted;
    this.#weights = weights;
    this.#generator = new LineGenerator({
      model: weights.model,
      open: () => failingAll(weights.context("generation")),
      defaults: { ...weights.defaults, date },
      // A line may ask for many answers: they leave a sequence free, too.
      places: new Places(Math.max(1, hosted.admission.together - 1)),
    });
  }

  capacity(lane: Lane): number {
    if (lane === "embedding") return EMBEDDINGS;
    const { together, running } = this.#hosted.admission;
    return Math.max(1, together - 1 - running);
  }

  prepare(plan: BatchPlan, identity: Identity): PreparedRequest | Promise<PreparedRequest> {
    const { name } = this.#hosted;
    switch (plan.kind) {
      case "chat":
        return this.#generator.prepareChat(plan, identity);
      case "completion":
        return this.#generator.prepareCompletion(plan, identity);
      case "embedding":
        return {
          lane: "embedding",
          prefix: "",
          start: async (signal) =>
            embedInputs(await failingAll(this.#weights.context("embedding")), plan, {
              name,
              signal,
            }),
        };
      case "moderation":
        return {
          lane: "moderation",
          prefix: "",
          start: async (signal) =>
            moderateInputs(await failingAll(this.#weights.guard()), plan, {
              ...{ name, hash: identity.hash, signal },
            }),
        };
    }
  }
}

/** What is wrong with the server's own files and settings fails the batch, which tells clients no more than requests. */
async function failingAll<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    throw error instanceof SettingsError || isAboutPlaces(error) ? new EngineFailure(error) : error;
  }
}

/** What results depend on besides their lines: a server that has other settings does not go on with them. */
export async function settingsOfBatch(
  { settings, model }: HostedWeights,
  date: Date,
): Promise<Settings> {
  const { name, sampling, maxTokens, chatTemplate, pooling, guard, source } = settings;
  const files = "context" in source ? {} : await fileSettings(settings.context);
  const own = settingsOf({
    ...engineSettings(),
    ...modelSettings("model", model, name),
    ...under("sampling", sampling),
    ...{ maxTokens, chatTemplate, pooling, date },
    ...("context" in source
      ? { contextSize: source.context.contextSize }
      : contextSettings(settings.context)),
    ...under("guard", guard),
  });
  return { ...own, ...files };
}
