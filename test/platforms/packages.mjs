// Other runtimes, and what jest needs to run in them, as npm packages in .build/platforms/packages.

import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import pacote from "pacote";
import { configuredRegistry } from "../../scripts/fetch-llama-cpp.mjs";
import { work } from "./work.mjs";

const folder = path.join(work, "packages");
let registry;

/** Where the package lies, fetched at the first use: `{ directory, version }`. */
export async function fetchPackage(spec) {
  registry ??= await configuredRegistry();
  const { name, version, _integrity: integrity } = await pacote.manifest(spec, { registry });
  const directory = path.join(folder, `${name.replace("/", "-")}-${version}`);
  if (!existsSync(directory)) {
    await mkdir(folder, { recursive: true });
    const partial = `${directory}.partial`;
    await rm(partial, { recursive: true, force: true });
    await pacote.extract(`${name}@${version}`, partial, { registry, integrity });
    await rename(partial, directory);
  }
  return { directory, version };
}
