import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { oneOf } from "./checks.js";
import { CriaError, messageOf } from "./errors.js";
import type { Backend, NativeAddon } from "./native.js";

/** The addon and the file it came from. */
export interface Engine {
  readonly addon: NativeAddon;
  readonly path: string;
}

interface Attempt {
  readonly path: string;
  readonly problem: string;
}

/** This file; "" in a bundle of ES modules, which has none. */
function thisFile(): string {
  return typeof __filename === "string" ? __filename : "";
}

/** The folder of the package. A bundle has this source in a file of its own, and the package beside it. */
export function packageRoot(file: string): string {
  const own = resolve(dirname(file), "..");
  if (isPackage(own)) return own;
  for (const from of [file, join(process.cwd(), "app.js")]) {
    try {
      return dirname(createRequire(from).resolve("cria/package.json"));
    } catch {
      // Not from there.
    }
  }
  return own;
}

function isPackage(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return name === "cria";
  } catch {
    return false;
  }
}

/** The order of "auto". The CPU's is `node.napi.node`, the name every tool expects; it is always there. */
const BACKENDS: readonly Backend[] = ["metal", "cuda", "vulkan", "cpu"];

/** What the x64 prebuilds are compiled for (AVX2 level); a local build fits its machine. */
const PREBUILD_X64_FEATURES = ["avx2", "fma", "f16c", "bmi2"];

let loaded: Engine | undefined;

/**
 * Loads the engine at the first use, so that importing cria never fails. A failure is not remembered:
 * the next use tries again. CRIA_BINARY names the file to load, CRIA_BACKEND the backend.
 */
export function engine(): Engine {
  loaded ??= loadEngine(packageRoot(thisFile()), process.env);
  return loaded;
}

export function loadEngine(root: string, env: NodeJS.ProcessEnv): Engine {
  const wanted = env.CRIA_BACKEND || "auto";
  oneOf(wanted, "CRIA_BACKEND (environment variable)", ["auto", ...BACKENDS]);
  const require = createRequire(join(root, "package.json"));
  const attempts: Attempt[] = [];
  for (const { path, prebuilt } of candidates(require, { root, env, wanted })) {
    if (prebuilt) refuseOldCpu(path);
    try {
      const addon = require(path) as NativeAddon;
      const { backend } = addon.engineInfo();
      if (wanted === "auto" || wanted === backend) return { addon, path };
      attempts.push({
        path,
        problem: `is of the backend ${backend}, CRIA_BACKEND asks for ${wanted}`,
      });
    } catch (error) {
      attempts.push({ path, problem: messageOf(error) });
    }
  }
  throw notFound(root, env, attempts);
}

interface Candidate {
  readonly path: string;
  readonly prebuilt: boolean;
}

function candidates(
  require: NodeJS.Require,
  { root, env, wanted }: { root: string; env: NodeJS.ProcessEnv; wanted: string },
): Candidate[] {
  if (env.CRIA_BINARY) return [{ path: resolve(env.CRIA_BINARY), prebuilt: false }];
  let found: string;
  try {
    const nodeGypBuild = require("node-gyp-build") as { resolve(directory: string): string };
    found = nodeGypBuild.resolve(root);
  } catch {
    return []; // it throws where there is neither a build nor a prebuild
  }
  if (relative(root, found).split(sep)[0] === "build") {
    return [{ path: unpacked(found), prebuilt: false }];
  }
  const backends = wanted === "auto" ? BACKENDS : [wanted];
  return backends
    .map((backend) => ({ path: unpacked(prebuild(found, backend)), prebuilt: true }))
    .filter(({ path }) => existsSync(path));
}

/** The backend is the file's first part, the rest (napi, libc, armv) is what node-gyp-build chose. */
function prebuild(found: string, backend: string): string {
  const rest = basename(found).replace(/^(node|metal|cuda|vulkan)\./, "");
  return join(dirname(found), `${backend === "cpu" ? "node" : backend}.${rest}`);
}

/** Electron packs an app into an archive that no library can be loaded from; natives lie beside it. */
function unpacked(path: string): string {
  const outside = path.replace(/\.asar(?=[\\/])/, ".asar.unpacked");
  return existsSync(outside) ? outside : path;
}

/** Before the load, since the first instruction that the CPU lacks would kill the process. */
function refuseOldCpu(path: string): void {
  if (process.platform !== "linux" || process.arch !== "x64") return;
  let cpuinfo: string;
  try {
    cpuinfo = readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return; // not mounted in some sandboxes
  }
  const missing = missingCpuFeatures(cpuinfo);
  if (missing.length === 0) return;
  throw new CriaError(
    "ERR_UNSUPPORTED_CPU",
    `This CPU lacks ${missing.join(", ")}, which the prebuilt engine needs. Build one for this machine ` +
      "(a C++17 compiler, CMake and git are needed):\n  npm explore cria -- npm run build:native",
    { details: { missing, path } },
  );
}

export function missingCpuFeatures(cpuinfo: string): string[] {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1];
  if (flags === undefined) return [];
  const present = new Set(flags.trim().split(/\s+/));
  return PREBUILD_X64_FEATURES.filter((feature) => !present.has(feature));
}

function notFound(root: string, env: NodeJS.ProcessEnv, attempts: readonly Attempt[]): CriaError {
  const target = `${process.platform}-${process.arch}`;
  const tried = attempts.map(({ path, problem }) => `  ${path}: ${problem}`);
  const lines =
    tried.length > 0
      ? [`No engine of cria could be loaded on ${target}:`, ...tried]
      : [`There is no engine of cria for ${target} in ${root}: neither a build nor a prebuild.`];
  if (env.CRIA_BINARY) {
    lines.push("CRIA_BINARY is set, so only that file was tried: unset it or set it right.");
  } else {
    lines.push(
      "To recover, one of:",
      "  npm rebuild cria",
      "  npm install-scripts approve cria && npm rebuild cria   (npm 12 and later block install scripts)",
      "  npm explore cria -- npm run build:native   (builds from source: C++17 compiler, CMake, git)",
    );
  }
  return new CriaError("ERR_ENGINE_NOT_FOUND", lines.join("\n"), {
    details: { target, root, attempts: attempts.map(({ path, problem }) => ({ path, problem })) },
  });
}
