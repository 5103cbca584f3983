import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { GenerateOptions } from "../generation/generation.js";
import { MAX_INT32, MAX_UINT32 } from "../internal/checks.js";
import { given } from "../internal/given.js";
import type { Grammar } from "../sampling/grammar.js";
import type { SamplerOptions } from "../sampling/sampler.js";
import { TEMPERATURE_MAX } from "../sampling/temperature-max.js";
import { deviceOption } from "./device-option.js";
import { reading } from "./report-failure.js";

export interface CommonFlags {
  quiet?: boolean;
}

/** What commands take as a model. */
export const MODEL_ARGUMENT =
  "a GGUF file (of a split model the first part), hf:user/repo:Q4_K_M or a URL (see `cria pull --help`)";

/** As `GuardOptions.variant` has them. */
export const GUARD_VARIANTS = ["llama-guard-3-8b", "llama-guard-3-1b"] as const;

export interface ContextFlags {
  contextSize?: number | "auto";
  threads?: number;
  gpuLayers?: number | "auto" | "all";
  device?: string[];
  projector?: string;
}

export interface SamplingFlags {
  maxTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  seed?: number;
  grammar?: string;
  stop?: string[];
}

export function addCommonFlags(command: Command): Command {
  return command.option("-q, --quiet", "no progress, no speed: nothing but errors on stderr");
}

export const JSON_LINES =
  "one JSON object a line; what fails is one on stderr, with code and message";

export function addContextFlags(command: Command): Command {
  return command
    .option("--context-size <n>", "tokens a generation can hold, or auto", wholeOr(1, "auto"))
    .option("--threads <n>", "threads that compute (default: the physical cores)", whole(1))
    .addOption(gpuLayersOption("layers on the GPU: a number, auto or all"))
    .addOption(deviceOption("a GPU, or a worker as rpc://host:port; may be given several times"));
}

export function gpuLayersOption(description: string): Option {
  return new Option("--gpu-layers <n>", description).argParser(wholeOr(0, "auto", "all"));
}

export function addSamplingFlags(command: Command): Command {
  return command
    .option(
      "--max-tokens <n>",
      "at most so many tokens (default: until the context is full)",
      whole(1),
    )
    .option(
      "--temperature <t>",
      "0 takes the likeliest token, more is more varied",
      number(TEMPERATURE_MAX),
    )
    .option("--top-k <n>", "choose among the n likeliest tokens; 0: all", whole(0))
    .option("--top-p <p>", "choose among the likeliest tokens that sum to p", number(1))
    .option(
      "--min-p <p>",
      "leave out tokens less than p times as likely as the likeliest",
      number(1),
    )
    .option(
      "--seed <n>",
      "the same seed, prompt and options give the same answer",
      whole(0, MAX_UINT32),
    )
    .option("--grammar <file>", "a GBNF grammar that the answer follows")
    .addOption(
      new Option("--stop <text>", "end before this text; may be given several times").argParser(
        (text: string, earlier: string[] | undefined) => [...(earlier ?? []), text],
      ),
    );
}

export function projectorOption(): Option {
  return new Option(
    "--projector <file>",
    "the model's mmproj file, or hf:user/repo:mmproj: requests may have images, audio",
  );
}

export function chatTemplateOption(): Option {
  return new Option("--chat-template <file>", "a Jinja template in place of the model's own");
}

export async function readChatTemplate(flags: {
  readonly chatTemplate?: string;
}): Promise<string | undefined> {
  const { chatTemplate: file } = flags;
  if (file === undefined) return undefined;
  const text = await reading("chat template", () => readFile(file, "utf8"));
  return text.replace(/^\uFEFF/, "");
}

/** What the flags say of sampling. Before the model is loaded, since a grammar may be wrong. */
export async function samplingOf(flags: SamplingFlags): Promise<SamplerOptions> {
  const { temperature, topK, topP, minP, seed } = flags;
  const grammar = flags.grammar === undefined ? undefined : await readGrammar(flags.grammar);
  return given({ temperature, topK, topP, minP, seed, grammar });
}

/** What `Context.generate` takes. */
export function generateOptionsOf(flags: SamplingFlags, sampling: SamplerOptions): GenerateOptions {
  return { ...sampling, ...given({ maxTokens: flags.maxTokens, stop: flags.stop }) };
}

async function readGrammar(file: string): Promise<Grammar> {
  const { Grammar } = await import("../sampling/grammar.js");
  return Grammar.gbnf(await reading("grammar file", () => readFile(file, "utf8")));
}

export function number(maximum: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && value >= 0 && value <= maximum) return value;
    throw new InvalidArgumentError(`Expected a number from 0 to ${maximum}.`);
  };
}

export function whole(minimum: number, maximum = MAX_INT32) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${minimum} to ${maximum}.`);
  };
}

export function wholeOr<W extends string>(minimum: number, ...words: W[]) {
  const parse = whole(minimum);
  return (text: string): number | W => {
    if (words.includes(text as W)) return text as W;
    try {
      return parse(text);
    } catch {
      throw new InvalidArgumentError(
        `Expected a whole number of at least ${minimum}, ${words.join(" or ")}.`,
      );
    }
  };
}
