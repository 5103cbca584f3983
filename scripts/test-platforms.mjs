#!/usr/bin/env node
// `npm run test:platforms`: builds for other platforms what this machine can build, and runs it in
// their runtimes. What is run on which: test/platforms/platforms.mjs.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { nodeLauncher, programLaunchers } from "../test/platforms/launchers.mjs";
import { fetchPackage } from "../test/platforms/packages.mjs";
import { platforms } from "../test/platforms/platforms.mjs";
import { asText, writeReadme } from "../test/platforms/report.mjs";
import { runs } from "../test/platforms/runs.mjs";
import { stagePackage } from "../test/platforms/stage.mjs";
import { missingPackages, startWine } from "../test/platforms/tools.mjs";
import { root, work } from "../test/platforms/work.mjs";
import { targets } from "./targets.mjs";

const usage = `npm run test:platforms -- [options]
  --only NAME     this platform; may be given several times
  --run NAME      of each platform only this run: basics, features, renamed, exits, levels, lifetime, hostile, cli, native
  --no-build      engines and programs of other platforms as they are
  --list          the platforms' names, and what is run on each
  --readme        runs nothing: puts what was run into README.md
Results go to .build/platforms/results.json, beside those of platforms that were run before.`;

const log = (line) => console.error(`platforms: ${line}`);
const resultsFile = path.join(work, "results.json");
const readResults = () => readFile(resultsFile, "utf8").then(JSON.parse, () => ({}));

function readOptions() {
  const names = { type: "string", multiple: true };
  const flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    options: { only: names, run: names, "no-build": flag, list: flag, readme: flag, help: flag },
  });
  const unknown = values.only?.find((only) => !platforms.some(({ name }) => name === only));
  if (unknown) throw new Error(`No platform is called ${unknown}; --list names them.`);
  const strange = values.run?.find((name) => !Object.hasOwn(runs, name));
  if (strange) throw new Error(`No run is called ${strange}; --help names them.`);
  return values;
}

/** Why it cannot be run here, or null. */
function obstacle({ target, engine, needs = [] }) {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return "other platforms' programs are run on Linux x64 alone";
  }
  const missing = missingPackages(needs);
  if (engine && !existsSync(path.join(root, engine)))
    return "its engine is not there: npm run build:portable";
  if (target) {
    const { compiler, debianPackage } = targets[target];
    const { error } = spawnSync(compiler, ["--version"]);
    if (error) missing.push(debianPackage);
  }
  return missing.length ? `missing here: sudo apt-get install ${missing.join(" ")}` : null;
}

const built = new Map();

/** Once for each target, and `programs` of test/native if they are wanted; true, or what went wrong. */
function buildFor(target, programs) {
  const args = [path.join(root, "scripts", "build.mjs"), "--target", target];
  if (programs) args.push("--tests");
  const words = args.join(" ");
  if (!built.has(words)) {
    log(`building for ${target}`);
    const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
    built.set(words, status === 0);
  }
  return built.get(words);
}

/** The engine's file, and its place in the package: of this platform the prebuild, if it was made. */
function engineOf({ target, engine }) {
  const place = target ? targets[target].engine : "prebuilds/linux-x64/node.napi.node";
  const here = existsSync(path.join(root, place)) ? place : "build/Release/cria.node";
  return { file: path.join(root, engine ?? here), place };
}

/** Apps rename node.exe, and Electron has a name of its own: where the engine looks for Node all the same. */
async function renamedLauncher(platform, { executable, engine }) {
  const app = path.join(work, platform.name, "electron.exe");
  await mkdir(path.dirname(app), { recursive: true });
  await copyFile(executable, app);
  return nodeLauncher(platform, { executable: app, engine, name: "renamed" });
}

async function runPlatform(platform, { run: only, "no-build": asIs }) {
  const wanted = platform.runs.filter((name) => !only || only.includes(name));
  if (platform.target && !asIs && !buildFor(platform.target, wanted.includes("native")))
    return { failed: "it could not be built" };
  const { directory, version } = await fetchPackage(platform.package);
  if (platform.emulator === "wine") await startWine();
  const engine = engineOf(platform);
  const executable = path.join(directory, platform.executable);
  const tools = {
    node: await nodeLauncher(platform, { executable, engine: engine.file }),
    renamed: wanted.includes("renamed")
      ? await renamedLauncher(platform, { executable, engine: engine.file })
      : undefined,
    staged: await stagePackage({ [engine.place]: engine.file }),
    place: engine.place,
    programs: wanted.includes("native")
      ? await programLaunchers(platform, path.join(root, ".build", platform.target, "bin"))
      : undefined,
  };
  const outcome = { package: `${platform.package.replace(/(.)@.*/, "$1")}@${version}`, runs: {} };
  for (const name of wanted) {
    const result = await runs[name](platform, tools);
    outcome.runs[name] = result;
    log(`${platform.name}, ${name}: ${result.passed} passed, ${result.failed.length} failed`);
    for (const what of result.failed) log(`  failed: ${what}`);
  }
  return outcome;
}

async function runAll(options) {
  const results = await readResults();
  const skipped = [];
  let failures = 0;
  for (const platform of platforms) {
    if (options.only && !options.only.includes(platform.name)) continue;
    const reason = obstacle(platform);
    if (reason) {
      skipped.push(`${platform.name}: ${reason}`);
      results[platform.name] = { skipped: reason };
      continue;
    }
    const outcome = await runPlatform(platform, options);
    if (outcome.failed) {
      failures += 1;
      log(`${platform.name}: ${outcome.failed}`);
    }
    const parts = Object.values(outcome.runs ?? {});
    failures += parts.reduce((sum, { failed }) => sum + failed.length, 0);
    const before = results[platform.name]?.runs;
    results[platform.name] = { ...outcome, runs: { ...before, ...outcome.runs } };
    await mkdir(work, { recursive: true });
    await writeFile(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  }
  console.log(asText(results));
  for (const line of skipped) console.log(`skipped: ${line}`);
  return failures;
}

async function main() {
  const options = readOptions();
  if (options.help) console.log(usage);
  else if (options.list)
    for (const platform of platforms) console.log(`${platform.name}: ${platform.runs.join(", ")}`);
  else if (options.readme) await writeReadme(await readResults());
  else {
    if (!existsSync(path.join(root, "dist", "index.js")))
      throw new Error("Run `npm run build:all` first.");
    process.exitCode = (await runAll(options)) === 0 ? 0 : 1;
  }
}

try {
  await main();
} catch (error) {
  log(error.message);
  process.exitCode = 1;
}
