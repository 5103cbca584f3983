// Names that npm takes for a new package.

import { builtinModules } from "node:module";
import { ProblemError } from "./problem.mjs";

const LENGTH_MAX = 214;
const RESERVED = ["node_modules", "favicon.ico", "cria"];

/** Why npm would refuse it, or undefined. "cria" itself could not depend on cria. */
export function problemOfName(name) {
  if (name === "") return "it is empty";
  if (name.length > LENGTH_MAX) return `it is longer than ${LENGTH_MAX} characters`;
  if (!/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name)) {
    return "a name has lower-case letters, digits, -, _, . and ~, begins with neither . nor _, and may have a scope (@me/app)";
  }
  if (RESERVED.includes(name) || builtinModules.includes(name)) return "it is taken";
  return undefined;
}

export function checkName(name) {
  const problem = problemOfName(name);
  if (problem === undefined) return name;
  throw new ProblemError(
    `${JSON.stringify(name)} is no name for a package: ${problem}. Give one with --name`,
    2,
  );
}

/** A folder's name as a package's, as near as can be. */
export function nameFromFolder(folder) {
  return folder
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9._~-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "")
    .slice(0, LENGTH_MAX);
}
