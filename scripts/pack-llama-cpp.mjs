// Around `npm pack`: adds the part of llama.cpp that a build from source needs to the package, so
// that nobody who installs it has to fetch anything else. With --remove: takes it away again.

import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import {
  buildLock,
  ensureLlamaCpp,
  readPin,
  sourceArchive,
  sourceDirectory,
  stampName,
} from "./fetch-llama-cpp.mjs";
import { withLock } from "./lock.mjs";

const run = promisify(execFile);
const log = (line) => console.error(`cria: ${line}`);

if (process.argv.includes("--remove")) {
  await rm(sourceArchive, { force: true });
} else {
  if (process.env.LLAMA_CPP_DIR) throw new Error("Packing takes the pinned llama.cpp only.");
  const { commit, shipped } = await readPin();
  await withLock(buildLock, log, () => ensureLlamaCpp({ log }));
  // From the commit, not from the files: nothing that somebody changed there can slip in.
  const stamp = `--add-file=${path.join(sourceDirectory, stampName)}`;
  const args = ["archive", "--format=tar.gz", "-9", stamp, `--output=${sourceArchive}`, commit];
  await run("git", [...args, "--", ...shipped], { cwd: sourceDirectory });
}
