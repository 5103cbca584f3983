// Checks what a .node exports, imports and needs: `node scripts/check-binary.mjs [FILE …]`, by
// default this machine's build and the prebuilds. Prints one line per file. Linux and macOS.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const macos = process.platform === "darwin";

const exported = ["napi_register_module_v1", "node_api_module_get_api_version_v1"];

/** Electron's memory cage does not know memory that V8 did not allocate. */
const forbidden = /^napi_create_external_(array)?buffer$/;

const libraries = {
  cpu: macos
    ? /^\/(System\/Library\/Frameworks|usr\/lib)\//
    : /^(lib(c|m)\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux.*|libc\.musl.*)$/,
  cuda: /^lib(cuda|cudart|cublas|cublasLt)\.so\./,
  vulkan: /^libvulkan\.so\.1$/,
};

function lines(command, args) {
  const output = execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  return output.split("\n").filter((line) => line !== "");
}

/** Names in the dynamic symbol table; macOS writes an underscore before each. */
function symbols(file, kind) {
  const flags = macos ? { defined: "-gU", undefined: "-u" } : { defined: "-D", undefined: "-D" };
  return lines("nm", [flags[kind], file])
    .map((line) => line.trim().split(/\s+/))
    .filter(
      (fields) =>
        macos || (fields.at(-2) === "U" || fields.at(-2) === "w") === (kind === "undefined"),
    )
    .map((fields) =>
      fields
        .at(-1)
        .replace(/@.*/, "")
        .replace(macos ? /^_/ : /^$/, ""),
    );
}

function needed(file) {
  if (macos)
    return lines("otool", ["-L", file])
      .slice(1)
      .map((line) => line.trim().split(" ")[0]);
  return lines("readelf", ["-d", file])
    .filter((line) => line.includes("(NEEDED)"))
    .map((line) => /\[(.*)\]/.exec(line)[1]);
}

/** The C library that it needs at least: what decides where a prebuild runs. */
function oldestGlibc(file) {
  const versions = lines("nm", ["-D", file])
    .map((line) => /@GLIBC_(\d+)\.(\d+)/.exec(line))
    .filter(Boolean)
    .map(([, major, minor]) => Number(major) * 1000 + Number(minor));
  const highest = Math.max(0, ...versions);
  return highest === 0 ? null : `${Math.floor(highest / 1000)}.${highest % 1000}`;
}

function check(file) {
  const problems = [];
  const defined = symbols(file, "defined").sort();
  if (defined.join() !== exported.join()) {
    const others = defined.filter((name) => !exported.includes(name));
    const missing = exported.filter((name) => !defined.includes(name));
    if (missing.length) problems.push(`does not export ${missing.join(", ")}`);
    if (others.length)
      problems.push(`exports ${others.length} more: ${others.slice(0, 5).join(", ")}`);
  }
  const external = symbols(file, "undefined").filter((name) => forbidden.test(name));
  if (external.length) problems.push(`imports ${external.join(", ")}`);
  const backend = /^(cuda|vulkan)\./.exec(path.basename(file))?.[1];
  const libs = needed(file);
  const foreign = libs.filter(
    (name) => !libraries.cpu.test(name) && !libraries[backend]?.test(name),
  );
  if (foreign.length) problems.push(`needs ${foreign.join(", ")}`);
  return { problems, libs };
}

function defaultFiles() {
  const prebuilds = path.join(root, "prebuilds");
  const built = existsSync(prebuilds)
    ? readdirSync(prebuilds, { recursive: true }).map((name) => path.join(prebuilds, name))
    : [];
  // Only those of this system: its tools read no other format.
  const readable = built.filter(
    (file) => file.endsWith(".node") && file.includes(`${path.sep}${process.platform}-`),
  );
  return [path.join(root, "build", "Release", "cria.node"), ...readable].filter(existsSync);
}

const named = process.argv.slice(2);
const files = named.length ? named : defaultFiles();
if (files.length === 0) {
  console.error("There is no .node to check: run `npm run build:native` first.");
  process.exitCode = 1;
}
for (const file of files) {
  const { problems, libs } = check(file);
  const size = `${(statSync(file).size / 1e6).toFixed(1)} MB`;
  const glibc = macos ? null : oldestGlibc(file);
  const facts = [size, `needs ${libs.join(" ")}`, glibc && `glibc ${glibc}`].filter(Boolean);
  console.log(
    `${path.relative(process.cwd(), file)}: ${problems.length ? "FAULTY" : "ok"}, ${facts.join(", ")}`,
  );
  for (const problem of problems) console.log(`  ${problem}`);
  if (problems.length) process.exitCode = 1;
}
