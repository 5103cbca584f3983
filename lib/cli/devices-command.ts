import type { Command } from "commander";
import { engineInfo, listDevices } from "../model/devices.js";
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
    .option("--json", "one JSON object");
  addCommonFlags(command).action(devices);
}

async function devices(flags: DevicesFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const engine = engineInfo();
  const found = listDevices();
  if (flags.json) return terminal.writeJson({ engine, devices: found });
  const lines = [
    `engine  ${engine.backend}, llama.cpp ${engine.llamaCpp}`,
    `        ${engine.path}`,
    `        ${engine.cpuFeatures.join(" ")}`,
    ...found.map(
      ({ name, type, description, memoryFree, memoryTotal }) =>
        `${name}  ${type}, ${description}, ${bytes(memoryFree)} of ${bytes(memoryTotal)} free`,
    ),
  ];
  await terminal.write(`${lines.join("\n")}\n`);
}
