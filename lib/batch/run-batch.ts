import { types } from "node:util";
import { renderChatAsync } from "../chat/render-chat.js";
import { readTurnOptions } from "../chat/session-options.js";
import { type ContextOptions, checkContextOptions } from "../context/context-options.js";
import { stopStrings } from "../generation/generate-options.js";
import { readGuardOptions } from "../guard/guard-policy.js";
import { throwIfAborted } from "../internal/abort.js";
import {
  abortSignal,
  boolean,
  callback,
  filePath,
  guarded,
  integer,
  isPlainObject,
  list,
  MAX_INT32,
  MAX_UINT32,
  oneOf,
  readOptions,
  string,
} from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import { given } from "../internal/given.js";
import { jsonCopy } from "../internal/json-text.js";
import type { NativeModelInfo } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import type { ToolDefinitionInput } from "../messages/tool-types.js";
import { insideOf } from "../model/loaded-model.js";
import type { Model } from "../model/model.js";
import { recommendedSampler } from "../sampling/sampler.js";
import { responseSchemaOf } from "../tools/answer-grammar.js";
import { isTool } from "../tools/define-tool.js";
import { Run } from "./batch-run.js";
import type { BatchSummary, RunBatchOptions, RunOptions } from "./batch-types.js";
import type { BatchEngine } from "./engine/batch-engine.js";
import type { RunDefaults } from "./engine/line-generator.js";
import { ModelEngine, nameOf } from "./engine/model-engine.js";
import { IdTable } from "./input/custom-ids.js";
import { openInput } from "./input/line-source.js";
import { Output } from "./output/batch-output.js";
import {
  contextSettings,
  digestOf,
  engineSettings,
  fileSettings,
  modelSettings,
  type Settings,
  settingsOf,
  under,
} from "./output/batch-settings.js";

const RUN: readonly (keyof RunOptions)[] = [
  ...(["input", "output", "format", "resume", "overwrite", "ordered", "limit", "seed"] as const),
  ...(["maxTokens", "sampling", "stop", "system", "schema", "tools"] as const),
  ...(["onProgress", "finish", "signal", "engine", "settings"] as const),
];
const BATCH: readonly (keyof RunBatchOptions)[] = optionNames("runBatch", [
  ...RUN.filter(
    (key): key is Exclude<keyof RunOptions, "engine" | "settings"> =>
      key !== "engine" && key !== "settings",
  ),
  ...(["date", "chatTemplate", "sequences", "context", "pooling"] as const),
  ...(["guard", "guardOptions", "onMeasured"] as const),
]);

/** The date that Llama's own templates show unless they are given one. */
const DATE = "26 Jul 2024";
const SEQUENCES_MAX = 256;

/**
 * Answers a file of requests, a line each, into a file of results. Lines are read as they are needed and
 * written as they finish; whatever ends the run, what is written is complete, and `resume` goes on with
 * the rest. What is wrong with a line is the error of that line.
 *
 * @example
 * const summary = await runBatch(model, { input: "requests.jsonl", output: "results.jsonl" });
 * console.log(`${summary.done} lines, ${summary.errors} errors`);
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_LOCKED (another run writes the output), ERR_TEMPLATE (the
 * `chatTemplate`), ERR_OUT_OF_MEMORY, ERR_DISPOSED; errors of the file system
 * with their own `code` (ENOSPC), after which the output can be resumed; the signal's reason
 */
export async function runBatch(model: Model, options: RunBatchOptions): Promise<BatchSummary> {
  // Some options are read more than once, and a getter may throw only then.
  const prepared = guarded(options, "options", () => prepare(model, options));
  const { checked, engine, settings, chatTemplate, vectors } = prepared;
  try {
    if (chatTemplate !== undefined) await tryTemplate(chatTemplate, model, checked.signal);
    return await carryOut(checked, engine, { ...settings, ...(await fileSettings(vectors)) });
  } finally {
    await engine.dispose();
  }
}

/** One that is broken fails the run at once; otherwise each line would have the same error. */
async function tryTemplate(
  chatTemplate: string,
  model: Model,
  signal: AbortSignal | undefined,
): Promise<void> {
  const options = { chatTemplate, model, ...(signal && { signal }) };
  await renderChatAsync([{ role: "user", content: "Hello" }], options);
}

function prepare(model: Model, options: RunBatchOptions) {
  const {
    sequences,
    context,
    pooling,
    guard,
    guardOptions = {},
    onMeasured,
    date: givenDate = DATE,
    chatTemplate,
    ...run
  } = readOptions(options, "options", BATCH);
  if (sequences !== undefined) integer(sequences, "options.sequences", 1, SEQUENCES_MAX);
  if (onMeasured !== undefined) callback(onMeasured, "options.onMeasured");
  if (context !== undefined && !isPlainObject(context)) {
    throw expected("a plain object", "options.context", context);
  }
  assertModel(model, "model");
  if (context !== undefined) checkContext(context, { sequences, info: insideOf(model).info });
  if (guard !== undefined) assertModel(guard, "options.guard");
  readGuardOptions(guardOptions); // what is wrong whatever the model is
  if (pooling !== undefined) oneOf(pooling, "options.pooling", ["mean", "cls", "last"]);
  const checked = readRun(run as RunBatchOptions);
  const { signal } = checked;
  const date = types.isDate(givenDate) ? new Date(givenDate) : givenDate;
  const defaults: RunDefaults = {
    sampler: recommendedSampler(model.metadata).with(checked.sampling ?? {}),
    maxTokens: checked.maxTokens,
    stop: checked.stop,
    system: checked.system,
    schema: checked.schema && responseSchemaOf(checked.schema, "options.schema"),
    tools: checked.tools,
    date,
    chatTemplate,
    name: nameOf(model),
  };
  checkTools(defaults, model);
  const settings = settingsOf({
    ...engineSettings(),
    ...modelSettings("model", model, defaults.name),
    ...runSettings(checked),
    "options.date": date,
    "options.chatTemplate": chatTemplate,
    "options.pooling": pooling,
    ...contextSettings(context ?? {}),
    ...(guard && modelSettings("options.guard", guard, nameOf(guard))),
    ...under("options.guardOptions", guardOptions),
  });
  const own = ownContextOptions(context ?? {});
  const engine = new ModelEngine({
    ...{ model, defaults, sequences, pooling, guard, onMeasured, signal },
    // Copies, since a line reads them later, when the caller may have changed them.
    guardOptions: structuredClone(guardOptions),
    context: own,
  });
  return { checked, engine, settings, chatTemplate, vectors: own };
}

/** What a run decides by itself, and where the caller says it. */
const NOT_OF_CONTEXT = {
  sequences: "give `options.sequences`",
  embeddings: "lines of /v1/embeddings have a context of their own",
  pooling: "give `options.pooling`",
  signal: "give `options.signal`",
} as const;

/** A context is opened with the first line that needs it, when the output is begun: too late for what is wrong in itself. */
function checkContext(
  context: ContextOptions,
  { sequences, info }: { sequences: number | undefined; info: NativeModelInfo },
): void {
  for (const [key, instead] of Object.entries(NOT_OF_CONTEXT)) {
    if (context[key as keyof typeof NOT_OF_CONTEXT] === undefined) continue;
    const name = `options.context.${key}`;
    throw invalid(`\`${name}\` is not for batches: ${instead}`, { name });
  }
  if (sequences === undefined && context.kvCacheSize !== undefined) {
    throw invalid(
      "`options.context.kvCacheSize` needs `options.sequences` beside it: what they share cannot be " +
        "divided by a number that is still to be measured",
      { name: "options.context.kvCacheSize" },
    );
  }
  if (!info.generates) return; // its lines only embed, with some of the options
  checkContextOptions(context, { name: "options.context", sequences: sequences ?? 1, info });
}

function ownContextOptions(options: ContextOptions): ContextOptions {
  const { kvCacheType, rope, controlVectors } = options;
  return {
    ...options,
    ...(controlVectors && { controlVectors: controlVectors.map((vector) => ({ ...vector })) }),
    ...(isPlainObject(kvCacheType) && { kvCacheType: { ...kvCacheType } }),
    ...(isPlainObject(rope) && { rope: { ...rope } }),
  };
}

function assertModel(value: unknown, name: string): void {
  const make = guarded(value, name, () => ((value ?? {}) as Partial<Model>).createContext);
  if (typeof make !== "function") throw expected("a Model", name, value);
}

/** Wrong tools fail the run at once, too. */
function checkTools({ tools, schema, date, chatTemplate }: RunDefaults, model: Model): void {
  if (tools === undefined) return;
  const rules = { date, tools, ...given({ chatTemplate, responseSchema: schema }) };
  readTurnOptions({}, rules, model);
}

/** `runBatch` with an engine of the caller's, which is not disposed: for the server, and for tests. */
export async function runWith(options: RunOptions): Promise<BatchSummary> {
  const { engine, settings = {}, ...run } = readOptions(options, "options", RUN);
  const checked = readRun(run as RunBatchOptions);
  const own = settingsOf(runSettings(checked));
  return carryOut(checked, engine as BatchEngine, { ...own, ...settings });
}

/** Locks the output before anything takes long. */
async function carryOut(
  run: CheckedRun,
  engine: BatchEngine,
  settings: Settings,
): Promise<BatchSummary> {
  const { input, resume, overwrite, signal } = run;
  throwIfAborted(signal);
  const ids = new IdTable();
  const source = await openInput(input);
  try {
    const given = { resume, overwrite, input: fileOf(input), settings };
    const [output, earlier] = await Output.open(run.output, given, ids);
    try {
      const parts = { ...run, source, output, earlier, ids, engine };
      return await new Run({ ...parts, settings: digestOf(settings) }).run();
    } finally {
      await output.close();
    }
  } finally {
    await source.close();
  }
}

/** Those of a run's own options that results depend on. */
function runSettings(run: CheckedRun): Record<string, unknown> {
  const { format, seed, maxTokens, stop, system, schema, tools, sampling } = run;
  return {
    ...under("options", { format, seed, maxTokens, stop, system, schema, tools }),
    ...under("options.sampling", sampling),
  };
}

/** The file that an input is read from, as far as that is known: standard input may be one, too. */
function fileOf(input: RunOptions["input"]): string | number | undefined {
  if (typeof input === "string") return input;
  const { fd } = input as { fd?: unknown };
  return Number.isInteger(fd) ? (fd as number) : undefined;
}

type CheckedRun = ReturnType<typeof readRun>;

/** A copy, since the lines read it later. A `Tool` is frozen and needs none. */
function ownTool(tool: unknown, name: string): ToolDefinitionInput {
  if (isTool(tool) || !isPlainObject(tool)) return tool as ToolDefinitionInput;
  return jsonCopy(tool, name) as ToolDefinitionInput;
}

function readRun(o: RunBatchOptions) {
  const { format = "jsonl", resume = false, overwrite = false, ordered = false, seed = 0 } = o;
  const { limit = Number.POSITIVE_INFINITY, maxTokens, sampling, stop, system, schema, tools } = o;
  const { finish, signal, onProgress } = o;
  if (finish !== undefined) abortSignal(finish, "options.finish");
  if (signal !== undefined) abortSignal(signal, "options.signal");
  if (onProgress !== undefined) callback(onProgress, "options.onProgress");
  if (schema !== undefined && !isPlainObject(schema)) {
    throw expected("a JSON Schema object", "options.schema", schema);
  }
  if (resume && overwrite)
    throw invalid("`resume` and `overwrite` are opposites: give one of them");
  return {
    input: o.input,
    output: filePath(o.output, "options.output"),
    format: oneOf(format, "options.format", ["jsonl", "text"]),
    resume: boolean(resume, "options.resume"),
    overwrite: boolean(overwrite, "options.overwrite"),
    ordered: boolean(ordered, "options.ordered"),
    limit:
      limit === Number.POSITIVE_INFINITY ? limit : integer(limit, "options.limit", 0, MAX_INT32),
    seed: integer(seed, "options.seed", 0, MAX_UINT32),
    maxTokens:
      maxTokens === undefined ? undefined : integer(maxTokens, "options.maxTokens", 1, MAX_INT32),
    sampling,
    stop: stop === undefined ? undefined : stopStrings(stop, "options.stop"),
    system: system === undefined ? undefined : string(system, "options.system"),
    schema,
    tools:
      tools === undefined ? undefined : list(tools, "options.tools", "an array of tools", ownTool),
    ...{ finish, signal, onProgress },
  };
}
