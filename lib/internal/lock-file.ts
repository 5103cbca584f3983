import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm } from "node:fs/promises";

/**
 * Writes a new file, all of it or nothing: on a full disk it would be there, and empty. Rejects with the system's
 * EEXIST where there is one.
 */
export async function createLockFile(path: string, text: string): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(text);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** If somebody has replaced the stale lock since it was read, theirs is put back. */
export async function takeLockAway(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, "utf8")) !== stale) await link(aside, path);
  } catch {
    // Somebody else was quicker: the next try sees their lock.
  } finally {
    await rm(aside, { force: true });
  }
}
