#!/usr/bin/env node
// npm create cria: a folder with a project that runs. What the flags leave open is asked at a terminal.

import { realpathSync } from "node:fs";
import { stdin, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { nextSteps, packageManager } from "./package-manager.mjs";
import { ProblemError } from "./problem.mjs";
import { VERSION, writeProject } from "./project.mjs";
import { askFor, LeftError } from "./questions.mjs";
import { TEMPLATES } from "./templates.mjs";

const HELP = `Usage: npm create cria [FOLDER] -- [options]

Writes a project that uses cria into FOLDER, which has to be new or empty.

Options:
  --template <name>  ${TEMPLATES.map(({ name }) => name).join(", ")}
  --name <name>      the package's name (default: the folder's)
  --cria <what>      which cria to depend on: a version, or file:../cria-${VERSION}.tgz (default: ^${VERSION})
  --version          the version of create-cria, which is that of cria
  --help             this text

Templates:
${TEMPLATES.map(({ name, about }) => `  ${name.padEnd(9)} ${about}`).join("\n")}

At a terminal, what is left open is asked. Exit codes: 0 ok, 1 failed, 2 wrong usage, 130 interrupted.
`;

function readArguments(args) {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        template: { type: "string", short: "t" },
        name: { type: "string" },
        cria: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    });
  } catch (error) {
    throw new ProblemError(error.message, 2);
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) {
    const all = positionals.join(", ");
    throw new ProblemError(`Expected one folder, got ${positionals.length}: ${all}`, 2);
  }
  return { ...values, ...(positionals.length > 0 && { folder: positionals[0] }) };
}

/** The command. Gives the status that the process ends with. */
export async function main(args, { input, output, error, env }) {
  try {
    const { help, version, ...given } = readArguments(args);
    if (help || version) {
      output.write(help ? HELP : `${VERSION}\n`);
      return 0;
    }
    const answers = await askFor(given, { input, output });
    const { folder, files } = await writeProject(answers);
    const manager = packageManager(env.npm_config_user_agent);
    output.write(`Wrote ${files.length} files into ${folder}\n\n`);
    output.write(nextSteps({ ...answers, folder, manager }));
    return 0;
  } catch (thrown) {
    if (thrown instanceof LeftError) return 130;
    if (!(thrown instanceof ProblemError)) throw thrown;
    error.write(`create-cria: ${thrown.message}\n`);
    if (thrown.status === 2) error.write("(--help tells what there is)\n");
    return thrown.status;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2), {
    input: stdin,
    output: stdout,
    error: process.stderr,
    env: process.env,
  });
}
