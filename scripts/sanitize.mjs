// Runs tests under sanitizers: the programs of test/native, the addon in the children of test/lifetime
// and test/hostile, which have the sanitizer's runtime preloaded, and, with both address and undefined,
// the short part of the native fuzzers. `--short` leaves out what takes longest.
//
//   node scripts/sanitize.mjs address | undefined | address,undefined | thread [--short]
//     [suites, and options of jest's]

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { findClang, programs, root, sanitizerEnvironment } from "./clang.mjs";

/** The runtime that an uninstrumented node loads before all else, and how much slower all is. */
const kinds = {
  address: { preload: "asan", patience: 8 },
  undefined: { preload: "ubsan_standalone", patience: 4 },
  "address,undefined": { preload: "asan", patience: 10 },
  thread: { patience: 20 },
};

/**
 * clang 14's own TSan ends any program that was not built with it before its main(): GCC's, whose
 * interface is the same, does not.
 */
function preloadOf(names, clang) {
  if (names !== "thread") return clang.runtime(kinds[names].preload);
  const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch];
  const found = [`/usr/lib/${machine}-linux-gnu/libtsan.so.2`].find(existsSync);
  if (found === undefined)
    throw new Error("libtsan.so.2 is missing:\n  sudo apt-get install libtsan2");
  return found;
}

function run(command, args, env = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  if (error) throw error;
  return status ?? signal;
}

function main([names, ...rest]) {
  const kind = kinds[names];
  if (kind === undefined) throw new Error(`Expected one of ${Object.keys(kinds).join("; ")}.`);
  const clang = findClang();
  const { CC, CXX } = clang;
  const fuzzes = names === "address,undefined";
  const build = ["scripts/build.mjs", "--sanitize", names, "--tests"];
  if (fuzzes) build.push("--fuzzers");
  if (run(process.execPath, build, { CC, CXX }) !== 0) return 1;

  const bin = programs(names.replace(",", "-"));
  const env = {
    ...sanitizerEnvironment(clang),
    CRIA_TEST_PROGRAMS: bin,
    CRIA_BINARY: path.join(bin, "cria.node"),
    CRIA_TEST_PRELOAD: preloadOf(names, clang),
    CRIA_TEST_PATIENCE: String(kind.patience),
    ...(rest.includes("--short") && { CRIA_TEST_SHORT: "1" }),
  };
  const given = rest.filter((argument) => argument !== "--short");
  const suites = ["test/native/", "test/lifetime/", "test/hostile/"];
  if (fuzzes) suites.push("test/fuzz/native/");
  const named = given.some((argument) => !argument.startsWith("-"));
  const jest = ["node_modules/jest/bin/jest.js", ...given, ...(named ? [] : suites)];
  return run(process.execPath, jest, env);
}

try {
  process.exitCode = main(process.argv.slice(2)) === 0 ? 0 : 1;
} catch (error) {
  console.error(`cria: ${error.message}`);
  process.exitCode = 1;
}
