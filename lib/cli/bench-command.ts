import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "../context/context.js";
import { given } from "../internal/given.js";
import type { Model } from "../model/model.js";
import type { BenchPlan, Spread, Work } from "./bench-works.js";
import { addCommonFlags, type CommonFlags, gpuLayersOption, whole } from "./flags.js";
import { Interrupted, UsageError } from "./report-failure.js";
import { interruptible } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { bytes, counted } from "./terminal/units.js";
import { visible } from "./terminal/visible.js";
import { loadModel } from "./with-context.js";

interface BenchFlags extends CommonFlags {
  prompts?: number[];
  tokens: number;
  batches: number[];
  runs: number;
  threads?: number;
  gpuLayers?: number | "auto" | "all";
  json?: boolean;
}

/** A work with what was measured of it. */
interface Row extends Work {
  readonly tokensPerSecond: Spread;
  /** Of each run, in their order. */
  readonly runs: readonly number[];
}

const PROMPTS = [128, 512, 2048];
const BATCHES = [1, 2, 4, 8, 16];
const TOKENS = 64;
const RUNS = 3;
/** What a context decodes at once. */
const BATCH_MAX = 256;

const HELP = `
Prompts are evaluated at several lengths, one answer is decoded alone, and several at once. Each is run once
without being counted, then --runs times; the median stands beside the least and the most. Prompts are random
tokens (the same ones each time), none is reused from a cache, and no answer ends early. Answers at once have
prompts of 16 tokens, whose evaluation is in their time. Ctrl-C ends it with what was measured until then.

The figures are of this model on this machine, beside whatever else it does meanwhile.

Examples:
  $ cria bench model.gguf
  $ cria bench model.gguf --threads 4 --prompts 512 --batches 1,8 --runs 5
  $ cria bench model.gguf --json > bench.json`;

export function addBenchCommand(program: Command): void {
  const command = program
    .command("bench")
    .description("measure how fast a model is on this machine")
    .argument("<model>", "a GGUF file (of a split model the first part)")
    .option(
      "--prompts <lengths>",
      `tokens of the prompts (default: ${PROMPTS.join(",")}, as far as the model goes)`,
      list("lengths", 1),
    )
    .option("--tokens <n>", "tokens of an answer", whole(1), TOKENS)
    .option("--batches <counts>", "answers at once", list("counts", 1, BATCH_MAX), BATCHES)
    .option("--runs <n>", "measure each so many times", whole(1), RUNS)
    .option("--threads <n>", "threads that compute (default: the physical cores)", whole(1))
    .addOption(gpuLayersOption("layers on the GPU: a number, auto or all"))
    .option("--json", "one JSON object, with the figures of each run");
  addCommonFlags(command).addHelpText("after", HELP).action(bench);
}

/** Such as 1,2,4. */
function list(what: string, least: number, most?: number) {
  const one = whole(least, most);
  return (text: string): number[] => {
    try {
      return text.split(",").map((part) => one(part.trim()));
    } catch (error) {
      const { message } = error as Error;
      throw new InvalidArgumentError(`Expected ${what} with commas between them. ${message}`);
    }
  };
}

async function bench(path: string, flags: BenchFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const models: Model[] = [];
  try {
    const model = await interruptible((signal) => loadModel(path, flags, { terminal, signal }));
    models.push(model);
    terminal.clearProgress();
    await measure(model, planOf(model, flags), { terminal, flags });
  } finally {
    terminal.clearProgress();
    for (const model of models) await model.dispose();
  }
}

/** Lengths that were not asked for are left out where the model does not reach them. */
function planOf({ contextLength }: Model, { prompts, tokens, batches }: BenchFlags): BenchPlan {
  const tooLong = prompts?.find((length) => contextLength > 0 && length >= contextLength);
  if (tooLong !== undefined) {
    throw new UsageError(
      `A prompt of ${tooLong} tokens and what follows it do not fit: the model was trained on ` +
        `${contextLength} tokens.`,
    );
  }
  const fitting = PROMPTS.filter((length) => contextLength === 0 || length < contextLength);
  return { prompts: prompts ?? fitting, tokens, batches };
}

async function measure(
  model: Model,
  plan: BenchPlan,
  { terminal, flags }: { terminal: Terminal; flags: BenchFlags },
): Promise<void> {
  const { Bench, contextSizeFor, spreadOf, worksOf } = await import("./bench-works.js");
  const { engineInfo, listDevices } = await import("../model/devices.js");
  const works = worksOf(plan);
  const rows: Row[] = [];
  let interrupted = false;
  const { threads } = flags;
  const sequences = Math.max(...plan.batches);
  const options = { contextSize: contextSizeFor(plan), sequences, ...given({ threads }) };
  const context = await interruptible((signal) => model.createContext({ ...options, signal }));
  try {
    await interruptible(async (signal) => {
      const running = new Bench(context, signal);
      for (const [index, work] of works.entries()) {
        const rates: number[] = [];
        // Kept in the rows as it grows, so that what is interrupted has what there is.
        try {
          for (let run = -1; run < flags.runs; ++run) {
            const done = index + (run + 1) / (flags.runs + 1);
            terminal.progress(nameOf(work), done / works.length);
            const rate = await running.run(work);
            if (run >= 0) rates.push(rate);
          }
        } finally {
          if (rates.length > 0)
            rows.push({ ...work, tokensPerSecond: spreadOf(rates), runs: rates });
        }
      }
    });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    interrupted = true;
  }
  terminal.clearProgress();
  const { backend, llamaCpp, cpuLevel } = engineInfo();
  const report = {
    model: factsOf(model),
    engine: { backend, llamaCpp, cpuLevel },
    devices: listDevices().map(({ name, type, description }) => ({ name, type, description })),
    threads: context.threads,
    rows,
    interrupted,
  };
  if (flags.json) await terminal.writeJson(report);
  else await terminal.write(textOf(report, context));
  if (interrupted) throw new Interrupted();
}

function factsOf({ path, description, architecture, parameterCount, sizeInBytes }: Model) {
  return { path, description, architecture, parameterCount, sizeInBytes };
}

interface Report {
  readonly model: ReturnType<typeof factsOf>;
  readonly engine: { backend: string; llamaCpp: string; cpuLevel: string };
  readonly devices: readonly { name: string; description: string }[];
  readonly threads: number;
  readonly rows: readonly Row[];
  readonly interrupted: boolean;
}

function textOf({ model, engine, devices, threads, rows, interrupted }: Report, context: Context) {
  const head = [
    `model    ${visible(model.description)}, ${bytes(model.sizeInBytes)}`,
    `engine   ${engine.backend}, llama.cpp ${engine.llamaCpp}, CPU level ${engine.cpuLevel}`,
    ...devices.map(({ name, description }) => `device   ${visible(name)}, ${visible(description)}`),
    `context  ${counted(threads, "thread")}, ${counted(context.sequences, "sequence")} of ` +
      `${context.contextSize} tokens`,
  ];
  const cells = rows.map((row) => {
    const { median, least, most } = row.tokensPerSecond;
    const range = `${figure(least)} … ${figure(most)}`;
    return [nameOf(row), figure(median), range, String(row.runs.length)] as const;
  });
  const titled = [["", "tokens/s", "least … most", "runs"] as const, ...cells];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...titled.map((row) => (row[column] as string).length)),
  );
  const lines = titled.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  "),
  );
  const end = interrupted ? ["", "interrupted: what was measured until then"] : [];
  return `${[...head, "", ...lines, ...end].join("\n")}\n`;
}

function nameOf({ kind, tokens, sequences }: Work): string {
  if (kind === "prompt") return `prompt of ${counted(tokens, "token")}`;
  if (kind === "decode") return `answer of ${counted(tokens, "token")}`;
  return `${counted(sequences, "answer")} at once`;
}

/** Three digits are all that a machine repeats. */
function figure(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
