// llama.cpp's own programs: built from the tree that cria is built from, in a folder of their own,
// and asked for figures.

import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildLock, ensureLlamaCpp, sourceCommit } from "../scripts/fetch-llama-cpp.mjs";
import { withLock } from "../scripts/lock.mjs";

const run = promisify(execFile);
const source = fileURLToPath(new URL(".", import.meta.url));

export const workDirectory = path.join(source, "..", ".build", "bench");
const suffix = process.platform === "win32" ? ".exe" : "";

/** llama.cpp puts its own programs and ours into one folder, with its libraries. */
export const program = (name) => path.join(workDirectory, "bin", `${name}${suffix}`);

function runVisibly(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", 2, 2] });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args[0]} ended with ${signal ?? code}.`));
    });
  });
}

async function hasNinja() {
  return run("ninja", ["--version"]).then(
    () => true,
    () => false,
  );
}

/**
 * Configures once; the build itself is incremental and says when nothing is to be done. `what`: a program of
 * ours, or all of them and llama.cpp's.
 */
export async function buildUpstream(log, what = "upstream") {
  await mkdir(workDirectory, { recursive: true });
  const tree = await withLock(buildLock, log, () => ensureLlamaCpp({ log }));
  const commit = (await sourceCommit(tree)) ?? "unknown";
  if (!existsSync(path.join(workDirectory, "CMakeCache.txt")) && (await hasNinja())) {
    await runVisibly("cmake", [...configuration(tree, commit), "-G", "Ninja"]);
  } else {
    await runVisibly("cmake", configuration(tree, commit));
  }
  const jobs = String(availableParallelism());
  const target = ["--target", what, "--config", "Release", "--parallel", jobs];
  await runVisibly("cmake", ["--build", workDirectory, ...target]);
  return { tree, commit };
}

function configuration(tree, commit) {
  return [
    ...["-S", source, "-B", workDirectory],
    "-DCMAKE_BUILD_TYPE=Release",
    `-DLLAMA_CPP_DIR=${tree}`,
    `-DLLAMA_CPP_COMMIT=${commit}`,
  ];
}

async function jsonLines(name, args) {
  const { stdout } = await run(program(name), args, { maxBuffer: 1 << 24 });
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  if (lines.length === 0) throw new Error(`${name} gave no figures: ${stdout.slice(0, 500)}`);
  return lines.map((line) => JSON.parse(line));
}

/** The arguments that all programs share with the contexts that cria.mjs makes. */
export function commonArguments(model, settings) {
  return [
    ...["-m", model, "-t", String(settings.threads), "-fa", settings.flashAttention ? "on" : "off"],
    ...["-ctk", settings.kvCacheType, "-ctv", settings.kvCacheType],
    ...["-b", String(settings.batchSize), "-ub", String(settings.microBatchSize)],
  ];
}

function llamaBenchArguments(model, settings, { prompt, generate, behind = 0, repetitions }) {
  return [
    ...commonArguments(model, settings),
    ...["-d", String(behind)],
    ...["-p", String(prompt), "-n", String(generate), "-r", String(repetitions), "-o", "jsonl"],
  ];
}

/** Milliseconds of each repetition of `llama-bench` on a prompt or a generation. */
export async function llamaBench(model, settings, work) {
  const [line] = await jsonLines("llama-bench", llamaBenchArguments(model, settings, work));
  return line.samples_ns.map((nanoseconds) => nanoseconds / 1e6);
}

/** Milliseconds that each repetition of `llama-batched-bench` took for prompts and generations. */
export async function llamaBatchedBench(model, settings, work) {
  const { sequences, prompt, generate, contextSize, repetitions } = work;
  const lines = await jsonLines("llama-batched-bench", [
    ...commonArguments(model, settings),
    ...["-tb", String(settings.threads), "-c", String(contextSize * sequences)],
    ...["-npp", String(prompt), "-ntg", String(generate)],
    ...["-npl", Array(repetitions).fill(sequences).join(","), "--output-format", "jsonl"],
    ...(settings.kvCache === "unified" ? ["--kv-unified"] : ["--no-kv-unified"]),
  ]);
  return lines.map((line) => line.t * 1e3);
}

/**
 * Runs `watch` while `count` processes of `llama-bench` generate, each begun before it and none over
 * before its end.
 */
export async function besideLlamaBench(model, settings, { count, generate }, watch) {
  const work = { prompt: 0, generate, repetitions: 1 };
  const args = [...llamaBenchArguments(model, settings, work), "--progress"];
  const children = Array.from({ length: count }, () =>
    spawn(program("llama-bench"), args, { stdio: ["ignore", "ignore", "pipe"] }),
  );
  try {
    await Promise.all(children.map((child) => printed(child, ": generation run")));
    const result = await watch();
    const over = children.find((child) => child.exitCode !== null);
    if (over) throw new Error("llama-bench was over before the measurement.");
    return result;
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

function printed(child, text) {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (piece) => {
      output += piece;
      if (output.includes(text)) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`llama-bench ended with ${code}: ${output}`)));
  });
}

/** One line of JSON from a program of ours in native/. */
export async function measureNatively(name, args) {
  return (await jsonLines(name, args))[0];
}
