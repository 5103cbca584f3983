// What this machine needs to run other platforms' programs, and the Debian package that has it.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { work } from "./work.mjs";

export const wineProgram = "/usr/lib/wine/wine64";
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

/** Makes the folder that wine works in, once, as a Windows 10. */
export async function startWine() {
  if (existsSync(path.join(winePrefix, "system.reg"))) return;
  await mkdir(winePrefix, { recursive: true });
  const env = { ...process.env, WINEDEBUG: "-all", WINEPREFIX: winePrefix };
  const { status } = spawnSync(wineProgram, ["winecfg", "-v", "win10"], { env, stdio: "ignore" });
  if (status !== 0) throw new Error(`wine could not set up ${winePrefix}.`);
}
