import { homedir } from "node:os";
import { join } from "node:path";
import { nearest } from "../internal/option-names.js";
import { UsageError } from "./report-failure.js";

const COMMANDS = {
  reset: { takes: "", does: "forgets the conversation" },
  tools: { takes: "", does: "lists the tools that the model may call" },
  save: { takes: "FILE", does: "writes the conversation to a file, as JSON" },
  load: { takes: "FILE", does: "goes on with the conversation in a file" },
  help: { takes: "", does: "lists these commands" },
  exit: { takes: "", does: "leaves" },
} as const;

type Name = keyof typeof COMMANDS;

/** What a line asks of the program. `file` is empty unless the command takes one. */
export interface ChatCommand {
  readonly name: Name;
  readonly file: string;
}

/** For completion. */
export const SLASH_COMMANDS = Object.entries(COMMANDS).map(([name, { takes }]) => ({
  name,
  takes,
}));

export const COMMANDS_HELP = Object.entries(COMMANDS)
  .map(([name, { takes, does }]) => `  ${`/${name} ${takes}`.padEnd(12)} ${does}`)
  .join("\n");

/**
 * A line that begins with a slash and a word is a command; null: the line is for the model. A space in
 * front makes anything a line for the model.
 */
export function readCommand(line: string): ChatCommand | null {
  const [, word, rest = ""] = /^\/([a-zA-Z]+)(?:\s+(.*))?$/s.exec(line.trimEnd()) ?? [];
  if (word === undefined) return null;
  if (!Object.hasOwn(COMMANDS, word)) {
    const near = nearest(word, Object.keys(COMMANDS));
    const hint = near === undefined ? "/help lists what there is" : `did you mean /${near}?`;
    throw new UsageError(`There is no command /${word}: ${hint}`);
  }
  const name = word as Name;
  const { takes } = COMMANDS[name];
  if (takes === "" && rest !== "") throw new UsageError(`/${name} stands alone on its line.`);
  if (takes !== "" && rest === "") throw new UsageError(`/${name} needs a file: /${name} ${takes}`);
  // A shell would have done so.
  return { name, file: rest.startsWith("~/") ? join(homedir(), rest.slice(2)) : rest };
}
