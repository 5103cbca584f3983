import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Backend } from "./native.js";

/** A native file that may be loaded. */
export interface EngineFile {
  readonly path: string;
  /** It gives way to the next unless it finds a GPU. */
  readonly optional: boolean;
}

/** A native file, or the package that should have one, and why it was not loaded. */
export interface SkippedEngine {
  /** The file, or the package's folder. */
  readonly path: string;
  /** What was wrong, in the system's own words where they are its. */
  readonly problem: string;
}

/** Those that are published as packages of their own, `cria-cuda` and `cria-vulkan`, in the order of "auto". */
const PACKAGED = ["cuda", "vulkan"] as const satisfies readonly Backend[];

/** The others are in cria's own prebuild: Metal's on macOS, elsewhere the CPU's. */
export const BACKENDS: readonly Backend[] = [...PACKAGED, "metal", "cpu"];

/**
 * The package's folder, whatever file of it this code runs in. A bundle has it in a file of its own, and
 * the package beside it.
 */
export function packageRoot(file: string): string {
  const own = resolve(dirname(file), "..");
  if (isPackage(own)) return own;
  return packageSeenFrom(file, "cria") ?? own;
}

export function isPackage(folder: string): boolean {
  return manifestOf(folder)?.name === "cria";
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
  if (env.CRIA_BINARY) return [{ path: resolve(env.CRIA_BINARY), optional: false }];
  const found = resolvedByNodeGyp(root, root);
  const own = found === undefined ? [] : [{ path: unpacked(found), optional: false }];
  const packages = PACKAGED.filter((backend) => wanted === "auto" || wanted === backend)
    .map((backend) => packaged(root, backend, skipped))
    .filter((path) => path !== undefined)
    .map((path) => ({ path: unpacked(path), optional: true }));
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
function packaged(root: string, backend: Backend, skipped: SkippedEngine[]): string | undefined {
  const name = `cria-${backend}`;
  const folder = packageSeenFrom(join(root, "package.json"), name);
  if (folder === undefined) return undefined;
  const own = manifestOf(root)?.version;
  const version = manifestOf(folder)?.version;
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

/** The folder of an installed package, as this file sees it, or a program in the working directory. */
function packageSeenFrom(file: string, name: string): string | undefined {
  for (const from of [file, join(process.cwd(), "app.js")]) {
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
