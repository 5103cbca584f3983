import type { Command } from "commander";
import type { GgufTensor, GgufValue } from "../hub/gguf/gguf-header.js";
import { type GgufInfo, inspectGguf } from "../hub/gguf/inspect-gguf.js";
import { addCommonFlags, type CommonFlags, MODEL_ARGUMENT } from "./flags.js";
import { addHubFlags, type HubFlags, hubOptionsOf } from "./pull-command.js";
import { interruptible } from "./terminal/interrupt.js";
import { columns, shortened, table } from "./terminal/tables.js";
import { Terminal } from "./terminal/terminal.js";
import { amount, bytes } from "./terminal/units.js";

interface InspectFlags extends CommonFlags, HubFlags {
  json?: boolean;
  tensors?: boolean;
}

const HELP = `
Only the file's header is read, also of a file elsewhere, and no engine is needed. What the engine makes of a model,
and the memory that it takes: cria info.`;

export function addInspectCommand(program: Command): void {
  const command = program
    .command("inspect")
    .description("tell what a GGUF file holds: its metadata and its tensors")
    .argument("<model>", MODEL_ARGUMENT)
    .option("--tensors", "list all tensors")
    .option("--json", "one JSON object, nothing shortened but arrays of the metadata");
  addHubFlags(command);
  addCommonFlags(command).addHelpText("after", HELP).action(inspect);
}

async function inspect(reference: string, flags: InspectFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const options = await hubOptionsOf(flags);
  const info = await interruptible((signal) => inspectGguf(reference, { ...options, signal }));
  if (flags.json) await terminal.writeJson(toJson(info, flags.tensors ?? false));
  else await terminal.write(toText(info, flags.tensors ?? false));
}

function toJson({ metadata, tensors, ...facts }: GgufInfo, withTensors: boolean) {
  return {
    ...facts,
    // JSON has no integers of 64 bits.
    metadata: JSON.parse(
      JSON.stringify(Object.fromEntries(metadata), (_, value) =>
        typeof value === "bigint" ? String(value) : value,
      ),
    ) as unknown,
    ...(withTensors && { tensors }),
  };
}

function toText(info: GgufInfo, withTensors: boolean): string {
  const bits = (info.sizeInBytes * 8) / Math.max(1, info.parameterCount);
  const facts: [string, string][] = [
    ...info.files.map((file): [string, string] => [
      "file",
      `${file.name}, ${bytes(file.sizeInBytes)}`,
    ]),
    ["name", info.name ?? "none"],
    ["architecture", info.architecture || "none"],
    ["quantization", info.quantization || "none"],
    ["parameters", amount(info.parameterCount)],
    ["size", `${bytes(info.sizeInBytes)}, ${bits.toFixed(2)} bits per weight`],
    ["context", `${info.contextLength} tokens`],
    ["layers", `${info.layerCount} of width ${info.embeddingLength}`],
    ["vocabulary", `${info.vocabularySize} tokens`],
    ["chat template", info.chatTemplate === null ? "none" : "yes"],
  ];
  const values = [...info.metadata].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    table(facts),
    columns(withTensors ? tensorRows(info.tensors) : typeRows(info.tensors)),
    table(values.map(([key, value]) => [key, shortened(valueText(value))])),
  ].join("\n");
}

/** What of which type there is, the largest first. */
function typeRows(tensors: readonly GgufTensor[]): string[][] {
  const types = new Map<string, { count: number; elements: number; bytes: number }>();
  for (const tensor of tensors) {
    const sum = types.get(tensor.type) ?? { count: 0, elements: 0, bytes: 0 };
    types.set(tensor.type, {
      count: sum.count + 1,
      elements: sum.elements + elementsOf(tensor),
      bytes: sum.bytes + (tensor.bytes ?? 0),
    });
  }
  const rows = [...types].sort(([, a], [, b]) => b.bytes - a.bytes);
  return [
    ["type", "tensors", "parameters", "size"],
    ...rows.map(([type, sum]) => [
      ...[type, String(sum.count), amount(sum.elements), bytes(sum.bytes)],
    ]),
  ];
}

function tensorRows(tensors: readonly GgufTensor[]): string[][] {
  return [
    ["tensor", "type", "shape", "offset", "size"],
    ...tensors.map(({ name, type, shape, offset, bytes: length }) => [
      ...[name, type, shape.join(" × "), String(offset)],
      length === null ? "unknown" : bytes(length),
    ]),
  ];
}

function elementsOf({ shape }: GgufTensor): number {
  return shape.reduce((product, length) => product * length, 1);
}

function valueText(value: GgufValue): string {
  if (typeof value !== "object") return String(value);
  const shown = value.values.slice(0, 8).map((one) => JSON.stringify(String(one)));
  const isText = value.type === "string";
  const texts = isText ? shown : value.values.slice(0, 8).map(String);
  const more = value.length > texts.length ? ", …" : "";
  return `${value.length} × ${value.type}: ${texts.join(", ")}${more}`;
}
