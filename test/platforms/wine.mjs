// Runs a Windows program under wine as if it were one of this system: `wine.mjs PROGRAM.exe ARG…`.
// node.exe under wine can open no pipe as its stdin, stdout or stderr, so files take their place:
// input is read to its end first, and output comes when the program has ended.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";
import { winePrefix, wineProgram } from "./tools.mjs";

const folder = mkdtempSync(path.join(tmpdir(), "cria-wine-"));
const file = (name) => path.join(folder, name);
writeFileSync(file("in"), readFileSync(0));
const streams = [openSync(file("in"), "r"), openSync(file("out"), "w"), openSync(file("err"), "w")];

// Who kills this process kills that one, too.
const command = ["setpriv", "--pdeathsig", "KILL", wineProgram, ...process.argv.slice(2)];
const child = spawn(command[0], command.slice(1), {
  stdio: streams,
  env: { ...process.env, WINEDEBUG: "-all", WINEPREFIX: winePrefix },
});
const [code, signal] = await once(child, "exit");
for (const stream of streams) closeSync(stream);
process.stdout.write(readFileSync(file("out")));
process.stderr.write(readFileSync(file("err")));
rmSync(folder, { recursive: true, force: true });
process.exitCode = signal === null ? code : 128 + constants.signals[signal];
