// What a source build needs besides Node: found, or named with the way to get it.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { targets } from "./targets.mjs";

const run = promisify(execFile);
const oldestCMake = [3, 19];

/** Standard output, or null where the program is missing or fails. */
async function answer(command, args) {
  try {
    return (await run(command, args)).stdout;
  } catch {
    return null;
  }
}

const howToGet = {
  git: {
    linux: "sudo apt-get install git   (or: dnf install git, apk add git)",
    darwin: "xcode-select --install",
    win32: "winget install Git.Git",
  },
  cmake: {
    linux: "sudo apt-get install cmake   (or: dnf install cmake, apk add cmake)",
    darwin: "brew install cmake",
    win32: "winget install Kitware.CMake",
  },
  compiler: {
    linux:
      "sudo apt-get install build-essential   (or: dnf install gcc-c++ make, apk add build-base)",
    darwin: "xcode-select --install",
    win32: 'Visual Studio Build Tools with "Desktop development with C++"',
  },
};

function missing(tool, what) {
  const hint = howToGet[tool][process.platform] ?? howToGet[tool].linux;
  return `${what}\n      ${hint}`;
}

async function checkGit() {
  return (await answer("git", ["--version"])) ? null : missing("git", "git is missing.");
}

async function checkCMake() {
  const needed = `CMake ${oldestCMake.join(".")} or newer`;
  const output = await answer("cmake", ["--version"]);
  const version = output?.match(/(\d+)\.(\d+)(\.\d+)?/);
  if (!version) return missing("cmake", `${needed} is missing.`);
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const recent = major > oldestCMake[0] || (major === oldestCMake[0] && minor >= oldestCMake[1]);
  return recent ? null : missing("cmake", `${needed} is needed, this one is ${version[0]}.`);
}

const probe = `#include <filesystem>
#include <optional>
#include <string_view>
int main() {
  if constexpr (std::optional<std::string_view> text = "cria"; sizeof(text) > 0) {
    return std::filesystem::path(*text).empty();
  }
}
`;

async function checkCompiler() {
  if (process.platform === "win32") return null; // CMake finds Visual Studio, we would not
  const names = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  if (await compiles(names)) return null;
  return missing("compiler", `A C++17 compiler is missing (tried ${names.join(", ")}).`);
}

async function checkCrossCompiler(target) {
  const { compiler, debianPackage } = targets[target];
  if (await compiles([compiler])) return null;
  const what = `The compiler for ${target} is missing (tried ${compiler}).`;
  return `${what}\n      Debian, Ubuntu: sudo apt-get install ${debianPackage}`;
}

/** Compiles something, because a compiler without its C++ library is a common half of one. */
async function compiles(names) {
  const directory = await mkdtemp(path.join(tmpdir(), "cria-probe-"));
  try {
    const source = path.join(directory, "probe.cpp");
    await writeFile(source, probe);
    for (const name of names) {
      const [command, ...flags] = name.trim().split(/\s+/);
      const object = path.join(directory, "probe.o");
      const args = [...flags, "-std=c++17", "-c", source, "-o", object];
      if ((await answer(command, args)) !== null) return true;
    }
    return false;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function checkMake() {
  if (process.platform === "win32" || process.env.CMAKE_GENERATOR) return null;
  const found = (await hasNinja()) || (await answer("make", ["--version"])) !== null;
  return found ? null : missing("compiler", "Neither make nor ninja is there.");
}

/** Throws one message that names everything missing. `target`: a name of scripts/targets.mjs. */
export async function checkToolchain({ git, target }) {
  const compiler = target ? checkCrossCompiler(target) : checkCompiler();
  const checks = [git ? checkGit() : null, checkCMake(), compiler, checkMake()];
  const problems = (await Promise.all(checks)).filter(Boolean);
  if (problems.length === 0) return;
  throw new Error(
    `The engine cannot be built from source on this machine:\n${problems
      .map((problem) => `  - ${problem}`)
      .join("\n")}`,
  );
}

export async function hasNinja() {
  return (await answer("ninja", ["--version"])) !== null;
}
