import type { Command, Option } from "commander";

/** What completion scripts and the manual say of a command, read off the program itself. */
export interface CommandOutline {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly ArgumentOutline[];
  readonly options: readonly OptionOutline[];
  /** What its --help says behind the options. */
  readonly notes: string;
}

export interface ArgumentOutline {
  /** As its usage writes it, such as `<model>`. */
  readonly term: string;
  readonly description: string;
  readonly choices: readonly string[];
}

export interface OptionOutline {
  /** As --help writes them, such as `-o, --output <file>`. */
  readonly flags: string;
  readonly names: readonly string[];
  readonly description: string;
  /** Whether something comes behind it. */
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** The commands that --help lists, but for `help` itself. */
export function outlinesOf(program: Command): CommandOutline[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .filter((command) => command.name() !== "help")
    .map(outlineOf);
}

export function outlineOf(command: Command): CommandOutline {
  const help = command.createHelp();
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      term: termOf(argument.name(), argument),
      description: argument.description,
      choices: argument.argChoices ?? [],
    })),
    options: help.visibleOptions(command).map(optionOutline),
    notes: notesOf(command),
  };
}

function termOf(name: string, { variadic, required }: { variadic: boolean; required: boolean }) {
  const whole = variadic ? `${name}...` : name;
  return required ? `<${whole}>` : `[${whole}]`;
}

function optionOutline(option: Option): OptionOutline {
  const { flags, short, long, argChoices, required, optional } = option;
  const names = flags.split(/[ ,|]+/).filter((name) => name.startsWith("-"));
  return {
    flags,
    names: names.length > 0 ? names : [short, long].filter((name) => name !== undefined),
    description: option.description + defaultOf(option),
    takesValue: required || optional,
    choices: argChoices ?? [],
  };
}

function defaultOf({ defaultValue, defaultValueDescription, negate }: Option): string {
  if (defaultValue === undefined || negate || typeof defaultValue === "boolean") return "";
  return ` (default: ${defaultValueDescription ?? String(defaultValue)})`;
}

/** Texts behind the help are known to nobody but its listeners, so that it is written and cut. */
function notesOf(command: Command): string {
  let written = "";
  const before = command.configureOutput();
  const writeOut = (text: string) => {
    written += text;
  };
  command.configureOutput({ ...before, writeOut });
  command.outputHelp();
  command.configureOutput(before);
  return written.slice(command.helpInformation().length).trim();
}
