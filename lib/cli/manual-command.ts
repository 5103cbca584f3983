import type { Command } from "commander";
import { manualPage } from "./manual-page.js";
import { outlineOf, outlinesOf } from "./program-outline.js";
import { Terminal } from "./terminal/terminal.js";

const HELP = `
Examples:
  $ cria man | man -l -
  $ cria man > /usr/local/share/man/man1/cria.1`;

export function addManualCommand(program: Command): void {
  program
    .command("man")
    .description("print the manual page, in roff")
    .addHelpText("after", HELP)
    .action(async () => {
      const facts = {
        version: program.version() ?? "",
        description: program.description(),
        commands: outlinesOf(program),
        notes: outlineOf(program).notes,
      };
      await new Terminal({}).write(manualPage(facts));
    });
}
