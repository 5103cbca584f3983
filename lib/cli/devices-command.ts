import type { Command } from "commander";
import type { SkippedEngine } from "../internal/engine-files.js";
import type { Device, WorkerDevice } from "../model/devices.js";
import { addCommonFlags, type CommonFlags } from "./flags.js";
import { Terminal } from "./terminal/terminal.js";
import { bytes } from "./terminal/units.js";
import { visible } from "./terminal/visible.js";

interface DevicesFlags extends CommonFlags {
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ cria devices
  $ cria devices --json | jq -r .engine.cpuLevel`;

const GPU_PACKAGES =
  "        To compute on a GPU: npm install cria-vulkan, or cria-cuda for NVIDIA's";

export function addDevicesCommand(program: Command): void {
  const command = program
    .command("devices")
    .description("tell which engine is loaded and what it can compute on")
    .argument("[worker...]", "workers to ask, too, as rpc://host:port")
    .option("--json", "one JSON object");
  addCommonFlags(command).addHelpText("after", EXAMPLES).action(devices);
}

async function devices(workers: readonly string[], flags: DevicesFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const { engineInfo, listDevices, listWorkerDevices } = await import("../model/devices.js");
  const { adviceOn } = await import("../internal/engine-failure.js");
  const { PACKAGED_FOR } = await import("../internal/engine-files.js");
  const engine = engineInfo();
  const found: (Device | WorkerDevice)[] = listDevices();
  for (const worker of workers) found.push(...(await listWorkerDevices(worker)));
  if (flags.json) return terminal.writeJson({ engine, devices: found });
  // Where a package of a GPU's engine is installed, `skipped` says why it is not used.
  const target = `${process.platform}-${process.arch}`;
  const { CRIA_BACKEND, CRIA_BINARY } = process.env;
  const chosen = (CRIA_BACKEND || "auto") !== "auto" || CRIA_BINARY;
  const without = engine.backend === "cpu" && engine.skipped.length === 0 && !chosen;
  const lines = [
    `engine  ${engine.backend}, llama.cpp ${engine.llamaCpp}`,
    `        ${visible(engine.path)}`,
    `        ${engine.cpuLevel}: ${engine.cpuFeatures.join(" ")}`,
    ...(without && PACKAGED_FOR.includes(target) ? [GPU_PACKAGES] : []),
    ...engine.skipped.flatMap((skipped) => notUsed(skipped, adviceOn(skipped))),
    ...found.map(
      ({ name, type, description, memoryFree, memoryTotal }) =>
        `${visible(name)}  ${type}, ${visible(description)}, ${bytes(memoryFree)} of ${bytes(memoryTotal)} free`,
    ),
  ];
  await terminal.write(`${lines.join("\n")}\n`);
}

/** Why an engine, most often a GPU's, was passed over, and what to do about it. */
function notUsed(engine: SkippedEngine, advice: string | undefined): string[] {
  const lines = [`skipped ${visible(engine.path)}`, `        ${visible(engine.problem)}`];
  return advice === undefined ? lines : [...lines, `        ${advice}`];
}
