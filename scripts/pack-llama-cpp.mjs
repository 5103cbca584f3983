// Around `npm pack`: adds the part of llama.cpp that a build from source needs to the package, so
// that nobody who installs it has to fetch anything else. With --remove: takes it away again.

import { rm } from "node:fs/promises";
import path from "node:path";
import {
  buildLock,
  ensureLlamaCpp,
  readPin,
  sourceArchive,
  sourceDirectory,
  stampName,
} from "./fetch-llama-cpp.mjs";
import { withLock } from "./lock.mjs";
import { packSource } from "./source-archive.mjs";

const log = (line) => console.error(`cria: ${line}`);

if (process.argv.includes("--remove")) {
  await rm(sourceArchive, { force: true });
} else {
  if (process.env.LLAMA_CPP_DIR) throw new Error("Packing takes the pinned llama.cpp only.");
  await withLock(buildLock, log, () => ensureLlamaCpp({ log }));
  const { commit, shipped } = await readPin();
  const stamp = path.join(sourceDirectory, stampName);
  await packSource({ source: sourceDirectory, commit, shipped, stamp, archive: sourceArchive });
}
