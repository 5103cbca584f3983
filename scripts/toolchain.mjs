// What a source build needs besides Node: found, or named with the way to get it.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
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
  vulkan: {
    linux:
      "sudo apt-get install libvulkan-dev glslc spirv-headers   (Debian 13, Ubuntu 25.04 or newer), or the SDK:\n" +
      "      https://vulkan.lunarg.com, whose setup-env.sh sets VULKAN_SDK",
    darwin: "the Vulkan SDK: https://vulkan.lunarg.com",
    win32: "winget install KhronosGroup.VulkanSDK",
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
  const names = compilers();
  if (await compiles(names)) return null;
  return missing("compiler", `A C++17 compiler is missing (tried ${names.join(", ")}).`);
}

async function checkCrossCompiler(target) {
  const { compiler, debianPackage } = targets[target];
  if (await compiles([compiler])) return null;
  const what = `The compiler for ${target} is missing (tried ${compiler}).`;
  return `${what}\n      Debian, Ubuntu: sudo apt-get install ${debianPackage}`;
}

/** Older headers lack this type, which ggml uses. */
const vulkanProbe = `#include <vulkan/vulkan.hpp>
vk::LayerSettingEXT setting;
`;

/** What ggml's Vulkan backend is built from, wherever CMake will look for it. */
async function checkVulkan(cmakeArguments) {
  const given = (name) =>
    cmakeArguments.find((argument) => argument.startsWith(`-D${name}=`))?.split("=")[1];
  const sdk = process.env.VULKAN_SDK;
  const inSdk = (...names) => (sdk ? path.join(sdk, ...names) : undefined);
  const lacks = [];

  const glslc = given("Vulkan_GLSLC_EXECUTABLE") ?? inSdk("bin", "glslc") ?? "glslc";
  if ((await answer(glslc, ["--version"])) === null) lacks.push("glslc");
  const spirv = given("SPIRV-Headers_DIR");
  const configs = [
    ...(spirv ? [spirv] : []),
    ...[sdk, "/usr", "/usr/local", "/opt/homebrew"].flatMap((prefix) =>
      prefix
        ? ["share", "lib"].map((name) => path.join(prefix, name, "cmake", "SPIRV-Headers"))
        : [],
    ),
  ];
  if (!configs.some((folder) => existsSync(path.join(folder, "SPIRV-HeadersConfig.cmake")))) {
    lacks.push("SPIRV-Headers");
  }
  if (process.platform !== "win32") {
    const include = given("Vulkan_INCLUDE_DIR") ?? inSdk("include");
    const flags = include ? [`-I${include}`] : [];
    if (!(await compiles(compilers(), { source: vulkanProbe, flags }))) {
      lacks.push("headers of Vulkan (those of 1.4.309 do)");
    }
  }
  if (lacks.length === 0) return null;
  return missing("vulkan", `For --vulkan there is no ${lacks.join(", no ")}.`);
}

const compilers = () => (process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"]);

/** Compiles something, because a compiler without its C++ library is a common half of one. */
async function compiles(names, { source: text = probe, flags: more = [] } = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), "cria-probe-"));
  try {
    const source = path.join(directory, "probe.cpp");
    await writeFile(source, text);
    for (const name of names) {
      const [command, ...flags] = name.trim().split(/\s+/);
      const object = path.join(directory, "probe.o");
      const args = [...flags, ...more, "-std=c++17", "-c", source, "-o", object];
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

/**
 * Throws one message that names everything missing. `target`: a name of scripts/targets.mjs; `vulkan`: CMake's
 * arguments, where that backend is built.
 */
export async function checkToolchain({ git, target, vulkan }) {
  const compiler = target ? checkCrossCompiler(target) : checkCompiler();
  const checks = [git ? checkGit() : null, checkCMake(), compiler, checkMake()];
  if (vulkan) checks.push(checkVulkan(vulkan));
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
