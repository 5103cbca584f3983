#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { addBatchCommand } from "./batch-command.js";
import { addBenchCommand } from "./bench-command.js";
import { addChatCommand } from "./chat-command.js";
import { addCompletionCommand } from "./completion-command.js";
import { addDevicesCommand } from "./devices-command.js";
import { addEmbedCommand } from "./embed-command.js";
import { addGenerateCommand } from "./generate-command.js";
import { addInfoCommand } from "./info-command.js";
import { addInspectCommand } from "./inspect-command.js";
import { addManualCommand } from "./manual-command.js";
import { addModerateCommand } from "./moderate-command.js";
import { addPullCommand } from "./pull-command.js";
import { addRankCommand } from "./rank-command.js";
import { reportFailure, wantsJson } from "./report-failure.js";
import { addRpcServerCommand } from "./rpc-server-command.js";
import { addServeCommand } from "./serve-command.js";
import { takeInterrupts } from "./terminal/interrupt.js";
import { exitOnBrokenOutput } from "./terminal/terminal.js";
import { harmless } from "./terminal/visible.js";

const { version } = createRequire(__filename)("cria/package.json") as { version: string };

const json = wantsJson(process.argv);

exitOnBrokenOutput({ json });
takeInterrupts();

const program = new Command("cria")
  .description("A baby llama: llama.cpp inside Node.")
  .version(version)
  .configureOutput({
    outputError: (message, write) => write(message.replace(/^error: /, "cria: ")),
    // A program that reads gets one object instead, from reportFailure.
    ...(json && { writeErr: () => {} }),
  })
  .exitOverride()
  .showHelpAfterError("(--help tells what there is)")
  .addHelpText(
    "after",
    "\nExit codes: 0 ok, 1 failed, 2 wrong usage, 3 unsafe (moderate), 130 interrupted. " +
      "CRIA_DEBUG=1 tells more.",
  );

if (process.env.CRIA_DEBUG === "1") {
  program.hook("preAction", async () => {
    const { setLogHandler } = await import("../model/devices.js");
    setLogHandler((level, message) =>
      process.stderr.write(`${level}: ${harmless(message.trimEnd())}\n`),
    );
  });
}

// Settings of the program are copied to its commands as they are added, so they come first.
addGenerateCommand(program);
addChatCommand(program);
addBatchCommand(program);
addEmbedCommand(program);
addRankCommand(program);
addModerateCommand(program);
addServeCommand(program);
addPullCommand(program);
addInspectCommand(program);
addInfoCommand(program);
addBenchCommand(program);
addDevicesCommand(program);
addRpcServerCommand(program);
addCompletionCommand(program);
addManualCommand(program);

program.parseAsync().catch((error) => {
  process.exitCode = reportFailure(error, { json });
});
