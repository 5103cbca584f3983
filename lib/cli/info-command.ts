import type { Command } from "commander";
import { Model } from "../model/model.js";
import { addCommonFlags, type CommonFlags } from "./flags.js";
import { interruptible } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { amount, bytes } from "./terminal/units.js";

interface InfoFlags extends CommonFlags {
  json?: boolean;
}

const LONGEST_VALUE = 72;

export function addInfoCommand(program: Command): void {
  const command = program
    .command("info")
    .description("tell what a model file holds, without loading its weights")
    .argument("<model>", "a GGUF file (of a split model the first part)")
    .option("--json", "one JSON object, nothing shortened");
  addCommonFlags(command).action(info);
}

async function info(path: string, flags: InfoFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const model = await interruptible((signal) => Model.load(path, { vocabOnly: true, signal }));
  try {
    if (flags.json) await terminal.writeJson(toJson(model));
    else await terminal.write(toText(model));
  } finally {
    await model.dispose();
  }
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

function toText(model: Model): string {
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
  return `${table(rows)}\n${table(metadata.map(([key, value]) => [key, shortened(value)]))}`;
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

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}\n`).join("");
}

/** On one line, so that a chat template does not push everything else off the screen. */
function shortened(value: string): string {
  const line = value.replaceAll("\n", "\\n");
  return line.length <= LONGEST_VALUE ? line : `${line.slice(0, LONGEST_VALUE - 1)}…`;
}
