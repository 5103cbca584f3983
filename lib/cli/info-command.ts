import { type Command, Option } from "commander";
import { CACHE_TYPES } from "../context/cache-types.js";
import type { CacheType } from "../context/context-options.js";
import type { DeviceMemory, MemoryEstimate } from "../context/memory-estimate.js";
import { given } from "../internal/given.js";
import type { Model } from "../model/model.js";
import { deviceOption } from "./device-option.js";
import {
  addCommonFlags,
  type CommonFlags,
  gpuLayersOption,
  MODEL_ARGUMENT,
  whole,
  wholeOr,
} from "./flags.js";
import { UsageError } from "./report-failure.js";
import { interruptible } from "./terminal/interrupt.js";
import { columns, shortened, table } from "./terminal/tables.js";
import { Terminal } from "./terminal/terminal.js";
import { amount, bytes, counted } from "./terminal/units.js";

interface InfoFlags extends CommonFlags {
  json?: boolean;
  contextSize?: number | "auto";
  sequences?: number;
  kvCacheType?: CacheType;
  gpuLayers?: number | "auto" | "all";
  device?: string[];
}

const EXAMPLES = `
Examples:
  $ cria info model.gguf
  $ cria info model.gguf --context auto --sequences 4 --kv-cache-type q8_0
  $ cria info model.gguf --json | jq .metadata`;

export function addInfoCommand(program: Command): void {
  const command = program
    .command("info")
    .description(
      "tell what the engine makes of a model, and the memory that it takes, without loading its weights",
    )
    .argument("<model>", MODEL_ARGUMENT)
    .option("--json", "one JSON object, nothing shortened")
    .option(
      "--context, --context-size <n>",
      "also tell the memory that it takes with a context of so many tokens, or auto",
      wholeOr(1, "auto"),
    )
    .option("--sequences <n>", "with --context: so many generations at a time", whole(1))
    .addOption(
      new Option("--kv-cache-type <type>", "with --context: how the KV cache is stored").choices(
        CACHE_TYPES,
      ),
    )
    .addOption(gpuLayersOption("with --context: layers on the GPU, a number, auto or all"))
    .addOption(deviceOption("with --context: a GPU, or a worker as rpc://host:port; repeatable"));
  addCommonFlags(command).addHelpText("after", EXAMPLES).action(info);
}

async function info(path: string, flags: InfoFlags): Promise<void> {
  const { contextSize, json, quiet: _, device: devices, ...others } = flags;
  if (contextSize === undefined && (devices !== undefined || Object.keys(others).length > 0)) {
    throw new UsageError("--sequences, --kv-cache-type, --gpu-layers and --device need --context");
  }
  const terminal = new Terminal(flags);
  const { Model } = await import("../model/model.js");
  const { estimateMemory } = await import("../model/estimate-memory.js");
  const { withHeaderFiles } = await import("../hub/gguf/header-files.js");
  // Of a model elsewhere the headers are enough.
  await interruptible((signal) =>
    withHeaderFiles(path, { signal }, async (file) => {
      const model = await Model.load(file, { vocabOnly: true, signal });
      try {
        const memory =
          contextSize === undefined
            ? undefined
            : await estimateMemory(file, {
                contextSize,
                ...given({ ...others, devices }),
                signal,
              });
        if (json) await terminal.writeJson({ ...toJson(model), path, ...given({ memory }) });
        else await terminal.write(toText(model, memory && memoryTable(memory, flags)));
      } finally {
        await model.dispose();
      }
    }),
  );
}

function toJson(model: Model) {
  return {
    path: model.path,
    description: description(model),
    architecture: model.architecture,
    parameterCount: model.parameterCount,
    sizeInBytes: model.sizeInBytes,
    contextLength: model.contextLength,
    embeddingLength: model.embeddingLength,
    layerCount: model.layerCount,
    vocabularySize: model.vocabularySize,
    specialTokens: model.specialTokens,
    chatTemplate: model.chatTemplate,
    metadata: Object.fromEntries(model.metadata),
  };
}

function toText(model: Model, memory: string | undefined): string {
  const bits = (model.sizeInBytes * 8) / model.parameterCount;
  const rows: [string, string][] = [
    ["description", description(model)],
    ["architecture", model.architecture],
    ["parameters", amount(model.parameterCount)],
    ["size", `${bytes(model.sizeInBytes)}, ${bits.toFixed(2)} bits per weight`],
    ["context", `${model.contextLength} tokens`],
    ["layers", `${model.layerCount} of width ${model.embeddingLength}`],
    ["vocabulary", `${model.vocabularySize} tokens`],
    ["special tokens", specialTokens(model)],
    ["chat template", model.chatTemplate === null ? "none" : "yes"],
  ];
  const metadata = [...model.metadata].sort(([a], [b]) => (a < b ? -1 : 1));
  const values = metadata.map(([key, value]) => [key, shortened(value)] as const);
  return [table(rows), ...(memory === undefined ? [] : [memory]), table(values)].join("\n");
}

/** A row for each device, and one for all where there are several. */
function memoryTable(memory: MemoryEstimate, { sequences = 1 }: InfoFlags): string {
  const { contextSize, gpuLayers, perDevice, checkpoints } = memory;
  const layers = gpuLayers === "all" ? "all layers" : counted(gpuLayers, "layer");
  const title = [
    `memory with a context of ${counted(contextSize, "token")}`,
    counted(sequences, "sequence"),
    ...(perDevice.length > 1
      ? [`${layers} on ${perDevice.some(({ type }) => type === "rpc") ? "devices" : "GPUs"}`]
      : []),
  ].join(", ");
  const row = ({ model, kvCache, compute }: Omit<DeviceMemory, "name" | "type" | "memoryFree">) =>
    [model, kvCache, compute, model + kvCache + compute].map(bytes);
  const rows = [
    ["", "model", "KV cache", "compute", "together", "free now"],
    ...perDevice.map((device) => [device.name, ...row(device), bytes(device.memoryFree)]),
    ...(perDevice.length > 1 ? [["together", ...row(memory), ""]] : []),
  ];
  const more =
    checkpoints > 0 ? `\nand up to ${bytes(checkpoints)} for checkpoints, as they are taken` : "";
  return `${title}\n${columns(rows)}${more}`;
}

/** llama.cpp words one only for weights that are loaded. */
function description(model: Model): string {
  return model.description || `${model.architecture} ${amount(model.parameterCount)}`;
}

function specialTokens(model: Model): string {
  return Object.entries(model.specialTokens)
    .filter((entry): entry is [string, number] => entry[1] !== null)
    .map(([name, token]) => `${name} ${model.detokenize([token], { special: true })} (${token})`)
    .join(", ");
}
