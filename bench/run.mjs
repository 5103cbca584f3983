// npm run bench: cria beside llama.cpp's own programs. What is compared and how: README.md.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { measurePairs } from "./measure.mjs";
import { ensureModel, shapes } from "./models.mjs";
import { asText, verdict } from "./report.mjs";
import { rows } from "./rows.mjs";
import { buildUpstream, workDirectory } from "./upstream.mjs";

const usage = `npm run bench -- [options]
  --only NAME     only this row; may be given several times
  --list          the rows' names
  --pairs N       alternating pairs per row (default 5, with --quick 2)
  --quick         fewer pairs and repetitions: does it work, not how fast is it
  --threads N     on both sides (default: physical cores)
  --model PATH    this model instead of the ones made here
  --output FILE   where the JSON goes (default .build/bench/result.json)`;

const log = (line) => console.error(`bench: ${line}`);

function parseOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      list: { type: "boolean", default: false },
      pairs: { type: "string" },
      quick: { type: "boolean", default: false },
      threads: { type: "string" },
      model: { type: "string" },
      output: { type: "string", default: path.join(workDirectory, "result.json") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const number = (name, fallback) => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} is a positive number.`);
    return value;
  };
  const names = new Set(rows.map((row) => row.name));
  const unknown = (values.only ?? []).find((name) => !names.has(name));
  if (unknown) throw new Error(`No row is called ${unknown}; --list names them.`);
  if (values.model && !existsSync(values.model)) throw new Error(`No file ${values.model}.`);
  return {
    ...values,
    pairs: number("pairs", values.quick ? 2 : 5),
    threads: number("threads", physicalCores()),
    repetitions: values.quick ? 1 : 3,
  };
}

/** Hyper-threads share what a matrix product needs: llama.cpp counts cores, too. */
function physicalCores() {
  const directory = "/sys/devices/system/cpu";
  if (!existsSync(directory)) return availableParallelism();
  const siblings = readdirSync(directory)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => path.join(directory, name, "topology", "thread_siblings_list"))
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8").trim());
  return Math.min(new Set(siblings).size || Infinity, availableParallelism());
}

async function measure(row, options, settings, tree) {
  const model = options.model ?? (await ensureModel(row.model, tree, log));
  const environment = { model, settings, repetitions: options.repetitions };
  const b = () => row.b(environment);
  const a = row.a && (() => row.a(environment));
  const measured = await measurePairs(options.pairs, a, b, (pair) =>
    log(`${row.name}: ${pair} of ${options.pairs}`),
  );
  const { name, title, unit, wanted } = row;
  const modelTitle = options.model ? path.basename(options.model) : shapes[row.model].title;
  return {
    name,
    title,
    model: modelTitle,
    unit,
    wanted,
    ...measured,
    reached: verdict(wanted, measured),
  };
}

async function main() {
  const options = parseOptions();
  if (options.help) return console.log(usage);
  if (options.list) return console.log(rows.map((row) => row.name).join("\n"));
  const load = loadavg()[0];
  const { tree, commit } = await buildUpstream(log);
  const settings = {
    threads: options.threads,
    flashAttention: true,
    cacheType: "f16",
    cacheLayout: "separate",
    batchSize: 2048,
    microBatchSize: 512,
  };
  const chosen = options.only ? rows.filter((row) => options.only.includes(row.name)) : rows;
  const results = [];
  for (const row of chosen) results.push(await measure(row, options, settings, tree));
  const report = {
    date: new Date().toISOString(),
    llamaCpp: commit,
    node: process.version,
    cpu: `${cpus()[0].model.trim()}, ${cpus().length} logical`,
    loadBefore: load,
    pairs: options.pairs,
    repetitions: options.repetitions,
    settings,
    rows: results,
  };
  await mkdir(path.dirname(options.output), { recursive: true });
  await writeFile(options.output, `${JSON.stringify(report, null, 2)}\n`);
  console.log(asText(report));
}

try {
  await main();
} catch (error) {
  log(error.message);
  process.exitCode = 1;
}
