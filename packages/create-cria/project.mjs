// Writes a project: a template's files, with the package's name and the version of cria put in.

import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { checkName, nameFromFolder } from "./package-name.mjs";
import { ProblemError } from "./problem.mjs";
import { templateOf } from "./templates.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));

export const { version: VERSION } = JSON.parse(
  readFileSync(path.join(HERE, "package.json"), "utf8"),
);

/** What may be there before: a repository that was just begun. */
const HARMLESS = [".git", ".DS_Store", "Thumbs.db"];

/** The folder's full path, once it is known that nothing in it can be lost. */
export function checkFolder(folder) {
  const full = path.resolve(folder);
  let entries;
  try {
    entries = readdirSync(full);
  } catch (error) {
    if (error.code === "ENOENT") return full;
    if (error.code === "ENOTDIR") throw new ProblemError(`${full} is a file, not a folder`);
    throw new ProblemError(`${full} cannot be read: ${error.message}`);
  }
  const others = entries.filter((name) => !HARMLESS.includes(name));
  if (others.length === 0) return full;
  const some = `${others.slice(0, 3).join(", ")}${others.length > 3 ? ", …" : ""}`;
  throw new ProblemError(`${full} is not empty (${some}): name a new folder, or empty this one`);
}

/** What a project in this folder is called unless told otherwise. */
export const defaultName = (folder) => nameFromFolder(path.basename(path.resolve(folder)));

/**
 * Nothing is written before everything is checked.
 *
 * @throws {ProblemError} a folder that is not empty or cannot be written, a name or a template that there is not
 */
export async function writeProject({ folder, template, name, cria = `^${VERSION}` }) {
  const full = checkFolder(folder);
  const source = path.join(HERE, "templates", templateOf(template).name);
  const packageName = checkName(name ?? defaultName(folder));
  if (cria.trim() === "") throw new ProblemError("Expected a version for --cria, got nothing", 2);
  try {
    mkdirSync(full, { recursive: true });
    cpSync(source, full, {
      recursive: true,
      // npm would leave a .gitignore out of the package, so it has no dot here.
      filter: (file) => path.basename(file) !== "gitignore",
    });
    writeFileSync(path.join(full, ".gitignore"), readFileSync(path.join(source, "gitignore")));
    const manifestFile = path.join(full, "package.json");
    const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
    manifest.name = packageName;
    manifest.dependencies.cria = cria;
    writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
  } catch (error) {
    if (error.code === undefined) throw error;
    throw new ProblemError(`The project cannot be written: ${error.message}`);
  }
  const files = readdirSync(full, { recursive: true })
    .filter((file) => !/^\.git([\\/]|$)/.test(file))
    .filter((file) => statSync(path.join(full, file)).isFile());
  return { folder: full, files };
}
