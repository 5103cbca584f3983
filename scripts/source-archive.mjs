import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The paths of a commit that are shipped, and a file beside them, as a tar.xz. From the commit, not from
 * the files: nothing that somebody changed there can slip in.
 */
export async function packSource({ source, commit, shipped, stamp, archive }) {
  const work = await mkdtemp(path.join(os.tmpdir(), "cria-pack-"));
  try {
    const plain = path.join(work, "source.tar");
    const options = ["--format=tar", `--add-file=${stamp}`, `--output=${plain}`];
    await run("git", ["archive", ...options, commit, "--", ...shipped], { cwd: source });
    // CMake, which will unpack it, knows xz on every platform: a third smaller than with gzip.
    const tree = await mkdtemp(path.join(work, "tree-"));
    await run("cmake", ["-E", "tar", "xf", plain], { cwd: tree });
    const list = path.join(work, "files");
    await writeFile(list, (await filesIn(tree)).join("\n"));
    const packed = ["tar", "cJf", archive, "--format=gnutar", `--files-from=${list}`];
    await run("cmake", ["-E", ...packed], { cwd: tree });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function filesIn(tree) {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(tree, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}
