import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { type Command, Option } from "commander";
import type { BatchFormat, BatchSummary, RunBatchOptions } from "../batch/batch-types.js";
import type { GuardVariant } from "../guard/guard-types.js";
import { given } from "../internal/given.js";
import type { ToolDefinitionInput } from "../messages/tool-types.js";
import type { Model } from "../model/model.js";
import {
  addCommonFlags,
  addContextFlags,
  addSamplingFlags,
  type CommonFlags,
  type ContextFlags,
  chatTemplateOption,
  GUARD_VARIANTS,
  MODEL_ARGUMENT,
  projectorOption,
  readChatTemplate,
  type SamplingFlags,
  samplingOf,
  whole,
} from "./flags.js";
import { Interrupted, reading, UsageError } from "./report-failure.js";
import {
  addSpeculationFlags,
  checkSpeculation,
  type SpeculationFlags,
  speculationOf,
} from "./speculation-flags.js";
import { BatchProgressView, summaryText } from "./terminal/batch-progress-view.js";
import { interruptible, onInterrupt } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { flagsBeside, loadModel } from "./with-context.js";

interface BatchFlags extends CommonFlags, ContextFlags, SamplingFlags, SpeculationFlags {
  output: string;
  format?: BatchFormat;
  resume?: boolean;
  overwrite?: boolean;
  ordered?: boolean;
  limit?: number;
  sequences?: number;
  system?: string;
  schema?: string;
  tools?: string;
  chatTemplate?: string;
  pooling?: "mean" | "cls" | "last";
  guardModel?: string;
  guardVariant?: GuardVariant;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ cria batch model.gguf requests.jsonl --output results.jsonl
  $ cria batch model.gguf requests.jsonl --output results.jsonl --resume
  $ cria batch model.gguf prompts.txt --format text --output results.jsonl.gz --max-tokens 100`;

export function addBatchCommand(program: Command): void {
  const command = program
    .command("batch")
    .description("answer a file of requests, a line each, into a file of results")
    .argument("<model>", MODEL_ARGUMENT)
    .argument("<input>", "requests of OpenAI's batches or simple ones, as JSON lines; - is stdin")
    .requiredOption("-o, --output <file>", "where results are appended; .gz packs them")
    .addOption(
      new Option("--format <name>", "text: each line of the input is a prompt").choices([
        "jsonl",
        "text",
      ]),
    )
    .option("--resume", "go on with the output of a run that was ended, and skip what it has")
    .option("--overwrite", "replace an output that is there")
    .option("--ordered", "results in the order of the lines, not as they finish")
    .option("--limit <n>", "only so many lines of the input", whole(1))
    .option("--sequences <n>", "answers that are generated at a time (default: measured)", whole(1))
    .option("-s, --system <text>", "a system message for chats without one; prompts become chats")
    .option("--schema <file>", "a JSON Schema that answers follow, where a line has none")
    .option("--tools <file>", "tools that may be called: JSON in OpenAI's form, or a module")
    .addOption(chatTemplateOption())
    .addOption(projectorOption())
    .addOption(new Option("--pooling <name>", "of embeddings").choices(["mean", "cls", "last"]))
    .option("--guard-model <file>", "a Llama Guard 3 for /v1/moderations (default: the model)")
    .addOption(
      new Option("--guard-variant <name>", "takes the guard for this one, unseen").choices(
        GUARD_VARIANTS,
      ),
    )
    .option("--json", "a summary as one JSON object on stdout");
  addSamplingFlags(command);
  addContextFlags(command);
  addSpeculationFlags(command);
  addCommonFlags(command).addHelpText("after", EXAMPLES).action(batch);
}

async function batch(path: string, input: string, flags: BatchFlags): Promise<void> {
  checkSpeculation(flags);
  const terminal = new Terminal(flags);
  const options = await optionsOf(input, flags);
  const paths = [path, flags.guardModel, flags.draftModel];
  const models = await loadModels(paths, flags, terminal);
  const [model, guard, draft] = models as [Model, Model | undefined, Model | undefined];
  const speculation = speculationOf(flags, draft);
  const context = { ...options.context, ...given({ speculation }) };
  let summary: BatchSummary;
  try {
    summary = await run(model, { ...options, context, ...given({ guard }) }, { terminal, flags });
  } finally {
    if (input === "-") process.stdin.destroy();
    for (const one of models) await one?.dispose();
  }
  if (flags.json) await terminal.writeJson(summary);
  terminal.note(summaryText(summary));
  if (summary.interrupted) {
    terminal.note("interrupted: --resume goes on");
    throw new Interrupted();
  }
  if (summary.errors > 0) {
    throw new Error(`${summary.errors} of ${summary.done} lines have an error (${flags.output})`);
  }
}

async function optionsOf(input: string, flags: BatchFlags): Promise<RunBatchOptions> {
  const { output, format, resume, overwrite, ordered, limit, sequences, system, pooling } = flags;
  if (output === "-") {
    throw new UsageError(
      "Results go to a file, which a run that was ended goes on with: give --output its path (./- for this name).",
    );
  }
  const { maxTokens, stop, seed, contextSize, threads, guardVariant: variant } = flags;
  const { seed: _, ...sampling } = await samplingOf(flags);
  const schema = flags.schema === undefined ? undefined : await readJson(flags.schema, "schema");
  const tools = flags.tools === undefined ? undefined : await readTools(flags.tools);
  const chatTemplate = await readChatTemplate(flags);
  return {
    input: input === "-" ? process.stdin : input,
    output,
    sampling,
    context: given({ contextSize, threads }),
    ...given({ format, resume, overwrite, ordered, limit, sequences, system, schema, tools }),
    ...given({
      chatTemplate,
      maxTokens,
      stop,
      seed,
      pooling,
      guardOptions: variant && { variant },
    }),
  };
}

/** The first Ctrl-C lets what runs finish; the second does not. */
async function run(
  model: Model,
  options: RunBatchOptions,
  { terminal, flags }: { terminal: Terminal; flags: BatchFlags },
): Promise<BatchSummary> {
  const [finish, stop] = [new AbortController(), new AbortController()];
  const { runBatch } = await import("../batch/run-batch.js");
  const view = await BatchProgressView.open(terminal, { quiet: flags.quiet ?? false });
  const release = onInterrupt(() => {
    if (finish.signal.aborted) return stop.abort(new Interrupted());
    view.note("finishing what runs (Ctrl-C again stops at once)");
    finish.abort();
  });
  try {
    return await runBatch(model, {
      ...options,
      finish: finish.signal,
      signal: stop.signal,
      onProgress: view.show,
      onMeasured: ({ sequences, rates }) => {
        const told = [...rates].map(([count, rate]) => `${count}: ${Math.round(rate)}`).join(", ");
        view.note(`--sequences ${sequences} (tokens/s by sequences: ${told})`);
      },
    });
  } finally {
    view.clear();
    release();
  }
}

/** The first is the model that answers; the others stand beside it. */
async function loadModels(
  paths: readonly (string | undefined)[],
  flags: ContextFlags,
  terminal: Terminal,
): Promise<(Model | undefined)[]> {
  const models: (Model | undefined)[] = [];
  try {
    for (const [index, path] of paths.entries()) {
      const own = index === 0 ? flags : flagsBeside(flags);
      const load = (signal: AbortSignal) => loadModel(path as string, own, { terminal, signal });
      models.push(path === undefined ? undefined : await interruptible(load));
    }
    return models;
  } catch (error) {
    for (const model of models) await model?.dispose();
    throw error;
  } finally {
    terminal.clearProgress();
  }
}

async function readTools(file: string): Promise<readonly ToolDefinitionInput[]> {
  if (extname(file) !== ".json") {
    const { loadTools } = await import("./chat-tools.js");
    return (await loadTools(file)).map((tool) => tool.definition);
  }
  const tools = await readJson(file, "tools");
  if (Array.isArray(tools)) return tools as ToolDefinitionInput[];
  throw new Error(`The tools file ${file} holds no array of tools`);
}

function readJson(file: string, what: string): Promise<object> {
  return reading(`${what} file ${file}`, async () => JSON.parse(await readFile(file, "utf8")));
}
