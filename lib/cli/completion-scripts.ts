import type { CommandOutline, OptionOutline } from "./program-outline.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Where a shell looks for what it completes: a file's name is offered wherever nothing else is known. */
export function completionScript(shell: Shell, commands: readonly CommandOutline[]): string {
  return { bash, zsh, fish }[shell](commands);
}

function bash(commands: readonly CommandOutline[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const cases = commands.map((command) => {
    const { name, options } = command;
    const flags = options.flatMap((option) => option.names).join(" ");
    return `    ${name})\n      flags=${quoted(flags)}\n      words=${quoted(choicesOf(command))}\n      case $previous in\n${options
      .filter(({ takesValue }) => takesValue)
      .map((option) => `        ${option.names.join("|")}) ${bashValue(option)};;\n`)
      .join("")}      esac\n      ;;\n`;
  });
  return `# bash completion for cria: source <(cria completion bash)
_cria() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} flags= words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(`${names} help --help --version`)} -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
    help)
      COMPREPLY=($(compgen -W ${quoted(names)} -- "$current"))
      return;;
${cases.join("")}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _cria cria
`;
}

/** What is offered behind an option: its choices, or, where a file is asked for, what is below. */
function bashValue(option: OptionOutline): string {
  if (option.choices.length > 0) {
    return `COMPREPLY=($(compgen -W ${quoted(option.choices.join(" "))} -- "$current")); return`;
  }
  // Numbers and texts are the user's own.
  return takesFile(option) ? "flags= words=" : "return";
}

function zsh(commands: readonly CommandOutline[]): string {
  const names = commands.map(({ name, description }) =>
    quoted(`${name}:${description.replaceAll(":", "\\:")}`),
  );
  const cases = commands.map((command) => {
    const options = command.options.map((option) => `        ${zshOption(option)} \\\n`).join("");
    const words = choicesOf(command);
    const rest = words === "" ? "*:file:_files" : `*:word:(${words})`;
    return `      ${command.name})\n        _arguments -s \\\n${options}        ${quoted(rest)}\n        ;;\n`;
  });
  return `#compdef cria
# zsh completion for cria: source <(cria completion zsh)
_cria() {
  local curcontext=$curcontext state line
  _arguments -C '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a commands
      commands=(${names.join(" ")})
      _describe command commands
      ;;
    rest)
      case $line[1] in
${cases.join("")}      esac
      ;;
  esac
}
if [ "$funcstack[1]" = _cria ]; then _cria "$@"; else compdef _cria cria; fi
`;
}

function zshOption(option: OptionOutline): string {
  const text = option.description.replaceAll(/[[\]:\\]/g, "\\$&");
  const value = option.choices.length > 0 ? `(${option.choices.join(" ")})` : zshFile(option);
  const behind = option.takesValue ? `:value:${value}` : "";
  return option.names.map((name) => quoted(`*${name}[${text}]${behind}`)).join(" ");
}

function zshFile(option: OptionOutline): string {
  return takesFile(option) ? "_files" : " ";
}

function fish(commands: readonly CommandOutline[]): string {
  const lines = ["# fish completion for cria: cria completion fish | source"];
  for (const command of commands) {
    const { name, description, options } = command;
    lines.push(`complete -c cria -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`);
    const here = `complete -c cria -n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
    const words = choicesOf(command);
    if (words !== "") lines.push(`${here} -f -a ${quoted(words)}`);
    for (const option of options) lines.push(`${here} ${fishOption(option)}`);
  }
  return `${lines.join("\n")}\n`;
}

function fishOption(option: OptionOutline): string {
  const names = option.names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const { choices, takesValue } = option;
  const value = takesValue ? (takesFile(option) ? "-r" : "-x") : "";
  const offered = choices.length > 0 ? `-a ${quoted(choices.join(" "))}` : "";
  const parts = [...names, value, offered, `-d ${quoted(option.description)}`];
  return parts.filter((part) => part !== "").join(" ");
}

/** The program says `<file>` and `<model>` where it reads one. */
function takesFile({ flags, choices }: OptionOutline): boolean {
  return choices.length === 0 && /<(file|model|path|folder)/.test(flags);
}

function choicesOf(command: CommandOutline): string {
  return command.arguments.flatMap(({ choices }) => choices).join(" ");
}

/** In single quotes, for all three shells; fish alone knows a backslash in them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
