// `npm run test:package [-- WORDS OF A CASE'S NAME]`: packs cria and installs the tarball into empty projects,
// by every package manager, compiler, bundler and test runner that it is meant for. Needs the registry.

import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { allCases } from "./cases.mjs";
import { Project } from "./project.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const checkout = new Project(root);
const folder = path.join(root, ".build", "package");

/** With this platform's prebuild, as it is published. */
async function pack() {
  const prebuilds = path.join(root, "prebuilds", `${process.platform}-${process.arch}`);
  if (!existsSync(prebuilds)) await checkout.run("npm", ["run", "prebuild"]);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const output = await checkout.run("npm", ["pack", "--json", "--pack-destination", folder]);
  const [{ filename, size, unpackedSize }] = JSON.parse(output.slice(output.indexOf("[\n")));
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  console.log(`${filename}: ${megabytes(size)} MB, ${megabytes(unpackedSize)} MB unpacked`);
  if (unpackedSize > 60e6) throw new Error("It may have 60 MB unpacked.");
  return path.join(folder, filename);
}

const words = process.argv.slice(2).join(" ").toLowerCase();
const cases = allCases(await pack()).filter(({ name }) => name.toLowerCase().includes(words));
let failed = 0;
let skipped = 0;
for (const { name, folder: called = "project", run, obstacle } of cases) {
  const reason = obstacle?.() ?? null;
  if (reason !== null) {
    skipped += 1;
    console.log(`skipped ${name}: ${reason}`);
    continue;
  }
  try {
    await Project.with(called, run);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.message}`);
  }
}
console.log(`${cases.length - failed - skipped} passed, ${failed} failed, ${skipped} skipped`);
if (failed > 0 || cases.length === 0) process.exitCode = 1;
