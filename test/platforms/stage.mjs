// The package as npm would install it, in an empty project with the programs that are run there.

import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { root, work } from "./work.mjs";

const project = path.join(work, "project");

/** `engines`: files by their place in the package. Answers the programs' paths. */
export async function stagePackage(engines) {
  const modules = path.join(project, "node_modules");
  const installed = path.join(modules, "cria");
  await rm(project, { recursive: true, force: true });
  await mkdir(modules, { recursive: true });
  // Else "cria" would be the checkout that this folder lies in.
  await writeFile(path.join(project, "package.json"), '{ "private": true }\n');
  for (const name of ["package.json", "dist"]) {
    await cp(path.join(root, name), path.join(installed, name), { recursive: true });
  }
  for (const [place, file] of Object.entries(engines)) {
    await cp(file, path.join(installed, place));
  }
  // All that it loads beside itself when no command line is asked for.
  for (const name of ["node-gyp-build", "@eslint-community/regexpp"]) {
    const folder = path.join(root, "node_modules", name);
    await cp(folder, path.join(modules, name), { recursive: true });
  }
  const programs = {};
  for (const name of ["basics", "level"]) {
    programs[name] = path.join(project, `${name}.mjs`);
    await cp(path.join(root, "test", "platforms", `${name}.mjs`), programs[name]);
  }
  return programs;
}
