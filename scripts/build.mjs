// Builds the engine: `node scripts/build.mjs [options] [-- CMake arguments]`. Says nothing when
// nothing changed. CMakeLists.txt describes the build; this only finds the tools and runs them.

import { spawn } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildLock, ensureLlamaCpp, sourceDirectory } from "./fetch-llama-cpp.mjs";
import { withLock } from "./lock.mjs";
import { targets } from "./targets.mjs";
import { checkToolchain, hasNinja } from "./toolchain.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const checkout = existsSync(path.join(root, ".git"));
const log = (line) => console.error(`cria: ${line}`);

const usage = `Usage: node scripts/build.mjs [options] [-- CMake arguments]

  --cuda, --vulkan, --metal  this backend (CRIA_CUDA=1, CRIA_VULKAN=1, CRIA_METAL=1);
                             on macOS the default is metal, elsewhere cpu (CRIA_METAL=0: cpu)
  --portable                 instructions that prebuilds may use, not this machine's (CRIA_NATIVE=off)
  --target NAME              for another machine than this: linux-arm64 or win32-x64, at the
                             prebuilds' level, in .build/NAME; the .node goes to prebuilds/
  --tests                    the programs of test/native too
  --sanitize NAMES           address, undefined, address,undefined or thread, in a folder of
                             its own, .build/address and so on, where the .node stays in bin/
  --fuzzers                  the programs of test/fuzz/native too (clang)
  --unless-built             nothing to do where an engine is there that loads
  --out FILE                 where the .node goes (build/Release/cria.node)
  --help

LLAMA_CPP_DIR builds another llama.cpp than the pinned one. CC, CXX and CMAKE_GENERATOR are honoured.`;

function flag(name) {
  const value = process.env[name]?.toLowerCase();
  if (value === undefined || value === "") return undefined;
  return !["0", "off", "false", "no"].includes(value);
}

function readOptions() {
  const { values, positionals } = parseArgs({
    options: {
      cuda: { type: "boolean" },
      vulkan: { type: "boolean" },
      metal: { type: "boolean" },
      portable: { type: "boolean" },
      target: { type: "string" },
      tests: { type: "boolean" },
      sanitize: { type: "string" },
      fuzzers: { type: "boolean" },
      "unless-built": { type: "boolean" },
      out: { type: "string" },
      help: { type: "boolean" },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const backends = ["cuda", "vulkan", "metal"];
  const named = backends.filter((backend) => values[backend]);
  const wanted = named.length
    ? named
    : backends.filter((name) => flag(`CRIA_${name.toUpperCase()}`));
  if (wanted.length > 1) {
    throw new Error(`One build makes one backend, not ${wanted.join(" and ")}.`);
  }
  const usual = process.platform === "darwin" && flag("CRIA_METAL") !== false ? "metal" : "cpu";
  const backend = wanted[0] ?? usual;
  const native = values.portable ? false : (flag("CRIA_NATIVE") ?? true);
  // The usual backend's folder has one name everywhere: tests find their programs in it.
  const kind = backend === usual ? "local" : backend;
  const options = {
    backend,
    native,
    tests: values.tests ?? false,
    fuzzers: values.fuzzers ?? false,
    unlessBuilt: values["unless-built"] ?? false,
    directory: path.join(root, ".build", native ? kind : `${kind}-portable`),
    out: path.resolve(root, values.out ?? path.join("build", "Release", "cria.node")),
    cmakeArguments: positionals,
  };
  if (values.target) return crossed(options, values);
  return values.sanitize ? sanitized(options, values.sanitize) : options;
}

/** In a folder of its own: CMake keeps one toolchain per folder. */
function crossed(options, { target, out }) {
  if (!Object.hasOwn(targets, target)) {
    throw new Error(`--target is ${Object.keys(targets).join(" or ")}, not ${target}.`);
  }
  const toolchain = path.join(root, "cmake", "toolchains", `${target}.cmake`);
  return {
    ...options,
    target,
    native: false,
    directory: path.join(root, ".build", target),
    out: path.resolve(root, out ?? targets[target].engine),
    cmakeArguments: [`-DCMAKE_TOOLCHAIN_FILE=${toolchain}`, ...options.cmakeArguments],
  };
}

/** At the prebuilds' level of instructions, so that a report on one machine is one on all. */
function sanitized(options, names) {
  const directory = path.join(root, ".build", names.replaceAll(",", "-"));
  const fuzz = names === "address,undefined" ? ["-DCRIA_FUZZ=ON"] : [];
  return {
    ...options,
    native: false,
    directory,
    out: path.join(directory, "bin", "cria.node"),
    cmakeArguments: [`-DCRIA_SANITIZE=${names}`, ...fuzz, ...options.cmakeArguments],
  };
}

/** Runs a command, hands over its lines, keeps all of them in a file. */
async function run(command, args, { logFile, onLine = () => {} }) {
  // An outer make would share its jobs with ours, and npm's own progress with ninja's.
  const { MAKEFLAGS, MFLAGS, MAKELEVEL, ...env } = process.env;
  const child = spawn(command, args, {
    cwd: root,
    env: { ...env, NINJA_STATUS: "[%f/%t] ", CRIA_NODE_DIRECTORY: path.dirname(process.execPath) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const file = createWriteStream(logFile, { flags: "a" });
  file.write(`$ ${[command, ...args].join(" ")}\n`);
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      file.write(text);
      const parts = (rest + text).split(/\r?\n/);
      rest = parts.pop();
      for (const line of parts) {
        lines.push(line);
        onLine(line);
      }
    });
    stream.on("end", () => rest && lines.push(rest));
  }
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(signal ?? status));
  });
  await new Promise((resolve) => file.end(resolve));
  return { code, lines };
}

/** Configures when the options differ from the last time; CMake itself notices changed files. */
async function configure(options, source) {
  const { directory, backend, native } = options;
  const on = (value) => (value ? "ON" : "OFF");
  const cmakePath = (name) => name.replaceAll(path.sep, "/");
  const args = [
    "-S",
    root,
    "-B",
    directory,
    "-DCMAKE_BUILD_TYPE=Release",
    `-DCRIA_NATIVE=${on(native)}`,
    `-DCRIA_CUDA=${on(backend === "cuda")}`,
    `-DCRIA_VULKAN=${on(backend === "vulkan")}`,
    `-DCRIA_METAL=${on(backend === "metal")}`,
    `-DCRIA_TESTS=${on(checkout)}`,
    `-DLLAMA_CPP_DIR=${cmakePath(source)}`,
    ...options.cmakeArguments,
  ];
  const ninja = process.platform !== "win32" && (await hasNinja());
  if (ninja && !process.env.CMAKE_GENERATOR) args.push("-G", "Ninja");
  const { CC, CXX, CMAKE_GENERATOR } = process.env;
  const stamp = path.join(directory, "configured.json");
  const state = JSON.stringify({ args, CC, CXX, CMAKE_GENERATOR });
  const before = await readFile(stamp, "utf8").catch(() => null);
  if (before === state) return;

  const vulkan = backend === "vulkan" ? options.cmakeArguments : undefined;
  await checkToolchain({ git: false, target: options.target, vulkan });
  // CMake remembers compilers and folders of its first run, the wrong ones, too.
  await rm(path.join(directory, "CMakeCache.txt"), { force: true });
  await rm(path.join(directory, "CMakeFiles"), { recursive: true, force: true });
  const logFile = path.join(directory, "configure.log");
  await rm(logFile, { force: true });
  const { code, lines } = await run("cmake", args, { logFile });
  if (code !== 0) {
    throw new Error(`CMake could not configure the build:\n${lines.slice(-40).join("\n")}`);
  }
  await writeFile(stamp, state);
}

const builtFile = ({ directory }) => path.join(directory, "bin", "cria.node");

/** Lines of ninja ("[3/138] Building …") and make ("[ 12%] Building …"). */
const step = /^\[\s*(?:(\d+)\/(\d+)|(\d+)%)\] (.*)/;

async function compile(options) {
  const jobs = Math.max(
    1,
    Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 30)),
  );
  const targets = ["cria"];
  if (options.tests) targets.push("cria-tests");
  if (options.fuzzers) targets.push("cria-fuzzers");
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ? [] : ["--parallel", String(jobs)];
  const args = ["--build", options.directory, "--config", "Release", "--target", ...targets];
  const logFile = path.join(options.directory, "build.log");
  await rm(logFile, { force: true });

  const first = !existsSync(builtFile(options));
  const started = Date.now();
  let quarters = -1; // shown so far, -1: nothing had to be built yet
  const onLine = (line) => {
    const found = step.exec(line);
    if (!found || !/^(Building|Linking)/.test(found[4])) return;
    if (quarters < 0) {
      log(`building the ${options.backend} engine${first ? ", this takes minutes" : ""}`);
      quarters = 0;
    }
    const percent = Number(found[3] ?? Math.floor((100 * found[1]) / found[2]));
    if (!first || percent < 25 * (quarters + 1) || percent === 100) return;
    quarters = Math.floor(percent / 25);
    log(`${percent} %`);
  };
  const { code, lines } = await run("cmake", [...args, ...parallel], { logFile, onLine });
  // Neither steps nor what CMake says when it looks again.
  const remarks = lines.filter((line) => !/^(\[\s*\d|-- |CMAKE_BUILD_TYPE=|$)/.test(line));
  if (code !== 0) {
    throw new Error(`The build failed (all of it: ${logFile}):\n${remarks.slice(-60).join("\n")}`);
  }
  if (quarters < 0) return;
  log(`built in ${Math.round((Date.now() - started) / 1000)} s`);
  if (checkout && remarks.some((line) => line.includes("warning:"))) log(remarks.join("\n"));
}

/** By rename, because a running process may have the old file mapped. */
async function install(from, to) {
  if (from === to) return;
  const source = await stat(from);
  const target = await stat(to).catch(() => null);
  const near = target && Math.abs(target.mtimeMs - source.mtimeMs) < 1; // a copy loses nanoseconds
  if (near && target.size === source.size) return;
  const partial = `${to}.${process.pid}`;
  await mkdir(path.dirname(to), { recursive: true });
  try {
    await copyFile(from, partial);
    await utimes(partial, source.atimeMs / 1000, source.mtimeMs / 1000);
    await rename(partial, to);
  } finally {
    await rm(partial, { force: true });
  }
}

/** An installed package is built once: 90 MB of sources and objects would stay for nothing. */
async function tidy(directory, source) {
  const unpacked = source === sourceDirectory ? [source] : [];
  for (const folder of [directory, ...unpacked]) {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What `node-gyp-build-test` asks, which tells a missing one with a stack. */
function loads() {
  // Where it names no level the engine refuses to load, and building another would not help.
  delete process.env.CRIA_CPU_LEVEL;
  try {
    createRequire(import.meta.url)("node-gyp-build")(root);
    return true;
  } catch {
    return false;
  }
}

async function build() {
  const options = readOptions();
  if (options.unlessBuilt && loads()) return;
  await mkdir(options.directory, { recursive: true });
  await withLock(buildLock, log, async () => {
    const source = await ensureLlamaCpp({ log });
    await configure(options, source);
    await compile(options);
    await install(builtFile(options), options.out);
    if (!checkout) await tidy(options.directory, source);
  });
}

try {
  await build();
} catch (error) {
  log(error.message);
  process.exitCode = 1;
}
