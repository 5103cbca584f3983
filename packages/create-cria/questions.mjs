// Asks at a terminal for what the flags leave open; without a terminal, what is missing is an error.

import { createInterface } from "node:readline/promises";
import { problemOfName } from "./package-name.mjs";
import { ProblemError } from "./problem.mjs";
import { checkFolder, defaultName } from "./project.mjs";
import { TEMPLATES, templateOf } from "./templates.mjs";

/** The person pressed Ctrl-C or Ctrl-D. */
export class LeftError extends Error {}

/** `{ folder, template, name, cria }`, complete and checked as far as a terminal can ask again. */
export async function askFor(given, { input, output }) {
  if (given.template !== undefined) templateOf(given.template);
  if (given.folder !== undefined) checkFolder(given.folder);
  const open = given.folder === undefined || given.template === undefined;
  if (!open) return given;
  if (!input.isTTY) {
    const missing = given.folder === undefined ? "a folder" : "--template";
    throw new ProblemError(
      `Expected ${missing}, and there is no terminal to ask at: npm create cria my-app -- --template script`,
      2,
    );
  }
  const terminal = createInterface({ input, output });
  const left = new AbortController();
  terminal.once("close", () => left.abort());
  terminal.once("SIGINT", () => terminal.close());
  const ask = async (question) => {
    try {
      return (await terminal.question(question, { signal: left.signal })).trim();
    } catch (error) {
      if (!left.signal.aborted) throw error;
      output.write("\n");
      throw new LeftError();
    }
  };
  try {
    const folder = given.folder ?? (await askFolder(ask, output));
    const template = given.template ?? (await askTemplate(ask, output));
    const name = given.name ?? (await askName(ask, output, defaultName(folder)));
    return { ...given, folder, template, name };
  } finally {
    terminal.close();
  }
}

async function askFolder(ask, output) {
  for (;;) {
    const folder = (await ask("Folder (my-cria-app): ")) || "my-cria-app";
    try {
      checkFolder(folder);
      return folder;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      output.write(`${error.message}\n`);
    }
  }
}

async function askTemplate(ask, output) {
  for (const [i, { name, about }] of TEMPLATES.entries()) {
    output.write(`  ${i + 1}  ${name.padEnd(9)} ${about}\n`);
  }
  for (;;) {
    const answer = (await ask("Template (1): ")) || "1";
    const found = TEMPLATES[Number(answer) - 1] ?? TEMPLATES.find(({ name }) => name === answer);
    if (found) return found.name;
    output.write(`A number from 1 to ${TEMPLATES.length}, or a name.\n`);
  }
}

/** Only where the folder's own name will not do. */
async function askName(ask, output, name) {
  for (let wanted = name; ; wanted = await ask("Name of the package: ")) {
    const problem = problemOfName(wanted);
    if (problem === undefined) return wanted;
    output.write(`${JSON.stringify(wanted)} is no name for a package: ${problem}.\n`);
  }
}
