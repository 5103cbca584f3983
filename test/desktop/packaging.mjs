// Packs the desktop example as electron-builder and Electron Forge are told to, and loads cria out of the archive;
// runs @electron/rebuild on the app: npm run test:electron. It needs the network, for npm, and a built checkout.
//
// Real: the tarball, the install, the archives by @electron/asar (the packagers' own library) with each
// configuration's unpack rule, @electron/rebuild. Stood in for: Electron itself, by Node with asar-node.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createPackageWithOptions, listPackage } from "@electron/asar";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("../..", import.meta.url));
const desktop = join(root, "examples", "desktop");
const windows = process.platform === "win32";
const npm = (args, cwd) => run("npm", args, { cwd, shell: windows, maxBuffer: 1 << 26 });
const engineName = process.arch === "arm64" ? "node.napi.armv8.node" : "node.napi.node";
const platform = `${process.platform}-${process.arch}`;

/** The package as it is published, with an engine for this platform: `npm run prebuild`'s, else the checkout's. */
async function makeTarball(folder) {
  const { stdout } = await npm(
    ["pack", "--ignore-scripts", "--json", "--pack-destination", folder],
    root,
  );
  const { filename } = Object.values(JSON.parse(stdout))[0];
  await run("tar", ["xzf", filename], { cwd: folder });
  const unpacked = join(folder, "package");
  const prebuilds = join(unpacked, "prebuilds", platform);
  if (!existsSync(prebuilds)) {
    await mkdir(prebuilds, { recursive: true });
    await cp(join(root, "build", "Release", "cria.node"), join(prebuilds, engineName));
  }
  const packed = await npm(["pack", "--ignore-scripts", "--json"], unpacked);
  return join(unpacked, Object.values(JSON.parse(packed.stdout))[0].filename);
}

/** The example as a project of its own. */
async function makeApp(folder, tarball) {
  const app = join(folder, "app");
  await cp(desktop, app, {
    recursive: true,
    filter: (from) => !/node_modules|package-lock/.test(relative(desktop, from)),
  });
  const manifest = JSON.parse(await readFile(join(app, "package.json"), "utf8"));
  manifest.dependencies.cria = `file:${tarball}`;
  delete manifest.devDependencies; // packagers leave them out
  await writeFile(join(app, "package.json"), JSON.stringify(manifest, null, 2));
  // npm 12 runs no install scripts of dependencies either.
  await npm(["install", "--ignore-scripts", "--no-audit", "--no-fund"], app);
  return app;
}

const { asarUnpack } = require(join(desktop, "electron-builder.config.cjs"));
const { packagerConfig } = require(join(desktop, "forge.config.cjs"));
const RULES = {
  "electron-builder": asarUnpack.length === 1 ? asarUnpack[0] : `{${asarUnpack.join(",")}}`,
  "Electron Forge": packagerConfig.asar.unpack,
};

/** All files below a folder. */
const filesIn = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    : [];

async function pack(app, resources, unpack) {
  await mkdir(join(resources, "models"), { recursive: true });
  await cp(join(root, "models", "cria-demo.gguf"), join(resources, "models", "cria-demo.gguf"));
  const archive = join(resources, "app.asar");
  await createPackageWithOptions(app, archive, unpack === undefined ? {} : { unpack });
  return archive;
}

const inArchive = (resources) =>
  run(process.execPath, [join(root, "test", "desktop", "in-archive.cjs"), resources]);

const hashOf = async (file) =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex");

const folder = await mkdtemp(join(tmpdir(), "cria-packaging-"));
try {
  const tarball = await makeTarball(folder);
  const app = await makeApp(folder, tarball);
  for (const [packager, rule] of Object.entries(RULES)) {
    const resources = join(folder, packager, "resources with spaces");
    const archive = await pack(app, resources, rule);
    const beside = filesIn(`${archive}.unpacked`);
    assert.ok(beside.length > 0);
    for (const name of beside) assert.match(name, /\.node$/, "only engines lie beside the archive");
    assert.ok(
      listPackage(archive).includes(join("/", "node_modules", "cria", "dist", "index.cjs")),
    );
    const { text, engine, file } = JSON.parse((await inArchive(resources)).stdout);
    assert.ok(beside.includes(relative(`${archive}.unpacked`, engine)), engine);
    assert.equal(file, join(resources, "models", "cria-demo.gguf"));
    assert.ok(text.length > 0);
    console.log(`ok    ${packager}, unpack ${rule}: ${JSON.stringify(text)}`);
  }

  const without = join(folder, "without", "resources");
  await pack(app, without, undefined);
  const failure = await inArchive(without).then(
    () => assert.fail("An engine inside the archive was loaded."),
    (error) => error.stderr,
  );
  assert.match(failure, /ERR_ENGINE_NOT_FOUND/);
  console.log("ok    without an unpack rule there is a coded error");

  // Its newest runs on Node 22 and later.
  const rebuild = Number(process.versions.node.split(".")[0]) < 22 ? "3.6" : "4";
  const tools = join(folder, "tools");
  await mkdir(tools);
  await writeFile(join(tools, "package.json"), "{}");
  await npm(
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", `@electron/rebuild@${rebuild}`],
    tools,
  );
  const cria = join(app, "node_modules", "cria");
  const hashes = async () =>
    Promise.all(
      filesIn(join(cria, "prebuilds")).map((name) => hashOf(join(cria, "prebuilds", name))),
    );
  const before = await hashes();
  const cli = join(tools, "node_modules", "@electron", "rebuild", "lib", "cli.js");
  const args = [cli, "--version", "39.2.0", "--module-dir", app, "--only", "cria", "--force"];
  const env = { ...process.env, DEBUG: "electron-rebuild" };
  const { stdout, stderr } = await run(process.execPath, args, { env, maxBuffer: 1 << 26 });
  assert.match(stdout + stderr, /Rebuild Complete/);
  assert.match(stderr, /assuming is prebuildify powered: cria/);
  assert.deepEqual(await hashes(), before);
  // It leaves a mark there, and would leave a `.node` of its own if it had built one.
  const built = filesIn(join(cria, "build")).filter((name) => !name.endsWith(".forge-meta"));
  assert.deepEqual(built, []);
  const rebuilt = join(folder, "rebuilt", "resources");
  await pack(app, rebuilt, RULES["Electron Forge"]);
  assert.match(JSON.parse((await inArchive(rebuilt)).stdout).engine, /prebuilds/);
  console.log(
    `ok    @electron/rebuild ${rebuild} takes the prebuilt engine and leaves it as it is`,
  );
} finally {
  if (process.env.KEEP) console.log(folder);
  else await rm(folder, { recursive: true });
}
