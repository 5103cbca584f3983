// Programs of other platforms as programs of this one: shell scripts that put the emulator in front.

import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { winePipes, winePrefix, wineProgram } from "./tools.mjs";
import { root, work } from "./work.mjs";

const emulators = {
  qemu: ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
  qemuX64: ["qemu-x86_64-static"],
  // Who kills whoever started it kills it, too.
  wine: [
    ...["env", "WINEDEBUG=-all", `WINEPREFIX=${winePrefix}`, "setpriv", "--pdeathsig", "KILL"],
    ...[wineProgram, winePipes],
  ],
};

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

async function write(file, command, defaults = {}) {
  const sets = Object.entries(defaults).map(
    ([name, value]) => `[ -n "\${${name}+set}" ] || export ${name}=${quoted(value)}\n`,
  );
  const words = ["exec", ...command.map(quoted), '"$@"'];
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${sets.join("")}${words.join(" ")}\n`);
  await chmod(file, 0o755);
  return file;
}

/** The platform's runtime, which loads `engine` where a script takes the checkout's library. */
export function nodeLauncher(platform, { executable, engine, name = "node" }) {
  const emulator = emulators[platform.emulator] ?? [];
  const command = [...emulator, executable, ...(platform.arguments ?? [])];
  const sockets = path.join(root, "test", "platforms", "wine-sockets.cjs");
  return write(path.join(work, platform.name, name), command, {
    CRIA_BINARY: engine,
    ...(platform.emulator === "wine" && { NODE_OPTIONS: `--require="${sockets}"` }),
  });
}

/** The folder of launchers for the programs of test/native that were built in `folder`. */
export async function programLaunchers(platform, folder) {
  const launchers = path.join(work, platform.name, "programs");
  for (const file of await readdir(folder)) {
    const name = /^(cria-[\w-]+)(\.exe)?$/.exec(file)?.[1];
    if (name === undefined) continue;
    const command = [...emulators[platform.emulator], path.join(folder, file)];
    await write(path.join(launchers, name), command);
  }
  return launchers;
}
