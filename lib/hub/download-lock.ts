import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { throwIfAborted } from "../internal/abort.js";
import type { CriaError } from "../internal/errors.js";
import { createLockFile, takeLockAway } from "../internal/lock-file.js";
import { diskError, failed } from "./download-failures.js";

/** How often a holder shows that it is alive, and after how long without it a lock was left behind. */
const BEAT_MS = 2000;
const STALE_MS = 20_000;
const POLL_MS = 100;
/** How often it is tried to take one away that was left behind. */
const TAKES_MAX = 10;
const BEING_DELETED = ["EPERM", "EBUSY", "EACCES"];

/**
 * One download of a file at a time, also among processes: whoever comes second waits, and then finds the file.
 * The holder touches its lock while it works, since a worker thread that was terminated leaves one in a process
 * that lives on, and a cache on a network drive has holders on other machines. It is not the lock of a batch's output,
 * which refuses instead of waiting; and nothing would be lost without it, since two writers of one content write the
 * same bytes to the same places.
 */
export async function withDownloadLock<T>(
  file: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const own = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  await acquire(file, own, signal);
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(file, now, now).catch(() => {});
  }, BEAT_MS);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    // One that was taken for stale, as after a suspended machine's sleep, is somebody else's now.
    if ((await readFile(file, "utf8").catch(() => "")) === own) await rm(file, { force: true });
  }
}

async function acquire(file: string, own: string, signal: AbortSignal | undefined): Promise<void> {
  // By this process's own clock: the file's times may be another machine's.
  let seen = { text: "", mtimeMs: Number.NaN, since: performance.now() };
  let taken = { text: "", times: 0 };
  for (;;) {
    throwIfAborted(signal);
    if (await create(file, own)) return;
    const text = await readLock(file);
    const mtimeMs = (await stat(file).catch(() => undefined))?.mtimeMs;
    if (text === undefined || mtimeMs === undefined) {
      // Given free meanwhile, or about to be; else it will never be known whose it is.
      if (performance.now() - seen.since > STALE_MS) throw stuck(file);
      await delay(POLL_MS);
      continue;
    }
    if (text !== seen.text || mtimeMs !== seen.mtimeMs) {
      seen = { text, mtimeMs, since: performance.now() };
    }
    if (!isGone(text) && performance.now() - seen.since <= STALE_MS) {
      await delay(POLL_MS);
      continue;
    }
    // Each lock has an id of its own: one that is still there could not be taken away.
    taken = { text, times: text === taken.text ? taken.times + 1 : 1 };
    if (taken.times > TAKES_MAX) throw stuck(file);
    if (taken.times > 1) await delay(POLL_MS);
    await takeLockAway(file, text);
  }
}

/** Undefined where there is none any more. */
async function readLock(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    // Windows: a file that is being deleted.
    if (process.platform === "win32" && BEING_DELETED.includes(code)) return undefined;
    throw stuck(file, error);
  }
}

/** A download that waited for it would wait for ever. */
function stuck(file: string, cause?: unknown): CriaError {
  return failed(
    `The lock ${file} of another download cannot be read or taken away: delete it if nobody downloads there, or ` +
      "give a `directory` of your own",
    { path: file },
    cause,
  );
}

async function create(file: string, own: string): Promise<boolean> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await createLockFile(file, own);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Windows: a file that is being deleted.
    if (code === "EEXIST" || (code === "EPERM" && process.platform === "win32")) return false;
    throw diskError(error, file);
  }
}

/** A holder on this machine whose process has ended. */
function isGone(text: string): boolean {
  try {
    const { pid, host } = JSON.parse(text) as { pid?: unknown; host?: unknown };
    if (host !== hostname() || typeof pid !== "number") return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
