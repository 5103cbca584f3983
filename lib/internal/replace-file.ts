import { randomUUID } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { access, lstat, open, readlink, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** More links than any system follows. */
const MAX_LINKS = 40;

/**
 * Writes a file beside its place and moves it there when it is complete. What was there before stays until
 * then, and also if anything goes wrong. If the path is a link, the file that it leads to is replaced. A file
 * that replaces another has its mode and, if allowed, its owner.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  const path = await behindLinks(file);
  const before = await replaced(path, file);
  const temporary = resolve(dirname(path), `.cria-${randomUUID()}.tmp`);
  try {
    const handle = await open(temporary, "wx", before === undefined ? 0o666 : 0o600);
    try {
      if (before !== undefined) {
        // The mode is set last, since a change of owner clears bits of it.
        await handle.chown(before.uid, before.gid).catch(() => {});
        await handle.chmod(before.mode & 0o7777);
      }
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The path that links lead to. There need not be a file. */
async function behindLinks(file: string): Promise<string> {
  let path = resolve(file);
  for (let links = 0; links < MAX_LINKS; links++) {
    const found = await lstat(path).catch(unlessMissing);
    if (found?.isSymbolicLink() !== true) return path;
    path = resolve(dirname(path), await readlink(path));
  }
  throw new Error(`the links of ${file} lead nowhere`);
}

/** The file to be replaced, if any. Pipes and devices are refused. */
async function replaced(path: string, file: string): Promise<Stats | undefined> {
  const stats = await stat(path).catch(unlessMissing);
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw new Error(`${file} is no regular file`);
  // A rename does not ask whether the old file may be written, so that is checked here.
  if ((stats.mode & 0o222) === 0) throw new Error(`${file} is read-only`);
  await access(path, constants.W_OK);
  return stats;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
