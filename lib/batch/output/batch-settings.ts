import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { types } from "node:util";
import { type ContextOptions, comparableOptions } from "../../context/context-options.js";
import { isPlainObject } from "../../internal/checks.js";
import { replaceFile } from "../../internal/replace-file.js";
import { engineInfo } from "../../model/devices.js";
import { insideOf, type LoadedModel } from "../../model/loaded-model.js";
import { isGrammar } from "../../sampling/grammar.js";
import { ioError } from "../batch-failures.js";
import { hashOf } from "../input/custom-ids.js";

/** Everything that results depend on besides their lines, by the caller's names. */
export type Settings = Readonly<Record<string, unknown>>;

/** Raised when the same settings no longer give the same results. */
const VERSION = 2;

/** A longer value is cut off, and its hash added. */
const MAX_TEXT = 400;

/** Made comparable, as JSON: keys in order, without what is not given. */
export function settingsOf(given: Record<string, unknown>): Settings {
  const entries: [string, unknown][] = [["cria (version of results)", VERSION]];
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) entries.push([name, shortened(canonical(value))]);
  }
  return Object.fromEntries(entries);
}

/** The parts of an option, each by its own name, so that a difference can be named exactly. */
export function under(name: string, options: object | undefined): Record<string, unknown> {
  const entries = Object.entries(options ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [`${name}.${key}`, value]));
}

/** Identifies the model and its projector by their content, whatever the files are called, and by how it was loaded. */
export function modelSettings(
  name: string,
  model: LoadedModel,
  called: string,
): Record<string, unknown> {
  const { projectorFingerprint } = insideOf(model, name).info;
  return {
    [name]: called,
    [`${name} (weights)`]: model.fingerprint,
    [`${name} (projector)`]: projectorFingerprint === "" ? undefined : projectorFingerprint,
    [`${name} (metadata)`]: hashOf(...[...model.metadata].flat()),
    ...under(`${name} (loaded with)`, model.loadOptions),
  };
}

/** The version and the backend, since other kernels round differently. */
export function engineSettings(): Record<string, unknown> {
  const { backend, llamaCpp } = engineInfo();
  return { engine: `llama.cpp ${llamaCpp}, ${backend}` };
}

/**
 * Identifies files that a context reads by their content, too: another one may lie under the same name. One that cannot be
 * read is told of when the context is opened.
 */
export async function fileSettings({ controlVectors }: ContextOptions): Promise<Settings> {
  if (controlVectors === undefined) return {};
  const sums = controlVectors.map(async ({ path }) => {
    const hash = createHash("sha256");
    try {
      for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
    } catch {
      return undefined;
    }
    return hash.digest("hex").slice(0, 16);
  });
  return settingsOf({ "options.context.controlVectors (content)": await Promise.all(sums) });
}

/** The options that results depend on, with their defaults. */
export function contextSettings(options: ContextOptions): Record<string, unknown> {
  return under("options.context", comparableOptions(options));
}

export function digestOf(settings: Settings): string {
  const entries = Object.entries(settings).map(([name, value]) => `${name}=${textOf(value)}`);
  return hashOf(...entries.sort());
}

export interface Difference {
  readonly name: string;
  readonly before: unknown;
  readonly now: unknown;
}

export function differences(before: Settings, now: Settings): Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names
    .filter((name) => textOf(before[name]) !== textOf(now[name]))
    .map((name) => ({ name, before: before[name], now: now[name] }));
}

/** In a sentence: "`options.seed` was 1 and is 2". */
export function inWords({ name, before, now }: Difference): string {
  const shown = (value: unknown) => (value === undefined ? "not given" : textOf(value));
  return `\`${name}\` was ${shown(before)} and is ${shown(now)}`;
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? "undefined";
}

function shortened(value: unknown): unknown {
  const text = textOf(value);
  if (text.length <= MAX_TEXT) return value;
  return `${text.slice(0, MAX_TEXT / 4)}… (${text.length} characters, ${hashOf(text)})`;
}

function canonical(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (types.isMap(value)) return canonical(Object.fromEntries(value));
  if (types.isDate(value)) return value.toISOString();
  if (isGrammar(value)) return { source: value.source, root: value.root };
  if (Array.isArray(value)) return value.map(canonical);
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries
      .sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
      .map(([key, one]) => [key, canonical(one)]),
  );
}

/**
 * Writes beside an output what its results were made with. Each result tells by its id that the settings
 * were others; this file tells which.
 */
export async function writeSettings(output: string, settings: Settings): Promise<void> {
  const file = settingsFile(output);
  await replaceFile(file, `${JSON.stringify(settings, null, 2)}\n`).catch((error) => {
    throw ioError(`The settings of the output ${output} cannot be written`, error);
  });
}

/** Undefined where there is no such file, or a run did not write it. */
export async function readSettings(output: string): Promise<Settings | undefined> {
  try {
    const settings: unknown = JSON.parse(await readFile(settingsFile(output), "utf8"));
    return isPlainObject(settings) ? settings : undefined;
  } catch {
    return undefined;
  }
}

export function settingsFile(output: string): string {
  return `${output}.settings.json`;
}
