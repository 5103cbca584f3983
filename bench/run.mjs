// npm run bench: cria beside llama.cpp's own programs. What is compared and how: README.md.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { drawPicture, writeDocs } from "./docs.mjs";
import { busyProcessors, measurePairs, summarize } from "./measure.mjs";
import { ensureModel, titleOf } from "./models.mjs";
import { asText, verdict } from "./report.mjs";
import { mergeResults, readResults } from "./results.mjs";
import { measurements, peerMeasurements } from "./rows/index.mjs";
import { buildUpstream, workDirectory } from "./upstream.mjs";

const usage = `npm run bench -- [options]
  --only NAME     only this row; may be given several times
  --peers         also the rows beside other libraries (npm install --prefix bench/peers)
  --list          the rows' names
  --pairs N       alternating pairs per row (default 5, with --quick 1)
  --quick         less work: does it work, not how fast is it
  --threads N     on both sides (default: physical cores)
  --model PATH    this model instead of the ones made here
  --output FILE   where the JSON goes, beside rows that are there already
                  (default .build/bench/result.json, with --quick quick.json)
  --svg           also draw docs/performance.svg
  --docs          measure nothing: put what was measured into docs/performance.md and README.md,
                  and draw the picture`;

const log = (line) => console.error(`bench: ${line}`);
const everything = [...measurements, ...peerMeasurements];
const rowNames = everything.flatMap(({ figures }) => figures.map((figure) => figure.name));

function parseOptions() {
  const flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      peers: flag,
      list: flag,
      pairs: { type: "string" },
      quick: flag,
      threads: { type: "string" },
      model: { type: "string" },
      output: { type: "string" },
      svg: flag,
      docs: flag,
      help: { ...flag, short: "h" },
    },
  });
  const number = (name, fallback) => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} is a positive number.`);
    return value;
  };
  const unknown = (values.only ?? []).find((name) => !rowNames.includes(name));
  if (unknown) throw new Error(`No row is called ${unknown}; --list names them.`);
  if (values.model && !existsSync(values.model)) throw new Error(`No file ${values.model}.`);
  const file = values.quick ? "quick.json" : "result.json";
  return {
    ...values,
    output: values.output ?? path.join(workDirectory, file),
    pairs: number("pairs", values.quick ? 1 : 5),
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

/** A row of which one is asked for brings along those that are measured with it. */
function choose({ only, peers }) {
  if (!only) return peers ? everything : measurements;
  return everything.filter(({ figures }) => figures.some(({ name }) => only.includes(name)));
}

const shaped = (name) => name === "90m" || name === "1b";

async function measure(measurement, options, { settings, tree, machine }) {
  const replaced = options.model !== undefined && shaped(measurement.model);
  const model = replaced ? options.model : await ensureModel(measurement.model, tree, log);
  const repetitions = Math.min(options.repetitions, measurement.repetitions ?? Infinity);
  const pairs = Math.min(options.pairs, measurement.pairs ?? Infinity);
  const environment = { model, tree, settings, repetitions, quick: options.quick };
  const side = (run) => run && (() => run(environment));
  const sides = {
    a: side(measurement.a),
    b: side(measurement.b),
    both: side(measurement.both),
  };
  const date = new Date().toISOString();
  const busyBefore = await busyProcessors();
  const onPair = (pair) => log(`${measurement.name}: ${pair} of ${pairs}`);
  const samples = await measurePairs(pairs, sides, onPair);
  return measurement.figures.map(({ key, ...row }) => {
    const measured = summarize(samples, key);
    return {
      ...row,
      model: replaced ? path.basename(options.model) : titleOf(measurement.model),
      reference: measurement.reference,
      ...measured,
      reached: verdict(row.wanted, measured),
      ...{ date, busyBefore, pairs, repetitions, quick: options.quick, settings, machine },
    };
  });
}

async function measureAll(options) {
  const { tree, commit } = await buildUpstream(log);
  const cpu = `${cpus()[0].model.trim()}, ${cpus().length} logical`;
  const run = {
    tree,
    machine: { cpu, node: process.version, llamaCpp: commit.slice(0, 12) },
    settings: {
      threads: options.threads,
      flashAttention: true,
      kvCacheType: "f16",
      kvCache: "per-sequence",
      batchSize: 2048,
      microBatchSize: 512,
    },
  };
  const rows = [];
  for (const measurement of choose(options)) {
    const measured = await measure(measurement, options, run);
    rows.push(...measured);
    // At once: what was measured stays, whatever becomes of the rest.
    await mergeResults(options.output, measured, rowNames);
  }
  return rows;
}

async function main() {
  const options = parseOptions();
  if (options.help) return console.log(usage);
  if (options.list) return console.log(rowNames.join("\n"));
  if (options.docs) {
    const rows = await readResults(options.output);
    if (rows.length === 0) throw new Error(`Nothing was measured yet: no ${options.output}.`);
    for (const file of await writeDocs(rows)) log(`wrote ${file}`);
    return;
  }
  console.log(asText(await measureAll(options)));
  if (options.svg) log(`drew ${await drawPicture(await readResults(options.output))}`);
}

try {
  await main();
} catch (error) {
  log(error.message);
  process.exitCode = 1;
}
