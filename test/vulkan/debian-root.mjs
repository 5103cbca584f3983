// Debian 13's glslc, headers, loader and Mesa, unpacked into a folder of their own: what this system has may
// be older (Debian 12's headers and glslc cannot build ggml's backend, and its lavapipe crashes). Needs
// neither root nor a chroot: programs are given that folder's dynamic linker and libraries.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { debianMirror } from "../support/debian-mirror.mjs";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const base = path.join(checkout, ".build", "debian-13");
const root = path.join(base, "root");
const libraries = path.join(root, "usr", "lib", "x86_64-linux-gnu");
const linker = path.join(libraries, "ld-linux-x86-64.so.2");
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const packages = ["glslc", "libvulkan-dev", "mesa-vulkan-drivers", "spirv-headers"];

function run(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error) throw error;
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}\nended with ${status}:\n${stderr}${stdout}`);
}

/** What has to be installed first, or null. */
export function obstacle() {
  if (process.platform !== "linux" || process.arch !== "x64") return "it is for Linux x64 alone";
  for (const [name, file] of [
    ["apt", "/usr/bin/apt-get"],
    ["dpkg", "/usr/bin/dpkg"],
    ["debian-archive-keyring", keyring],
  ]) {
    if (!existsSync(file)) return `${file} is missing: sudo apt-get install ${name}`;
  }
  return null;
}

/** apt with lists and archives of its own, on a system where nothing is installed. */
async function fetchPackages() {
  const at = (...names) => path.join(base, ...names);
  await rm(at("cache"), { recursive: true, force: true }); // all that is there is unpacked
  await mkdir(at("state", "lists", "partial"), { recursive: true });
  await mkdir(at("cache", "archives", "partial"), { recursive: true });
  await writeFile(at("sources.list"), `deb [signed-by=${keyring}] ${debianMirror()} trixie main\n`);
  // Headers depend on Python, for a generator that nobody runs.
  const python = ["Package: python3", "Status: install ok installed", "Architecture: amd64"];
  python.push("Multi-Arch: allowed", "Maintainer: none", "Version: 99", "Description: none", "");
  await writeFile(at("status"), python.join("\n"));
  const options = Object.entries({
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64",
    "APT::Sandbox::User": "",
    "Debug::NoLocking": "1",
    "Dir::Cache": at("cache"),
    "Dir::Etc::sourcelist": at("sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State": at("state"),
    "Dir::State::status": at("status"),
  }).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  run("apt-get", [...options, "update"]);
  const install = ["install", "--yes", "--download-only", "--no-install-recommends"];
  run("apt-get", [...options, ...install, ...packages]);
  const archives = at("cache", "archives");
  const files = await readdir(archives);
  return files.filter((name) => name.endsWith(".deb")).map((name) => path.join(archives, name));
}

/**
 * Writes a program that runs another on the folder's C library and libraries. Not by LD_LIBRARY_PATH, which this
 * system's programs would inherit.
 */
export async function writeLauncher(file, program, ...args) {
  const words = [linker, "--library-path", libraries, program, ...args].map((word) => `'${word}'`);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
  await chmod(file, 0o755);
}

/** Only lavapipe, wherever the folder lies. */
async function writeDriver() {
  const folder = path.join(root, "usr", "share", "vulkan", "icd.d");
  const names = ["lvp_icd.json", "lvp_icd.x86_64.json"].map((name) => path.join(folder, name));
  const icd = JSON.parse(await readFile(names.find(existsSync), "utf8"));
  icd.ICD.library_path = path.join(libraries, path.basename(icd.ICD.library_path));
  await writeFile(driver, JSON.stringify(icd));
}

const driver = path.join(base, "lavapipe.json");
const stamp = path.join(base, "complete.json");
const glslc = path.join(base, "bin", "glslc");
const node = path.join(base, "bin", "node");
const preload = path.join(base, "exec-path.cjs");

/** Made once; 60 MB are fetched. */
export async function debianRoot(log) {
  const state = await readFile(stamp, "utf8").then(JSON.parse, () => null);
  let mesa = state?.mesa;
  if (JSON.stringify(state?.packages) !== JSON.stringify(packages)) {
    log("fetching Debian 13's Vulkan and Mesa");
    await rm(stamp, { force: true });
    await rm(root, { recursive: true, force: true });
    await mkdir(root, { recursive: true });
    const archives = await fetchPackages();
    for (const file of archives) run("dpkg", ["-x", file, root]);
    await writeDriver();
    mesa = archives.map((file) => /mesa-vulkan-drivers_([\d.]+)/.exec(file)?.[1]).find(Boolean);
  }
  await writeLauncher(glslc, path.join(root, "usr", "bin", "glslc"));
  // By itself Node would start its children by the linker's name.
  await writeFile(preload, `process.execPath = ${JSON.stringify(node)};\n`);
  await writeLauncher(node, process.execPath, "--require", preload);
  await writeFile(stamp, JSON.stringify({ packages, mesa }));
  const include = path.join(root, "usr", "include");
  return {
    node,
    mesa,
    include,
    cmakeArguments: [
      `-DVulkan_INCLUDE_DIR=${include}`,
      `-DVulkan_LIBRARY=${path.join(libraries, "libvulkan.so")}`,
      `-DVulkan_GLSLC_EXECUTABLE=${glslc}`,
      `-DSPIRV-Headers_DIR=${path.join(root, "usr", "share", "cmake", "SPIRV-Headers")}`,
      // Of the loader, which needs a newer C library than the linker knows here.
      "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined",
    ],
    env: {
      VK_DRIVER_FILES: driver,
      VK_LOADER_LAYERS_DISABLE: "~implicit~", // this system's, for its own C library
      // ggml takes no processor for a GPU unless it is named.
      GGML_VK_VISIBLE_DEVICES: "0",
      MESA_SHADER_CACHE_DIR: path.join(base, "shader-cache"),
    },
  };
}
