import type { Context } from "../context/context.js";
import { CONTEXT_OPTIONS, type ContextOptions, SEQUENCES_MAX } from "../context/context-options.js";
import type { Pooling } from "../embedding/embed.js";
import { readGuardOptions } from "../guard/guard-policy.js";
import type { GuardOptions } from "../guard/guard-types.js";
import {
  hasMembers,
  integer,
  isPlainObject,
  MAX_INT32,
  oneOf,
  readOptions,
  string,
} from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import type { Model } from "../model/model.js";
import { LOAD_OPTIONS, type LoadModelOptions, nativeModelOptions } from "../model/model-options.js";
import { Sampler, type SamplerOptions } from "../sampling/sampler.js";

/** A model of a server, with settings of its own. */
export interface HostedModelOptions {
  /** A GGUF file (of a split model the first part), or a model that is loaded. */
  readonly model: string | Model;
  /** How a file is loaded. Default: `Model.load`'s. */
  readonly load?: Omit<LoadModelOptions, "signal" | "onProgress">;
  /** Options of its contexts. Default: `createContext`'s, but for `sequences`, which is 4. */
  readonly context?: Omit<ContextOptions, "embeddings" | "pooling" | "signal">;
  /** Of embeddings: "mean", "cls" or "last". Default: what the model's file says, else "mean". */
  readonly pooling?: Extract<Pooling, "mean" | "cls" | "last">;
  /** How it judges for `/v1/moderations`. A model that is not recognised needs a `variant`. Default: `{}`. */
  readonly guard?: GuardOptions;
  /** Sampling options for requests that do not say otherwise. Default: what the model's file recommends. */
  readonly sampling?: Omit<SamplerOptions, "seed">;
  /** Tokens of an answer at most, where a request does not say. Default: what the context holds. */
  readonly maxTokens?: number;
  /** A Jinja template in place of the model's own. Default: the model's. */
  readonly chatTemplate?: string;
}

/** A file's path, a model, a context with its `sequences`, or one with settings. */
export type HostedModelInput = string | Model | Context | HostedModelOptions;

/** The same, checked. */
export interface HostedSettings {
  readonly name: string;
  readonly source:
    | { readonly path: string }
    | { readonly model: Model }
    | { readonly context: Context };
  readonly load: Omit<LoadModelOptions, "signal" | "onProgress">;
  readonly context: ContextOptions & { readonly sequences: number };
  readonly pooling: Pooling | undefined;
  readonly guard: GuardOptions | undefined;
  readonly sampling: SamplerOptions;
  readonly maxTokens: number | undefined;
  readonly chatTemplate: string | undefined;
}

const HOSTED = optionNames("createServer's models", [
  ...(["model", "load", "context", "pooling", "guard", "sampling"] as const),
  ...(["maxTokens", "chatTemplate"] as const),
]);
const SEQUENCES = 4;
const NOT_LOADED = ["signal", "onProgress"];
const NOT_ITS_CONTEXT = ["embeddings", "pooling", "signal"];

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function readHosted(name: string, given: unknown, at: string): HostedSettings {
  if (isContext(given)) {
    return { ...settingsOf(name, {}, at), source: { context: given } };
  }
  if (typeof given === "string" || isModel(given)) {
    return { ...settingsOf(name, {}, at), source: sourceOf(given, at) };
  }
  if (!isPlainObject(given)) {
    throw expected("a file's path, a Model, a Context or an object with a `model`,", at, given);
  }
  const { model, ...rest } = readOptions(given as unknown as HostedModelOptions, at, HOSTED);
  return { ...settingsOf(name, rest, at), source: sourceOf(model, `${at}.model`) };
}

function sourceOf(model: unknown, at: string) {
  if (typeof model === "string" && model !== "") return { path: model };
  if (isModel(model)) return { model };
  throw expected("a file's path or a Model", at, model);
}

function settingsOf(
  name: string,
  given: Partial<HostedModelOptions>,
  at: string,
): Omit<HostedSettings, "source"> {
  const { pooling, guard, sampling = {}, maxTokens, chatTemplate } = given;
  if (pooling !== undefined) oneOf(pooling, `${at}.pooling`, ["mean", "cls", "last"]);
  if (guard !== undefined) readGuardOptions(guard);
  if (maxTokens !== undefined) integer(maxTokens, `${at}.maxTokens`, 1, MAX_INT32);
  if (chatTemplate !== undefined) string(chatTemplate, `${at}.chatTemplate`);
  new Sampler(sampling); // what is wrong with it is told now
  const contexts = CONTEXT_OPTIONS.filter((key) => !NOT_ITS_CONTEXT.includes(key));
  const context = readOptions<ContextOptions>(given.context, `${at}.context`, contexts);
  // It is how many requests are let in, long before there is a context. What else is wrong with its options depends on
  // the model.
  const { sequences = SEQUENCES } = context;
  integer(sequences, `${at}.context.sequences`, 1, SEQUENCES_MAX);
  const loads = LOAD_OPTIONS.filter((key) => !NOT_LOADED.includes(key));
  const load = readOptions<LoadModelOptions>(given.load, `${at}.load`, loads);
  nativeModelOptions(name, load);
  return {
    name,
    load,
    context: { ...context, sequences },
    sampling: { ...sampling },
    ...{ pooling, guard, maxTokens, chatTemplate },
  };
}

function isModel(value: unknown): value is Model {
  return hasMembers(value, { createContext: "function", tokenizeAsync: "function" });
}

function isContext(value: unknown): value is Context {
  return hasMembers(value, { generate: "function", embed: "function", sequences: "number" });
}
