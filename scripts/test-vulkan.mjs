#!/usr/bin/env node
// `npm run test:vulkan`: builds the engine for Vulkan and runs the suites on Mesa's lavapipe, a GPU that computes on
// the CPU. What that needs comes from Debian 13's packages, in .build/debian-13; nothing is installed.

import { spawn, spawnSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { debianRoot, obstacle, writeLauncher } from "../test/vulkan/debian-root.mjs";
import { suites } from "../test/vulkan/suites.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const build = path.join(root, ".build", "vulkan");
const engine = path.join(build, "cria.node");
/** Plain programs over llama.h, on the same GPU: what cria is compared with. */
const programs = path.join(build, "programs");
const references = ["cria-reference", "cria-batched-reference", "cria-embed-reference"];
const failingDriver = path.join(build, "failing-driver.so");
const log = (line) => console.error(`vulkan: ${line}`);

const usage = `npm run test:vulkan -- [options]
  --only NAME     this suite; may be given several times: ${suites.map(({ name }) => name).join(", ")}
  --test PATTERN  of these only tests with such a name
  --no-build      the engine and the library as they are
  --help`;

function readOptions() {
  const flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      test: { type: "string" },
      "no-build": flag,
      help: flag,
    },
  });
  const unknown = values.only?.find((only) => !suites.some(({ name }) => name === only));
  if (unknown) throw new Error(`No suite is called ${unknown}; --help names them.`);
  return values;
}

function run(command, args, options = {}) {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${status}.`);
}

async function buildAll({ cmakeArguments, include }) {
  const script = path.join(root, "scripts", "build.mjs");
  run(process.execPath, [script]); // the CPU's, to compare with
  run(process.execPath, [script, "--vulkan", "--out", engine, "--", ...cmakeArguments]);
  run("cmake", ["--build", build, "--target", ...references], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const name of references) {
    await writeLauncher(path.join(programs, name), path.join(build, "bin", name));
  }
  const source = path.join(root, "test", "vulkan", "failing-driver.c");
  const flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", `-I${include}`];
  run(process.env.CC ?? "cc", [...flags, "-o", failingDriver, source, "-ldl"]);
  run(process.execPath, [path.join(root, "node_modules", "tsup", "dist", "cli-default.js")]);
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** A pattern that tests with these words in their names do not match. */
const except = (words) => words.length > 0 && `^(?!.*(${words.map(escaped).join("|")}))`;

async function runSuite({ name, files, without = [] }, { node, env }, only) {
  const results = path.join(build, `${name}.json`);
  await rm(results, { force: true });
  const jest = path.join(root, "node_modules", "jest", "bin", "jest.js");
  const pattern = only ?? except(without.flatMap(({ tests }) => tests));
  const options = ["--selectProjects", "native", "--json", "--outputFile", results];
  if (pattern) options.push("--testNamePattern", pattern);
  const child = spawn(node, [jest, ...files, ...options], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      ...env,
      CRIA_BINARY: engine,
      CRIA_TEST_BACKEND: "vulkan",
      CRIA_TEST_FAILING_DRIVER: failingDriver,
      CRIA_TEST_PROGRAMS: programs,
    },
  });
  const end = await new Promise((resolve) => {
    child.on("close", (code, signal) => resolve(signal ?? code));
  });
  const told = await readFile(results, "utf8").then(JSON.parse, () => null);
  if (told === null) return { passed: 0, failed: [`jest ended with ${end}`], left: 0 };
  const failed = told.testResults.flatMap(({ name: file, status, assertionResults }) => {
    const names = assertionResults
      .filter((test) => test.status === "failed")
      .map((test) => test.fullName);
    return names.length === 0 && status === "failed" ? [path.relative(root, file)] : names;
  });
  return { passed: told.numPassedTests, failed, left: told.numPendingTests };
}

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(usage);
    return;
  }
  const reason = obstacle();
  if (reason) throw new Error(`Nothing was run: ${reason}.`);
  const machine = await debianRoot(log);
  if (!options["no-build"]) await buildAll(machine);

  let failures = 0;
  const totals = [];
  for (const suite of suites) {
    if (options.only && !options.only.includes(suite.name)) continue;
    const { passed, failed, left } = await runSuite(suite, machine, options.test);
    failures += failed.length;
    totals.push([suite.name, passed, failed.length, left]);
    for (const name of failed) log(`${suite.name} failed: ${name}`);
  }
  console.log(`Vulkan on Mesa ${machine.mesa}'s lavapipe, ${os.availableParallelism()} processors`);
  for (const [name, passed, failed, left] of totals) {
    console.log(`  ${name.padEnd(12)} ${passed} passed, ${failed} failed, ${left} not run`);
  }
  for (const { name, without = [] } of suites) {
    for (const { because, tests } of without) {
      console.log(`not run of ${name}: ${because}: ${tests.map((test) => `"${test}"`).join(", ")}`);
    }
  }
  process.exitCode = failures === 0 ? 0 : 1;
}

try {
  await main();
} catch (error) {
  log(error.message);
  process.exitCode = 1;
}
