// One build at a time per folder: `npm test` in one terminal and an editor's build in another
// would else compile into the same files. It is not the lock of lib/batch/output/output-lock.ts: that one
// refuses instead of waiting, knows hosts and reused process ids, and is there only once cria is built.

import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** True when the lock is ours, false when it has to be tried again. */
async function tryLock(file) {
  try {
    await writeFile(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const [holder, written] = await Promise.all([
    readFile(file, "utf8").catch(() => ""),
    stat(file).then(
      (stats) => stats.mtimeMs,
      () => Date.now(),
    ),
  ]);
  // Its holder may be between creating and writing; after seconds it was killed there.
  const stale = holder === "" ? Date.now() - written > 5000 : !alive(Number(holder));
  if (stale) await rm(file, { force: true });
  return false;
}

export async function withLock(file, log, work) {
  await mkdir(path.dirname(file), { recursive: true });
  for (let tries = 0; !(await tryLock(file)); tries++) {
    if (tries === 1) log("waiting for another build");
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
