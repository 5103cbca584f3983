#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { setLogHandler } from "../backend.js";
import { addBatchCommand } from "./batch.js";
import { addChatCommand } from "./chat.js";
import { addDevicesCommand } from "./devices.js";
import { reportFailure } from "./failure.js";
import { addGenerateCommand } from "./generate.js";
import { addInfoCommand } from "./info.js";
import { takeInterrupts } from "./interrupt.js";
import { addModerateCommand } from "./moderate.js";
import { exitOnBrokenOutput } from "./terminal.js";

const { version } = createRequire(import.meta.url)("cria/package.json") as { version: string };

exitOnBrokenOutput();
takeInterrupts();

const program = new Command("cria")
  .description("A baby llama: llama.cpp inside Node.")
  .version(version)
  .configureOutput({
    outputError: (message, write) => write(message.replace(/^error: /, "cria: ")),
  })
  .exitOverride()
  .showHelpAfterError("(--help tells what there is)")
  .addHelpText(
    "after",
    "\nExit codes: 0 ok, 1 failed, 2 wrong usage, 3 unsafe (moderate), 130 interrupted. " +
      "CRIA_DEBUG=1 tells more.",
  );

if (process.env.CRIA_DEBUG === "1") {
  program.hook("preAction", () => {
    setLogHandler((level, message) => process.stderr.write(`${level}: ${message.trimEnd()}\n`));
  });
}

// Settings of the program are copied to its commands as they are added, so they come first.
addGenerateCommand(program);
addChatCommand(program);
addBatchCommand(program);
addModerateCommand(program);
addInfoCommand(program);
addDevicesCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
