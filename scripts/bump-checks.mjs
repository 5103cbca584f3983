// Builds the engine from another tree of llama.cpp and runs what holds cria to llama.cpp's own results, then names
// what broke. Everything that a new version may break by itself; the whole suite comes after it.

import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";

/** Suites whose results are llama.cpp's, or come from data in its tree; most of them first. */
export const SUITES = [
  "test/native",
  ...["context/sequence", "embedding/embed", "generation/checkpoints", "generation/exactness"],
  ...["generation/greedy", "generation/logprobs", "generation/score", "sampling/sampler-reference"],
  ...["sampling/gbnf", "sampling/grammar", "model/tokenizer", "chat/tokens", "chat/formats"],
  ...["guard/guard-prompt", "docs/template-table", "media/media-reference"],
  ...["generation/adapters", "model/estimate-memory"],
].map((name) => (name.startsWith("test/") ? name : `test/${name}`));

/** What is done, in order; the first that fails ends it, since the next would tell nothing. */
export function stepsOf({ tree, results }) {
  const node = process.execPath;
  return [
    { name: "build", command: [node, "scripts/build.mjs", "--tests"] },
    { name: "library", command: [node, "node_modules/tsup/dist/cli-default.js"] },
    {
      name: "tests",
      command: [
        ...[node, "node_modules/jest/bin/jest.js", ...SUITES],
        ...["--selectProjects", "native", "--json", `--outputFile=${results}`, "--silent"],
      ],
      results,
    },
  ].map((step) => ({ ...step, env: { LLAMA_CPP_DIR: tree } }));
}

/** Runs the steps in `root` and resolves with what broke, a line each: none where all is well. */
export async function runChecks({ root, steps, log }) {
  for (const { name, command, env, results } of steps) {
    log(`${name}: ${command.slice(1).join(" ")}`);
    if (results !== undefined) await rm(results, { force: true });
    const { code, output } = await run(command, { cwd: root, env });
    const broken = results === undefined ? [] : await brokenTests(root, results);
    if (code === 0 && broken.length === 0) continue;
    if (broken.length > 0) return broken;
    return [`${name} failed (${code})`, ...compilerErrors(output)];
  }
  return [];
}

function run([program, ...args], { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

/** Of a failed build its errors; where there are none, its last lines. */
export function compilerErrors(output) {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) =>
    /\b(?:fatal )?error\b ?[:(]|undefined reference|CMake Error/i.test(line),
  );
  const told = [...new Set(errors.map((line) => line.trim()))];
  return told.length > 0 ? told.slice(0, 40) : lines.slice(-10);
}

/** From jest's own report: suites that did not run, and tests that failed. */
async function brokenTests(root, file) {
  let report;
  try {
    report = JSON.parse(await readFile(file, "utf8"));
  } catch {
    return ["the tests left no report"];
  }
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const suite = path.relative(root, name);
    const failed = assertionResults.filter((one) => one.status === "failed");
    if (failed.length > 0) return failed.map(({ fullName }) => `${suite}: ${fullName}`);
    if (status !== "failed") return [];
    const [first = ""] = String(message)
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    return [`${suite} did not run: ${first}`];
  });
}
