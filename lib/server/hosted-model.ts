import { type AnswerDefaults, RequestMaker } from "../batch/engine/request-maker.js";
import type { Context } from "../context/context.js";
import { LlamaGuard } from "../guard/llama-guard.js";
import { throwIfAborted, untilAborted } from "../internal/abort.js";
import { CriaError, disposedError } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { Model } from "../model/model.js";
import { recommendedSampler } from "../sampling/sampler.js";
import { Admission } from "./admission.js";
import type { HostedSettings } from "./hosted-options.js";

/** What a context is for: each has one of its own, made when it is first needed. */
export type Purpose = "generation" | "embedding" | "ranking";

/** Others' tokens may come as they do by default, and a prefix is reused however it rounds. */
const MANNER = {};

export interface HostedModelParts {
  readonly settings: HostedSettings;
  /** Generations that may wait. */
  readonly queue: number;
  /** Milliseconds without a request after which it is unloaded; 0: never. */
  readonly idle: number;
}

/** A model of the server's: loaded with the first request, unloaded when nobody has asked for long. */
export class HostedModel {
  readonly settings: HostedSettings;
  readonly admission: Admission;
  readonly #idle: number;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #loading: Promise<HostedWeights> | undefined;
  /** Ends the load that is under way. */
  #stopLoading = new AbortController();
  #loaded: HostedWeights | undefined;
  #unloading: Promise<void> = Promise.resolve();

  constructor({ settings, queue, idle }: HostedModelParts) {
    this.settings = settings;
    const { source, context } = settings;
    const { sequences } = "context" in source ? source.context : context;
    this.admission = new Admission(sequences, queue);
    this.#idle = idle;
  }

  get name(): string {
    return this.settings.name;
  }

  /** Whether it answers nothing any more: a context that was given is not the server's to make anew. */
  get broken(): boolean {
    const { source } = this.settings;
    return "context" in source && (source.context.disposed || source.context.broken);
  }

  /** What is loaded now. */
  get loaded(): HostedWeights | undefined {
    return this.#loaded;
  }

  /**
   * Loads the model if need be and keeps it until `work` is done.
   *
   * @param count how many generations it is, of those that the model takes at a time
   * @throws {HttpError} 429 where the queue is full; errors of loading, {SettingsError} too; the signal's reason
   */
  async use<T>(
    count: number,
    signal: AbortSignal,
    work: (weights: HostedWeights) => Promise<T>,
  ): Promise<T> {
    const leave = this.admission.enter(count);
    try {
      return await this.hold(signal, work);
    } finally {
      leave();
    }
  }

  /** The same for what takes no place in the queue: batches, which step back behind requests. */
  async hold<T>(signal: AbortSignal, work: (weights: HostedWeights) => Promise<T>): Promise<T> {
    // Behind the end of the server nobody would unload it again.
    throwIfAborted(signal);
    this.#users += 1;
    clearTimeout(this.#timer);
    try {
      return await work(await untilAborted(this.#load(), signal));
    } finally {
      this.#users -= 1;
      if (this.#users === 0 && this.#idle > 0) this.#rest();
    }
  }

  /** Ends what runs, a load or download too, and gives back what was made here. May be used again. */
  dispose(): Promise<void> {
    clearTimeout(this.#timer);
    const loading = this.#loading;
    this.#loading = undefined;
    this.#loaded = undefined;
    this.#stopLoading.abort(disposedError(`The server's model ${this.name}`));
    this.#stopLoading = new AbortController();
    const before = this.#unloading;
    this.#unloading = (async () => {
      await before;
      const weights = await loading?.catch(() => undefined);
      await weights?.dispose();
    })();
    return this.#unloading;
  }

  #rest(): void {
    this.#timer = setTimeout(() => void this.dispose(), this.#idle);
    this.#timer.unref();
  }

  /** One load for all who wait. It goes on when one of them goes; one that failed is tried again. */
  #load(): Promise<HostedWeights> {
    if (this.#loading === undefined) {
      const { signal } = this.#stopLoading;
      const loading = this.#unloading
        .then(() => loadWeights(this.settings, signal))
        .catch((error) => throwOwn(error));
      this.#loading = loading;
      loading.then(
        (weights) => {
          if (this.#loading === loading) this.#loaded = weights;
        },
        () => {
          if (this.#loading === loading) this.#loading = undefined;
        },
      );
    }
    return this.#loading;
  }
}

async function loadWeights(settings: HostedSettings, signal: AbortSignal): Promise<HostedWeights> {
  const { source, load } = settings;
  if ("context" in source) return new HostedWeights(settings, source.context.model);
  if ("model" in source) return new HostedWeights(settings, source.model);
  const model = await Model.load(source.path, { ...load, signal });
  return new HostedWeights(settings, model, model);
}

/** What is wrong with the server's own settings: no fault of the request that met it first. */
export class SettingsError extends Error {
  override readonly cause: CriaError;

  constructor(cause: CriaError) {
    super(cause.message);
    this.cause = cause;
  }
}

function throwOwn(error: unknown): never {
  const own = CriaError.is(error) && error.code === "ERR_INVALID_ARGUMENT";
  throw own ? new SettingsError(error) : error;
}

/** A loaded model with the contexts that were made on it. */
export class HostedWeights {
  readonly settings: HostedSettings;
  readonly model: LoadedModel;
  readonly maker: RequestMaker;
  /** What holds for requests that do not say otherwise. */
  readonly defaults: AnswerDefaults;
  /** To be disposed of with it. */
  readonly #own: Model | undefined;
  readonly #contexts = new Map<Purpose, Promise<Context>>();
  readonly #open = new Map<Purpose, Context>();
  #guard: { readonly context: Context; readonly judge: LlamaGuard } | undefined;

  constructor(settings: HostedSettings, model: LoadedModel, own?: Model) {
    this.settings = settings;
    this.model = model;
    this.#own = own;
    const { name, sampling, maxTokens, chatTemplate } = settings;
    this.defaults = {
      sampler: recommendedSampler(model.metadata, sampling),
      ...{ name, maxTokens, chatTemplate },
      ...{
        stop: undefined,
        system: undefined,
        schema: undefined,
        tools: undefined,
        date: undefined,
      },
    };
    this.maker = new RequestMaker({ model, defaults: this.defaults, manner: MANNER });
  }

  /** The contexts that are open, for their counters. */
  get contexts(): ReadonlyMap<Purpose, Context> {
    return this.#open;
  }

  /** @throws {CriaError} ERR_UNSUPPORTED, ERR_OUT_OF_MEMORY, ERR_DISPOSED; {SettingsError} */
  async context(purpose: Purpose): Promise<Context> {
    const known = this.#open.get(purpose);
    const own = !("context" in this.settings.source);
    if (known !== undefined && !known.disposed && !(own && known.broken)) return known;
    if (known !== undefined) {
      this.#open.delete(purpose);
      this.#contexts.delete(purpose);
      // The engine failed inside it; the model is as good as before.
      if (own) void known.dispose();
    }
    const opening = this.#contexts.get(purpose) ?? this.#make(purpose);
    this.#contexts.set(purpose, opening);
    try {
      const context = await opening;
      this.#open.set(purpose, context);
      return context;
    } catch (error) {
      // The next request tries again: there may be more memory then.
      if (this.#contexts.get(purpose) === opening) this.#contexts.delete(purpose);
      throwOwn(error);
    }
  }

  /**
   * Makes the context that the model is most likely for.
   *
   * @throws {CriaError} as `context`
   */
  async open(): Promise<void> {
    const { source, pooling } = this.settings;
    if ("context" in source) return;
    if (pooling !== undefined) return void (await this.context("embedding"));
    try {
      await this.context("generation");
    } catch (error) {
      // An encoder generates nothing.
      if (!CriaError.is(error) || error.code !== "ERR_UNSUPPORTED") throw error;
      await this.context("embedding");
    }
  }

  /** @throws {CriaError} as `context`; ERR_UNSUPPORTED where it is no guard */
  async guard(): Promise<LlamaGuard> {
    const context = await this.context("generation");
    if (this.#guard?.context !== context) {
      this.#guard = { context, judge: new LlamaGuard(context, this.settings.guard) };
    }
    return this.#guard.judge;
  }

  async dispose(): Promise<void> {
    if (!("context" in this.settings.source)) {
      for (const opening of this.#contexts.values()) {
        await (await opening.catch(() => undefined))?.dispose();
      }
    }
    await this.#own?.dispose();
  }

  async #make(purpose: Purpose): Promise<Context> {
    const { source, context: options, pooling } = this.settings;
    if ("context" in source) {
      if (purposeOf(source.context) === purpose) return source.context;
      throw new CriaError(
        "ERR_UNSUPPORTED",
        `The server's model ${this.settings.name} has a context for ${purposeOf(source.context)} alone, ` +
          `and this is a request for ${purpose}`,
      );
    }
    const model = "model" in source ? source.model : (this.#own as Model);
    if (purpose === "generation") return model.createContext(options);
    const { sequences: _, kvCache: __, kvCacheSize: ___, ...rest } = options;
    const { swaFull: ____, checkpointMemory: _____, speculation: ______, ...texts } = rest;
    const read = purpose === "ranking" ? ("rank" as const) : pooling;
    return model.createContext({ ...texts, embeddings: true, ...given({ pooling: read }) });
  }
}

function purposeOf({ pooling }: Context): Purpose {
  if (pooling === null) return "generation";
  return pooling === "rank" ? "ranking" : "embedding";
}
