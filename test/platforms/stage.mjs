// The package as npm would install it, in an empty project with the programs that are run there.

import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
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
  await unpackTarball(modules);
  for (const [place, file] of Object.entries(engines)) {
    await cp(file, path.join(installed, place));
  }
  await installDependencies(root, modules);
  const programs = {};
  for (const name of ["checks", "basics", "features", "level"]) {
    programs[name] = path.join(project, `${name}.mjs`);
    await cp(path.join(root, "test", "platforms", `${name}.mjs`), programs[name]);
  }
  await build({
    entryPoints: [path.join(root, "test", "platforms", "fixtures.ts")],
    outfile: path.join(project, "fixtures.cjs"),
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20.3",
    logLevel: "warning",
  });
  return programs;
}

/** Of what is published all but llama.cpp's source, which the scripts would add. */
async function unpackTarball(modules) {
  const run = promisify(execFile);
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", work];
  const { stdout } = await run("npm", args, { cwd: root, maxBuffer: 1 << 24 });
  const tarball = path.join(work, JSON.parse(stdout)[0].filename);
  await run("tar", ["-xzf", tarball, "-C", modules]);
  await rename(path.join(modules, "package"), path.join(modules, "cria"));
  await rm(tarball);
}

/** What the package in `folder` depends on, and what that depends on, from this checkout's. */
async function installDependencies(folder, modules) {
  const { dependencies = {} } = JSON.parse(
    await readFile(path.join(folder, "package.json"), "utf8"),
  );
  for (const name of Object.keys(dependencies)) {
    const from = path.join(root, "node_modules", name);
    await cp(from, path.join(modules, name), { recursive: true });
    await installDependencies(from, modules);
  }
}
