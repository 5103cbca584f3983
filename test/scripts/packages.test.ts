import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PACKAGED_FOR } from "../../lib/internal/engine-files.js";
import { ROOT } from "../support/paths.js";

interface Manifest {
  name: string;
  version: string;
  os: string[];
  cpu: string[];
  libc: string[];
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
}

const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

const cria = manifestIn(ROOT);
const packages = readdirSync(join(ROOT, "packages"));
const folders = packages.filter((name) => name.startsWith("cria-"));

test("cria knows every package of a backend, as an optional one", () => {
  expect(folders.length).toBeGreaterThan(0);
  const backends = Object.keys(cria.peerDependencies).filter((name) => name.startsWith("cria-"));
  expect(backends.sort()).toEqual([...folders].sort());
  for (const name of folders) expect(cria.peerDependenciesMeta[name]).toEqual({ optional: true });
});

test.each(folders)("%s has cria's version, asks for it, and says what it is", (name) => {
  const folder = join(ROOT, "packages", name);
  expect(manifestIn(folder)).toMatchObject({
    name,
    version: cria.version,
    peerDependencies: { cria: cria.version },
  });
  expect(cria.peerDependencies[name]).toBe(cria.version);
  expect(existsSync(join(folder, "README.md"))).toBe(true);
});

test.each(folders)("%s can be installed where its engine is built for", (name) => {
  const { os, cpu, libc } = manifestIn(join(ROOT, "packages", name));
  const platforms = os.flatMap((system) => cpu.map((processor) => `${system}-${processor}`));
  expect(platforms).toEqual(PACKAGED_FOR);
  expect(libc).toEqual(["glibc"]);
});

test("create-cria has cria's version, which its projects ask for", () => {
  expect(packages.filter((name) => !folders.includes(name))).toEqual(["create-cria"]);
  const { name, version } = manifestIn(join(ROOT, "packages", "create-cria"));
  expect({ name, version }).toEqual({ name: "create-cria", version: cria.version });
});

test("the release workflow packs the licences, and reads nothing that npm's scripts write to", () => {
  const workflow = readFileSync(join(ROOT, ".github", "workflows", "release.yml"), "utf8");
  // Lifecycle scripts write to stdout before the JSON does.
  expect(workflow).not.toMatch(/npm pack[^\n]*--json/);
  expect(workflow).toMatch(/cp LICENSE THIRD-PARTY-LICENSES\.md "packages\/\$package\/"/);
  for (const name of folders) expect(workflow).toContain(`backend: ${name.slice("cria-".length)}`);
  // Both programs check what they were given.
  expect(workflow.match(/check-binary\.mjs --release|check:binary -- --release/g)).toHaveLength(2);
});

test("the workflow starts the Electron that the example and the template ask for", () => {
  const workflow = readFileSync(join(ROOT, ".github", "workflows", "ci.yml"), "utf8");
  const started = /electron@(\d+)/.exec(workflow)?.[1];
  for (const folder of ["examples/desktop", "packages/create-cria/templates/electron"]) {
    const { devDependencies } = JSON.parse(
      readFileSync(join(ROOT, folder, "package.json"), "utf8"),
    );
    expect(devDependencies.electron).toMatch(new RegExp(`^\\^${started}\\.`));
  }
});
