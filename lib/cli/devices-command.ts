import type { Command } from "commander";
import { adviceOn } from "../internal/engine-failure.js";
import type { SkippedEngine } from "../internal/engine-files.js";
import {
  type Device,
  engineInfo,
  listDevices,
  listWorkerDevices,
  type WorkerDevice,
} from "../model/devices.js";
import { addCommonFlags, type CommonFlags } from "./flags.js";
import { Terminal } from "./terminal/terminal.js";
import { bytes } from "./terminal/units.js";

interface DevicesFlags extends CommonFlags {
  json?: boolean;
}

export function addDevicesCommand(program: Command): void {
  const command = program
    .command("devices")
    .description("tell which engine is loaded and what it can compute on")
    .argument("[worker...]", "workers to ask, too, as rpc://host:port")
    .option("--json", "one JSON object");
  addCommonFlags(command).action(devices);
}

async function devices(workers: readonly string[], flags: DevicesFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const engine = engineInfo();
  const found: (Device | WorkerDevice)[] = listDevices();
  for (const worker of workers) found.push(...(await listWorkerDevices(worker)));
  if (flags.json) return terminal.writeJson({ engine, devices: found });
  const lines = [
    `engine  ${engine.backend}, llama.cpp ${engine.llamaCpp}`,
    `        ${engine.path}`,
    `        ${engine.cpuLevel}: ${engine.cpuFeatures.join(" ")}`,
    ...engine.skipped.flatMap(notUsed),
    ...found.map(
      ({ name, type, description, memoryFree, memoryTotal }) =>
        `${name}  ${type}, ${description}, ${bytes(memoryFree)} of ${bytes(memoryTotal)} free`,
    ),
  ];
  await terminal.write(`${lines.join("\n")}\n`);
}

/** Why an engine, most often a GPU's, was passed over, and what to do about it. */
function notUsed(engine: SkippedEngine): string[] {
  const advice = adviceOn(engine);
  const lines = [`skipped ${engine.path}`, `        ${engine.problem}`];
  return advice === undefined ? lines : [...lines, `        ${advice}`];
}
