// What test:platforms runs on a platform. Each answers `{ passed, failed: [what] }`, and `leftOut`, the number
// of tests that the platform leaves out by name.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { root, work } from "./work.mjs";

const model = path.join(root, "models", "cria-demo.gguf");
/** Emulated processors take their time; what hangs is ended all the same. */
const deadline = 5_400_000;

/** Runs to the end; all that it writes goes to `log`. Answers the exit code, or the signal's name. */
async function run(command, args, { log, env = {} }) {
  await mkdir(path.dirname(log), { recursive: true });
  const output = createWriteStream(log);
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, CRIA_TEST_MODEL: model, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: deadline,
    killSignal: "SIGKILL",
  });
  for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false });
  const [code, signal] = await once(child, "close");
  output.end();
  return signal ?? code;
}

const logOf = (platform, name) => path.join(work, platform.name, `${name}.log`);

const basics = (platform, tools) => checkProgram(platform, "basics", tools);

const features = (platform, tools) => checkProgram(platform, "features", tools);

/** The basics in a Node that is called otherwise. */
const renamed = (platform, tools) =>
  checkProgram(platform, "renamed", { ...tools, program: "basics", node: tools.renamed });

async function checkProgram(platform, name, { node, staged, place, program = name }) {
  const report = path.join(work, platform.name, `${name}.json`);
  await rm(report, { force: true });
  const log = logOf(platform, name);
  // The package finds its engine by itself here.
  // wine's node.exe starts itself.
  const launcher = platform.emulator === "wine" ? "" : node;
  const env = { CRIA_BINARY: "", CRIA_TEST_LAUNCHER: launcher };
  const end = await run(node, [staged[program], report], { log, env });
  const told = await readFile(report, "utf8").then(JSON.parse, () => null);
  if (told === null)
    return { passed: 0, failed: [`ended with ${end} and without a report: ${log}`] };
  const { passed, runtime } = told;
  const failed = [...told.failed];
  if (end !== 0) failed.push(`ended with ${end}`);
  if (told.place !== place) failed.push(`loaded ${told.place}, not ${place}`);
  return { runtime, passed, failed };
}

/** The engine takes the level, or refuses with the code, that platforms.mjs names for each processor. */
async function levels(platform, { node, staged }) {
  const failed = [];
  let passed = 0;
  for (const [cpu, expected] of Object.entries(platform.cpus)) {
    const report = path.join(work, platform.name, `level-${cpu}.json`);
    await rm(report, { force: true });
    const log = logOf(platform, `level-${cpu}`);
    // qemu takes its processor from the environment, too.
    const end = await run(node, [staged.level, report], {
      log,
      env: { CRIA_BINARY: "", QEMU_CPU: cpu },
    });
    const told = await readFile(report, "utf8").then(JSON.parse, () => ({}));
    if (end === 0 && (told.level ?? told.code) === expected) passed += 1;
    else
      failed.push(`${cpu}: ${JSON.stringify(told)} and not ${expected}, ended with ${end}: ${log}`);
  }
  return { passed, failed };
}

/** process.exit() in the middle of the work, where jest's suite of that is not run. */
async function exits(platform, { node }) {
  const failed = [];
  let passed = 0;
  for (const phase of ["load", "open", "prefill", "decode"]) {
    for (let round = 0; round < 5; round++) {
      const args = [path.join(root, "test", "lifetime", "exit.mjs"), String(round), phase];
      const log = logOf(platform, `exit-${phase}-${round}`);
      const end = await run(node, args, { log });
      if (end === 7) passed += 1;
      else failed.push(`exit ${round} during ${phase} ended with ${end}: ${log}`);
    }
  }
  return { passed, failed };
}

/** Files of jest, with children that run in the platform's Node. */
async function jest(platform, name, { files, env }) {
  const results = path.join(work, platform.name, `${name}.json`);
  await rm(results, { force: true });
  const program = path.join(root, "node_modules", "jest", "bin", "jest.js");
  const options = ["--selectProjects", "native", "--json", "--outputFile", results];
  const { leftOut = [] } = platform;
  if (leftOut.length > 0) options.push("--testNamePattern", `^(?!.*(?:${leftOut.join("|")}))`);
  const log = logOf(platform, name);
  const end = await run(process.execPath, [program, ...files, ...options], { log, env });
  const told = await readFile(results, "utf8").then(JSON.parse, () => null);
  if (told === null) return { passed: 0, failed: [`jest ended with ${end}: ${log}`] };
  const failed = told.testResults.flatMap(({ name: file, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === "failed");
    const names = tests.map(({ fullName }) => fullName);
    // A file that failed outside its tests counts as a test that did.
    if (names.length === 0 && status === "failed") return [path.relative(root, file)];
    return names;
  });
  return { passed: told.numPassedTests, failed, leftOut: told.numPendingTests };
}

/** What is there for hangs gives an emulator its time. */
const patienceOf = ({ emulator }) => (emulator ? { CRIA_TEST_PATIENCE: "10" } : {});

const inNode =
  (name, files) =>
  (platform, { node }) =>
    jest(platform, name, { files, env: { CRIA_TEST_NODE: node, ...patienceOf(platform) } });

/** By the names that platforms.mjs gives. */
export const runs = {
  basics,
  features,
  renamed,
  exits,
  levels,
  lifetime: inNode("lifetime", ["test/lifetime"]),
  hostile: inNode("hostile", ["test/hostile"]),
  cli: inNode("cli", ["test/cli"]),
  native: (platform, { programs }) =>
    jest(platform, "native", {
      files: ["test/native/core.test.ts"],
      env: { CRIA_TEST_PROGRAMS: programs, ...patienceOf(platform) },
    }),
};
