import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Backend } from "./native.js";

/** A native file that may be loaded. */
export interface EngineFile {
  readonly path: string;
  /** Of a backend's package: it gives way to the next unless it finds a GPU. */
  readonly packaged?: Backend;
}

/** A native file, or the package that should have one, and why it was not loaded. */
export interface SkippedEngine {
  /** The file, or the package's folder; its name where it is not installed. */
  readonly path: string;
  /** What was wrong, in the system's own words where they are its. */
  readonly problem: string;
}

/** Those that are published as packages of their own, `cria-cuda` and `cria-vulkan`, in the order of "auto". */
const PACKAGED = ["cuda", "vulkan"] as const satisfies readonly Backend[];
/** What they are built for, as their own `os` and `cpu` say. */
export const PACKAGED_FOR: readonly string[] = ["linux-x64"];

/** Whether an engine for it is a package of its own. */
export function isPackaged(backend: string | undefined): boolean {
  return (PACKAGED as readonly (string | undefined)[]).includes(backend);
}

/** The others are in cria's own prebuild: Metal's on macOS, elsewhere the CPU's. */
export const BACKENDS: readonly Backend[] = [...PACKAGED, "metal", "cpu"];

/**
 * The package's folder, whatever file of it this code runs in. A bundle has it in a file of its own, and
 * the package beside it. `file` is "" in a bundle of ES modules, which has no name of its own.
 */
export function packageRoot(file: string): string {
  const from = file || program() || process.execPath;
  const own = resolve(dirname(from), "..");
  if (isPackage(own)) return own;
  return packageSeenFrom(from, "cria") ?? own;
}

/** The program's file, which was named to Node by whoever started it. */
function program(): string {
  const [, named = ""] = process.argv;
  return isAbsolute(named) ? named : "";
}

export function isPackage(folder: string): boolean {
  return manifestOf(folder)?.name === "cria";
}

export function versionOf(folder: string): string | undefined {
  return manifestOf(folder)?.version;
}

/**
 * What may be loaded, best first: a build on this machine, the packages for GPUs, cria's own prebuild. What is
 * there but does not fit goes to `skipped`.
 */
export function engineFiles(
  root: string,
  env: NodeJS.ProcessEnv,
  { wanted, skipped }: { wanted: Backend | "auto"; skipped: SkippedEngine[] },
): EngineFile[] {
  if (env.CRIA_BINARY) return [{ path: resolve(env.CRIA_BINARY) }];
  const found = resolvedByNodeGyp(root, root);
  const own = found === undefined ? [] : [{ path: unpacked(found) }];
  const packages: EngineFile[] = [];
  for (const backend of PACKAGED) {
    if (wanted !== "auto" && wanted !== backend) continue;
    const path = packaged(root, backend, { insisted: wanted === backend, skipped });
    if (path !== undefined) packages.push({ path: unpacked(path), packaged: backend });
  }
  const built = found !== undefined && relative(root, found).split(sep)[0] === "build";
  return built ? [...own, ...packages] : [...packages, ...own];
}

/** The platforms that the package has prebuilds for, as `linux-x64`. */
export function prebuiltPlatforms(root: string): string[] {
  try {
    return readdirSync(join(root, "prebuilds")).sort();
  } catch {
    return [];
  }
}

/** The engine of the package `cria-cuda` or `cria-vulkan`, which must be of this version. */
function packaged(
  root: string,
  backend: Backend,
  { insisted, skipped }: { insisted: boolean; skipped: SkippedEngine[] },
): string | undefined {
  const name = `cria-${backend}`;
  const folder = packageSeenFrom(join(root, "package.json"), name);
  const own = versionOf(root);
  if (folder === undefined) {
    // Who has none, and asks for none, need not hear of it.
    if (insisted) skipped.push({ path: name, problem: notInstalled(name, own) });
    return undefined;
  }
  const version = versionOf(folder);
  if (own !== version) {
    const problem = `is of version ${version}, cria of ${own}: npm install ${name}@${own}`;
    skipped.push({ path: folder, problem });
    return undefined;
  }
  const path = resolvedByNodeGyp(root, folder);
  if (path === undefined) {
    const problem = `has no engine for ${process.platform}-${process.arch}`;
    skipped.push({ path: folder, problem });
  }
  return path;
}

function notInstalled(name: string, version: string | undefined): string {
  const target = `${process.platform}-${process.arch}`;
  return PACKAGED_FOR.includes(target)
    ? `is not installed: npm install ${name}@${version}`
    : `is not installed, and not built for ${target}`;
}

/** Where node-gyp-build, which the package at `root` depends on, finds the engine of `folder`. */
function resolvedByNodeGyp(root: string, folder: string): string | undefined {
  try {
    const nodeGypBuild = createRequire(join(root, "package.json"))("node-gyp-build") as {
      resolve(directory: string): string;
    };
    return nodeGypBuild.resolve(folder);
  } catch {
    return undefined; // it throws where there is neither a build nor a prebuild
  }
}

/** Electron packs an app into an archive that no library can be loaded from; natives lie beside it. */
function unpacked(path: string): string {
  const outside = path.replace(/\.asar(?=[\\/])/, ".asar.unpacked");
  return existsSync(outside) ? outside : path;
}

/**
 * The folder of an installed package, as this file sees it, or the program that runs. Never as the working directory
 * does: that may be anybody's folder, and native code that lies there would be loaded.
 */
function packageSeenFrom(file: string, name: string): string | undefined {
  for (const from of [file, program()]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // Not from there.
    }
  }
  return undefined;
}

function manifestOf(folder: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
}
