// What this machine needs to run other platforms' programs, and the Debian package that has it.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { targets } from "../../scripts/targets.mjs";
import { root, work } from "./work.mjs";

export const wineProgram = "/usr/lib/wine/wine64";
/** Gives the program that is its argument pipes that it can open (wine-pipes.c). */
export const winePipes = path.join(work, "wine-pipes.exe");
/** Wine's drive C: and registry, of these tests alone. */
export const winePrefix = path.join(work, "wine-prefix");

const tools = {
  wine: { debianPackage: "wine64", files: [wineProgram] },
  qemu: { debianPackage: "qemu-user-static", files: ["/usr/bin/qemu-aarch64-static"] },
  qemuX64: { debianPackage: "qemu-user-static", files: ["/usr/bin/qemu-x86_64-static"] },
  // Its C library, which qemu looks for in /usr/aarch64-linux-gnu.
  arm64Libraries: { debianPackage: "libc6-arm64-cross", files: ["/usr/aarch64-linux-gnu/lib"] },
};

/** The Debian packages that are missing of these tools. */
export function missingPackages(names) {
  return names
    .map((name) => tools[name])
    .filter(({ files }) => !files.every(existsSync))
    .map(({ debianPackage }) => debianPackage);
}

/** Makes the folder that wine works in, once, as a Windows 10, and what stands between its pipes and ours. */
export async function startWine() {
  await mkdir(winePrefix, { recursive: true });
  buildWinePipes();
  if (existsSync(path.join(winePrefix, "system.reg"))) return;
  const env = { ...process.env, WINEDEBUG: "-all", WINEPREFIX: winePrefix };
  const { status } = spawnSync(wineProgram, ["winecfg", "-v", "win10"], { env, stdio: "ignore" });
  if (status !== 0) throw new Error(`wine could not set up ${winePrefix}.`);
}

function buildWinePipes() {
  const source = path.join(root, "test", "platforms", "wine-pipes.c");
  const args = ["-x", "c", source, "-O1", "-Wall", "-Werror", "-s", "-o", winePipes];
  const compiler = targets["win32-x64"].compiler.replace("g++", "gcc");
  const { status, stderr, error } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${compiler} could not build ${winePipes}: ${error ?? stderr}`);
}
