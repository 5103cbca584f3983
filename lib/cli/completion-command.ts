import { Argument, type Command } from "commander";
import { completionScript, SHELLS, type Shell } from "./completion-scripts.js";
import { outlinesOf } from "./program-outline.js";
import { Terminal } from "./terminal/terminal.js";

const HELP = `
The script is made of what this version has: let the shell ask each time it starts.

Examples:
  $ echo 'source <(cria completion bash)' >> ~/.bashrc
  $ echo 'source <(cria completion zsh)' >> ~/.zshrc      # behind compinit
  $ cria completion fish > ~/.config/fish/completions/cria.fish`;

export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("print a script that lets a shell complete commands and options")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText("after", HELP)
    .action(async (shell: Shell) => {
      await new Terminal({}).write(completionScript(shell, outlinesOf(program)));
    });
}
