#!/usr/bin/env node
// `npm run prebuild [-- --cuda|--vulkan]`: prebuilds/<platform>-<arch>/node.napi.node, or the same in
// packages/cria-cuda or cria-vulkan. The name is what node-gyp-build and @electron/rebuild look for.
// prebuildify calls this file, too, in place of node-gyp.

import { spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(import.meta.url);
const root = path.dirname(path.dirname(script));
// Not build/Release: the portable engine must not take the place of this machine's.
const stage = path.join(root, ".build", "prebuild");

async function prebuild(backend) {
  const { default: prebuildify } = await import("prebuildify");
  await mkdir(stage, { recursive: true });
  process.env.CRIA_PREBUILD_BACKEND = backend;
  const windows = process.platform === "win32"; // where prebuildify goes through a shell
  await promisify(prebuildify)({
    napi: true,
    strip: true,
    name: "node.napi",
    tagArmv: process.arch === "arm64",
    tagLibc: isMusl() && "musl",
    nodeGyp: windows ? `"${process.execPath}" "${script}"` : script,
    cwd: stage,
    out: backend ? path.join(root, "packages", `cria-${backend}`) : root,
  });
}

function isMusl() {
  const { glibcVersionRuntime } = process.report.getReport().header;
  return process.platform === "linux" && glibcVersionRuntime === undefined;
}

/** What prebuildify runs in the stage as `node-gyp rebuild --target=… --arch=… --release`. */
function buildPortable(backend) {
  const out = path.join(stage, "build", "Release", "cria.node");
  const args = [path.join(root, "scripts", "build.mjs"), "--portable", "--out", out];
  if (backend) args.push(`--${backend}`);
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
}

if (process.argv.includes("rebuild")) {
  process.exitCode = buildPortable(process.env.CRIA_PREBUILD_BACKEND);
} else {
  await prebuild(process.argv[2]?.replace(/^--/, "") ?? "");
}
