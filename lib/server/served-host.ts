import { string } from "../internal/checks.js";
import { expected, show } from "../internal/errors.js";
import type { HostedModel } from "./hosted-model.js";
import { HttpError } from "./http-errors.js";
import type { ServerMetrics } from "./server-metrics.js";
import { ServerStorage, type StorageOptions } from "./storage/server-storage.js";

/** What the routes share. */
export class ServedHost {
  readonly models: ReadonlyMap<string, HostedModel>;
  readonly metrics: ServerMetrics;
  readonly storage: ServerStorage;
  /** Seconds since 1970, when the server was made. */
  readonly created = Math.floor(Date.now() / 1000);

  constructor(
    models: readonly HostedModel[],
    { metrics, storage }: { readonly metrics: ServerMetrics; readonly storage: StorageOptions },
  ) {
    this.models = new Map(models.map((model) => [model.name, model]));
    this.metrics = metrics;
    this.storage = new ServerStorage(storage, this);
  }

  /** @throws {HttpError} 404 */
  find(name: string): HostedModel {
    const found = this.models.get(name);
    if (found !== undefined) return found;
    const known = [...this.models.keys()].map(show).join(", ");
    throw new HttpError(404, "model_not_found", `No model ${show(name)} here, only ${known}`, {
      param: "model",
    });
  }

  /**
   * The model that a body names. Without a name it is the first one, of those that `prefers` likes if there
   * are such.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT; {HttpError} 404
   */
  named(name: unknown, prefers: (model: HostedModel) => boolean = () => true): HostedModel {
    if (name !== undefined && name !== null) return this.find(string(name, "body.model"));
    const all = [...this.models.values()];
    const model = all.find(prefers) ?? all[0];
    if (model === undefined) throw expected("a model's name", "body.model", name);
    return model;
  }
}
