import type { CommandOutline } from "./program-outline.js";

export interface ManualFacts {
  readonly version: string;
  readonly description: string;
  readonly commands: readonly CommandOutline[];
  /** Options of every command, of the program itself, and exit codes, as --help tells them. */
  readonly notes: string;
}

/** A manual page in the man macros, section 1. */
export function manualPage({ version, description, commands, notes }: ManualFacts): string {
  const names = commands.map(({ name }) => name);
  return [
    `.TH CRIA 1 "" "cria ${roff(version)}" "User Commands"`,
    ".SH NAME",
    `cria \\- ${roff(description)}`,
    ".SH SYNOPSIS",
    ".B cria",
    `.I command\n[options] [arguments]`,
    ".SH DESCRIPTION",
    `Commands: ${roff(names.join(", "))}.`,
    "\\fBcria \\fIcommand\\fB \\-\\-help\\fR tells the same of one.",
    ...commands.flatMap(section),
    ".SH NOTES",
    ...block(notes),
    "",
  ].join("\n");
}

function section(command: CommandOutline): string[] {
  const terms = command.arguments.map(({ term }) => term).join(" ");
  return [
    `.SH ${roff(command.name.toUpperCase())}`,
    `.B cria ${roff(`${command.name} ${terms}`.trim())}`,
    ".PP",
    `${roff(sentence(command.description))}`,
    ...command.arguments.flatMap(({ term, description }) => entry(term, description)),
    ...command.options.flatMap(({ flags, description, choices }) =>
      entry(flags, withChoices(description, choices)),
    ),
    ...block(command.notes),
  ];
}

function entry(term: string, description: string): string[] {
  return [".TP", `.B ${roff(term)}`, roff(description)];
}

function withChoices(description: string, choices: readonly string[]): string {
  return choices.length === 0 ? description : `${description} (${choices.join(", ")})`;
}

/** As it stands: examples are lines. */
function block(text: string): string[] {
  if (text === "") return [];
  return [".PP", ".nf", ...text.split("\n").map(roff), ".fi"];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** Text in which nothing is a request, and every hyphen is one. */
function roff(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...");
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}
