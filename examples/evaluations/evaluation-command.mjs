// What all evaluations have in common: one shape of the command line, a model that is loaded and given back,
// and scores with their standard errors at the end.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Model } from "cria";
import { formatEstimate } from "./estimates.mjs";

const demoModel = fileURLToPath(new URL("../../models/cria-demo.gguf", import.meta.url));

/** A mistake of whoever types the command: told without a stack. */
export class UsageError extends Error {}

/** The project's own data, in the formats of the real sets. */
export const ownData = (name) => fileURLToPath(new URL(`data/${name}`, import.meta.url));

const COMMON = {
  data: { type: "string", multiple: true, value: "FILE", about: "questions; may be repeated" },
  limit: { type: "string", value: "N", about: "only the first N" },
  output: {
    type: "string",
    value: "FILE",
    about: "results, a line each; a run that ended goes on",
  },
  sequences: { type: "string", value: "N", about: "how many at a time" },
  "context-size": { type: "string", value: "N", about: "tokens of prompt and answer together" },
  "gpu-layers": {
    type: "string",
    value: "N",
    about: "layers on the GPU (default: as many as fit)",
  },
  json: { type: "boolean", about: "the scores as one JSON object on stdout, and nothing else" },
  help: { type: "boolean", short: "h", about: "this" },
};
const NUMBERS = {
  limit: 1,
  shots: 0,
  sequences: 1,
  "context-size": 8,
  "gpu-layers": 0,
  "max-tokens": 1,
  window: 4,
  stride: 0,
};

/**
 * Runs an evaluation as a program.
 *
 * `evaluate({ model, options, signal, progress })` gets the options with numbers as numbers, a signal that the
 * first Ctrl-C aborts, and `progress(done, total)`; it resolves with `{ estimates, counts, interrupted }`:
 * estimates by their names, and whatever was counted beside them.
 *
 * @param {{ name: string, about: string, options: object, defaults: object, evaluate: Function }} evaluation
 */
export async function runEvaluation({ name, about, options: own = {}, defaults = {}, evaluate }) {
  const known = { ...COMMON, ...own };
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  let model;
  try {
    const { path, options } = readArguments(known, defaults);
    if (options.help) return console.log(helpText(name, about, known, defaults));
    const { "gpu-layers": gpuLayers } = options;
    model = await Model.load(path, gpuLayers === undefined ? {} : { gpuLayers });
    process.once("SIGINT", onInterrupt);
    const progress = progressLine(options.json);
    const found = await evaluate({ model, options, signal: interrupt.signal, progress });
    progress.end();
    report({ name, path, json: options.json, ...found });
    if (found.interrupted) process.exitCode = 130;
  } catch (error) {
    // A wrong file or option is no fault of the program's: the message says it all.
    const told = error instanceof UsageError || typeof error?.code === "string";
    console.error(`${name}: ${told ? error.message : (error?.stack ?? error)}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } finally {
    process.off("SIGINT", onInterrupt);
    await model?.dispose();
  }
}

function readArguments(known, defaults) {
  const options = Object.fromEntries(
    Object.entries(known).map(([key, { type, short, multiple }]) => [
      key,
      { type, ...(short && { short }), ...(multiple && { multiple }) },
    ]),
  );
  let parsed;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error.message} (--help tells the options)`);
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) {
    throw new UsageError(`Expected one model, got ${positionals.length}: ${positionals.join(" ")}`);
  }
  const all = { ...defaults, ...values };
  for (const [key, least] of Object.entries(NUMBERS)) {
    if (typeof all[key] === "string") all[key] = wholeNumber(all[key], `--${key}`, least);
  }
  for (const [key, { choices }] of Object.entries(known)) {
    if (choices && all[key] !== undefined && !choices.includes(all[key])) {
      throw new UsageError(`Expected ${choices.join(" or ")} for --${key}, got "${all[key]}"`);
    }
  }
  return { path: positionals[0] ?? demoModel, options: all };
}

function wholeNumber(text, name, least) {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`Expected a whole number of ${least} or more for ${name}, got "${text}"`);
}

function helpText(name, about, known, defaults) {
  const lines = Object.entries(known).map(([key, { value, choices, about: text }]) => {
    const flag = `  --${key}${value ? ` ${value}` : choices ? ` ${choices.join("|")}` : ""}`;
    const given = defaults[key];
    const shown = given === undefined || Array.isArray(given) ? "" : ` (default: ${given})`;
    return `${flag.padEnd(30)} ${text}${shown}`;
  });
  return [`node examples/evaluations/${name}.mjs [MODEL.gguf] [options]`, about, "", ...lines].join(
    "\n",
  );
}

/** On a terminal alone, and not beside JSON. */
function progressLine(quiet) {
  const shown = !quiet && process.stderr.isTTY === true;
  const progress = (done, total) => {
    if (shown) process.stderr.write(`\r${done}${total === undefined ? "" : ` of ${total}`} `);
  };
  progress.end = () => {
    if (shown) process.stderr.write("\r\x1b[K");
  };
  return progress;
}

function report({ name, path, json, estimates, counts, interrupted = false }) {
  if (json) {
    const metrics = Object.fromEntries(
      Object.entries(estimates).map(([key, { value, standardError, count }]) => [
        key,
        { value, standardError, count },
      ]),
    );
    return console.log(
      JSON.stringify({ evaluation: name, model: path, counts, metrics, interrupted }),
    );
  }
  const width = Math.max(...Object.keys(estimates).map((key) => key.length));
  for (const [key, estimate] of Object.entries(estimates)) {
    console.log(`${key.padEnd(width)}  ${formatEstimate(estimate)}`);
  }
  const told = Object.entries(counts).map(([key, value]) => `${key}: ${value}`);
  if (told.length > 0) console.log(told.join(", "));
  if (interrupted) console.log("interrupted: the same command with --output goes on");
}
