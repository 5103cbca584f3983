// Runs the fuzzers: libFuzzer's of test/fuzz/native, under ASan and UBSan, and the structured ones of
// test/fuzz. What crashes or breaks a property is told with the command that repeats it.

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { writeSeeds } from "../test/fuzz/native/seeds.mjs";
import { watch } from "../test/fuzz/watch.mjs";
import { findClang, programs, root, sanitizerEnvironment } from "./clang.mjs";

const usage = `Usage: node scripts/fuzz.mjs [options]

  --seconds N    for each fuzzer; default 300
  --short        a fixed number of runs of each in place of that, as CI does
  --seed N       default 1
  --only NAME    this one, as --list names them; may be given more than once
  --sanitized    the structured ones with the addon under ASan and UBSan, too
  --list`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "300" },
    short: { type: "boolean" },
    seed: { type: "string", default: "1" },
    only: { type: "string", multiple: true },
    sanitized: { type: "boolean" },
    list: { type: "boolean" },
    help: { type: "boolean" },
  },
});

/** Runs of the short part. */
const structured = {
  options: 12_000,
  messages: 4_000,
  "tool-calls": 6_000,
  "batch-lines": 500,
  "state-files": 300,
};
const native = {
  "text-stream": 20_000,
  utf8: 20_000,
  trigger: 2_000,
  "state-file": 5_000,
  grammar: 200,
  "prompt-cutter": 10_000,
};
const OTHER = 5_000;

const folder = path.join(root, "test", "fuzz", "native");
const nativeNames = readdirSync(folder)
  .map((file) => /^(.*)-fuzzer\.cpp$/.exec(file)?.[1])
  .filter(Boolean);
const bin = programs("address-undefined");
const model = process.env.CRIA_TEST_MODEL || path.join(root, "models", "cria-demo.gguf");

function run(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, ...options });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr = (stderr + text).slice(-100_000);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stderr }));
  });
}

const shell = (environment) =>
  Object.entries({ ...environment, CRIA_TEST_MODEL: model })
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

async function build({ CC, CXX }) {
  const args = ["scripts/build.mjs", "--sanitize", "address,undefined", "--fuzzers"];
  const env = { ...process.env, CC, CXX };
  const { code } = await run(process.execPath, args, { stdio: "inherit", env });
  if (code !== 0) throw new Error("The fuzzers could not be built.");
}

async function runNative(name, environment) {
  const work = path.join(root, ".build", "fuzz");
  const [seeds, corpus] = ["seeds", "corpus"].map((kind) => path.join(work, kind, name));
  const dictionary = writeSeeds(name, seeds);
  mkdirSync(corpus, { recursive: true });
  const program = path.join(bin, `cria-${name}-fuzzer`);
  const args = [
    ...(values.short
      ? [`-runs=${native[name] ?? OTHER}`]
      : [`-max_total_time=${values.seconds}`, corpus]),
    seeds,
    ...(dictionary ? [`-dict=${dictionary}`] : []),
    `-seed=${values.seed}`,
    `-artifact_prefix=${work}/${name}-`,
    ...["-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1"],
  ];
  const env = { ...process.env, ...environment, CRIA_TEST_MODEL: model };
  const { code, signal, stderr } = await run(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env,
  });
  const runs = Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1] ?? 0);
  const artifact = /Test unit written to (\S+)/.exec(stderr)?.[1];
  return {
    name,
    summary: { runs, seed: Number(values.seed) },
    problem: code === 0 ? null : `ended by ${signal ?? code}\n${stderr.slice(-6000)}`,
    repeat: `${shell(environment)} ${path.relative(root, program)} ${artifact ?? ""}`,
  };
}

/** test/fuzz/models.mjs counts files, and looks after its children itself. */
async function runModels() {
  const child = (seed) => {
    const amount = ["--count", values.short ? "120" : "500", "--seed", String(seed)];
    return run(process.execPath, ["test/fuzz/models.mjs", ...amount], {
      stdio: ["ignore", "inherit", "pipe"],
    });
  };
  const end = Date.now() + Number(values.seconds) * 1000;
  let seed = Number(values.seed);
  let runs = 0;
  let last;
  do {
    last = await child(seed++);
    runs += values.short ? 120 : 500;
  } while (last.code === 0 && !values.short && Date.now() < end);
  const problem = last.code === 0 ? null : `ended by ${last.signal ?? last.code}\n${last.stderr}`;
  const repeat = `node test/fuzz/models.mjs --count 500 --seed ${seed - 1}`;
  return { name: "models", summary: { runs, seed: Number(values.seed) }, problem, repeat };
}

async function runStructured(name, environment) {
  const amount = values.short
    ? ["--runs", String(structured[name])]
    : ["--runs", "1000", "--seconds", values.seconds];
  const hang = values.short ? 120_000 : 60_000;
  return watch(name, { args: ["--seed", values.seed, ...amount], hang, env: environment });
}

function tell({ name, summary, problem, repeat }) {
  const { runs = 0, worked, refused, seed } = summary ?? {};
  const split = worked === undefined ? "" : ` (${worked} worked, ${refused} refused)`;
  console.log(
    `${problem === null ? "ok    " : "FAILED"} ${name}: ${runs} runs${split}, seed ${seed}`,
  );
  if (problem !== null) console.log(`${problem}\nTo repeat it:\n  ${repeat}`);
}

async function main() {
  const names = [...Object.keys(structured), "models", ...nativeNames];
  if (values.help) return console.log(usage);
  if (values.list) return console.log(names.join("\n"));
  const chosen = values.only ?? names;
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown) throw new Error(`There is no fuzzer ${unknown}: ${names.join(", ")}.`);

  let environment = {};
  let addon = {};
  if (values.sanitized || chosen.some((name) => nativeNames.includes(name))) {
    const clang = findClang();
    environment = sanitizerEnvironment(clang);
    await build(clang);
    if (values.sanitized) {
      const CRIA_BINARY = path.join(bin, "cria.node");
      const ASAN_OPTIONS = `${environment.ASAN_OPTIONS}:detect_leaks=0`;
      addon = { ...environment, ASAN_OPTIONS, CRIA_BINARY, LD_PRELOAD: clang.runtime("asan") };
    }
  }
  for (const name of chosen) {
    let result;
    if (name === "models") result = await runModels();
    else if (nativeNames.includes(name)) result = await runNative(name, environment);
    else result = await runStructured(name, addon);
    tell(result);
    if (result.problem !== null) process.exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  console.error(`cria: ${error.message}`);
  process.exitCode = 1;
}
