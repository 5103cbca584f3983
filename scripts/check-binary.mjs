// Checks what a .node exports, imports and needs: `node scripts/check-binary.mjs [--release] [FILE …]`, by
// default this machine's build and the prebuilds that it can read: on Linux those of Linux and
// Windows for any processor, on macOS those of macOS and Windows. Prints one line per file.

import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readPe } from "./pe-file.mjs";

const release = process.argv.includes("--release");
const root = fileURLToPath(new URL("..", import.meta.url));

const exported = ["napi_register_module_v1", "node_api_module_get_api_version_v1"];

/** Electron's memory cage does not know memory that V8 did not allocate. */
const forbidden = /^napi_create_external_(array)?buffer$/;

/**
 * The glibc that what is published may need, as docs/install.md and the packages' READMEs say: with --release, since
 * prebuilds that were made on any machine for itself need that machine's.
 */
const limits = { own: "2.28", backend: "2.35" };

/** What every system has; and what a backend may need besides. */
const libraries = {
  elf: /^(lib(c|m)\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux.*|libc\.musl.*)$/,
  macho: /^\/(System\/Library\/Frameworks|usr\/lib)\//,
  // NODE.EXE with a delay: cmake/delay-load.cpp.
  pe: /^(kernel32|advapi32|ws2_32|crypt32|bcrypt|shell32|ole32|user32|msvcrt)\.dll$|^node\.exe$/i,
  cuda: /^lib(cuda|cudart|cublas|cublasLt)\.so\./,
  vulkan: /^libvulkan\.so\.1$/,
};

function lines(command, args) {
  const output = execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  return output.split("\n").filter((line) => line !== "");
}

/** Of a version, so that 2.9 is less than 2.10. */
function number(version) {
  const [major, minor] = version.split(".").map(Number);
  return major * 1000 + minor;
}

/** Of any processor. glibc is the version that it needs at least: what decides where a prebuild runs. */
function readElf(file) {
  const symbols = lines("readelf", ["--dyn-syms", "--wide", file])
    .map((line) => line.trim().split(/\s+/))
    .filter(([number, , , , binding]) => /^\d+:$/.test(number) && binding !== "LOCAL")
    .map(([, , , , , , section, name]) => ({ name, defined: section !== "UND" }));
  const versions = symbols
    .map(({ name }) => /@GLIBC_(\d+\.\d+)/.exec(name)?.[1])
    .filter(Boolean)
    .sort((a, b) => number(a) - number(b));
  const names = (defined) =>
    symbols.filter((symbol) => symbol.defined === defined).map(({ name }) => name.split("@")[0]);
  return {
    exports: names(true),
    imports: names(false),
    needed: lines("readelf", ["-d", file])
      .filter((line) => line.includes("(NEEDED)"))
      .map((line) => /\[(.*)\]/.exec(line)[1]),
    glibc: versions.at(-1) ?? null,
  };
}

/** There each symbol has an underscore before its name. */
function readMachO(file) {
  const names = (flag) =>
    lines("nm", [flag, file]).map((line) => line.trim().split(/\s+/).at(-1).replace(/^_/, ""));
  return {
    exports: names("-gU"),
    imports: names("-u"),
    needed: lines("otool", ["-L", file])
      .slice(1)
      .map((line) => line.trim().split(" ")[0]),
  };
}

function readWindows(file) {
  const { exports, imports } = readPe(file);
  return {
    exports,
    imports: imports.flatMap(({ names }) => names),
    needed: imports.map(({ library }) => library),
  };
}

const formats = {
  elf: { magic: /^\x7fELF/, read: readElf, systems: ["linux"] },
  macho: { magic: /^\xcf\xfa\xed\xfe/, read: readMachO, systems: ["darwin"] },
  pe: { magic: /^MZ/, read: readWindows, systems: ["linux", "darwin", "win32"] },
};

function formatOf(file) {
  const start = Buffer.alloc(4);
  const descriptor = openSync(file, "r");
  readSync(descriptor, start);
  closeSync(descriptor);
  const text = start.toString("latin1");
  return Object.keys(formats).find((format) => formats[format].magic.test(text));
}

function check(file, format) {
  const { exports, imports, needed, glibc } = formats[format].read(file);
  const problems = [];
  const missing = exported.filter((name) => !exports.includes(name));
  if (missing.length) problems.push(`does not export ${missing.join(", ")}`);
  const others = exports.filter((name) => !exported.includes(name)).sort();
  if (others.length) {
    problems.push(`exports ${others.length} more: ${others.slice(0, 5).join(", ")}`);
  }
  const external = imports.filter((name) => forbidden.test(name));
  if (external.length) problems.push(`imports ${external.join(", ")}`);
  const backend = /[\\/]packages[\\/]cria-(cuda|vulkan)[\\/]/.exec(path.resolve(file))?.[1];
  const foreign = needed.filter(
    (name) => !libraries[format].test(name) && !libraries[backend]?.test(name),
  );
  if (foreign.length) problems.push(`needs ${foreign.join(", ")}`);
  if (release && glibc) {
    const limit = limits[backend ? "backend" : "own"];
    if (number(glibc) > number(limit)) problems.push(`needs glibc ${glibc}, and may need ${limit}`);
  }
  return { problems, needed, glibc };
}

function report(file) {
  const format = formatOf(file);
  const name = path.relative(process.cwd(), file);
  if (!formats[format]?.systems.includes(process.platform)) {
    console.log(`${name}: FAULTY`);
    console.log(`  ${format ? `${format} is not read on this system` : "no library at all"}`);
    return false;
  }
  const { problems, needed, glibc } = check(file, format);
  const size = `${(statSync(file).size / 1e6).toFixed(1)} MB`;
  const facts = [size, `needs ${needed.join(" ")}`, glibc && `glibc ${glibc}`].filter(Boolean);
  console.log(`${name}: ${problems.length ? "FAULTY" : "ok"}, ${facts.join(", ")}`);
  for (const problem of problems) console.log(`  ${problem}`);
  return problems.length === 0;
}

function defaultFiles() {
  const prebuilds = path.join(root, "prebuilds");
  const built = existsSync(prebuilds)
    ? readdirSync(prebuilds, { recursive: true }).map((name) => path.join(prebuilds, name))
    : [];
  const readable = built.filter(
    (file) => file.endsWith(".node") && formats[formatOf(file)]?.systems.includes(process.platform),
  );
  return [path.join(root, "build", "Release", "cria.node"), ...readable].filter(existsSync);
}

const named = process.argv.slice(2).filter((argument) => argument !== "--release");
const files = named.length ? named : defaultFiles();
if (files.length === 0) {
  console.error("There is no .node to check: run `npm run build:native` first.");
  process.exitCode = 1;
}
for (const file of files) if (!report(file)) process.exitCode = 1;
