import { callback, hasMembers, isArray, isPlainObject, string } from "../internal/checks.js";
import { CriaError, expected, invalid, show } from "../internal/errors.js";
import { Model } from "../model/model.js";
import type { LoadModelOptions } from "../model/model-options.js";
import { isWorkerUrl } from "../model/worker-url.js";

/** A path or a reference such as "hf:user/repo:Q4_K_M" that is loaded for the client alone, or a model of the server's, shared by its clients. */
export type ServedModel = string | Model;

/**
 * What a client's `Model.load(name)` may name: models by their names, or a function that decides. Nothing else is
 * loaded. A model that the server loaded itself is shared, takes no options, and stays when the client goes.
 */
export type ServedModels =
  | Readonly<Record<string, ServedModel>>
  | ((
      name: string,
      options: LoadModelOptions,
    ) => ServedModel | undefined | Promise<ServedModel | undefined>);

export type FindModel = (name: string, options: LoadModelOptions) => Promise<ServedModel>;

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function readServedModels(models: ServedModels | undefined): FindModel {
  if (isPlainObject(models)) {
    const named = new Map(Object.entries(models));
    for (const [name, model] of named) checkModel(model, `options.models[${show(name)}]`);
    return async (name) => found(name, named.get(name));
  }
  if (typeof models !== "function") {
    throw expected("an object of models by their names, or a function,", "options.models", models);
  }
  callback(models, "options.models");
  return async (name, options) => found(name, await models(name, options));
}

function found(name: string, model: ServedModel | undefined): ServedModel {
  if (model !== undefined) return checkModel(model, "models(name)");
  throw new CriaError(
    "ERR_MODEL_NOT_FOUND",
    `This server offers no model ${show(name)}: ask for one of those that its \`models\` name`,
    { details: { name } },
  );
}

function checkModel(model: unknown, name: string): ServedModel {
  if (typeof model === "string") return string(model, name);
  if (hasMembers(model, { createContext: "function", tokenizeAsync: "function" })) {
    return model as Model;
  }
  throw expected("a file's path or a Model", name, model);
}

/** A page would have the server's process connect to whatever it names. */
function refuseWorkers({ devices }: LoadModelOptions): void {
  if (!isArray(devices) || !devices.some((one) => typeof one === "string" && isWorkerUrl(one)))
    return;
  throw invalid(
    "Expected devices of the server's machine in `options.devices`: a client may name no workers",
    { name: "options.devices" },
  );
}

/** For this client alone, or the server's. */
export async function loadServed(
  found: ServedModel,
  options: LoadModelOptions,
  here: Pick<LoadModelOptions, "signal" | "onProgress">,
): Promise<{ readonly model: Model; readonly shared: boolean }> {
  if (options.download !== undefined) {
    throw invalid(
      "`options.download` is for the server's own process: its `models` say what is fetched, and where to",
      { option: "download" },
    );
  }
  if (typeof found === "string") {
    refuseWorkers(options);
    if (options.projector !== undefined) {
      throw new CriaError(
        "ERR_UNSUPPORTED",
        "A projector's path cannot come from a client: let the server load the model, and offer that",
      );
    }
    return { model: await Model.load(found, { ...options, ...here }), shared: false };
  }
  const [option] = Object.keys(options);
  if (option === undefined) return { model: found, shared: true };
  throw new CriaError(
    "ERR_INVALID_ARGUMENT",
    `The server has loaded this model already, so \`${option}\` comes too late: leave the options out`,
    { details: { option } },
  );
}
