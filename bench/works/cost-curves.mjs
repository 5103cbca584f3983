// What things cost, by model size: a token beside others and behind a context, a prompt token, a cached prefix.
//
//   node bench/works/cost-curves.mjs [--only NAME] [--rounds N] [--quick] [--output FILE] [--threads N]
//   node bench/works/cost-curves.mjs --docs      measure nothing: draw docs/cost.svg, and put the table into the page
//
// A name is demo, 90m or 1b; without one all are measured: some five minutes on two cores. Figures are medians of
// rounds. Nothing else may run meanwhile.
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { estimateMemory, Model } from "../../dist/index.js";
import { ensureLlamaCpp } from "../../scripts/fetch-llama-cpp.mjs";
import { drawCosts } from "../cost-chart.mjs";
import { costText } from "../cost-table.mjs";
import { replaceBetween } from "../docs.mjs";
import { busyProcessors, median } from "../measure.mjs";
import { ensureModel, titleOf } from "../models.mjs";
import { buildUpstream, program, workDirectory } from "../upstream.mjs";
import { consume, promptMakerOf } from "./support.mjs";

const TOGETHER = [1, 2, 4, 8, 16, 32];
const DEPTHS = [256, 512, 1024, 2048, 4096];
const FEW_DEPTHS = [256, 512];
/** The demo model was trained on so many. */
const DEMO_DEPTHS = [256, 512, 1024];
const MODELS = ["demo", "90m", "1b"];
/** Steps at which several generate: what the longer runs take beyond the shorter ones is theirs alone. */
const STEPS = [6, 22];
/** Generated behind a context, after the first. */
const BEHIND = 12;

const endless = new Map();
/** Greedy, and without an end of its own. */
function talking(model) {
  if (!endless.has(model)) {
    const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
    const ends = ids.filter((id) => model.isEndOfGeneration(id));
    const logitBias = Object.fromEntries(ends.map((id) => [id, Number.NEGATIVE_INFINITY]));
    endless.set(model, { temperature: 0, logitBias });
  }
  return endless.get(model);
}

const log = (line) => console.error(`cost-curves: ${line}`);
const fileOf = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** Milliseconds of one step of `sequences` generations, none of which is behind more than a few tokens. */
async function together(context, makePrompt, sequences) {
  const prompts = Array.from({ length: sequences }, () => makePrompt(8));
  const times = [];
  for (const tokens of STEPS) {
    const options = {
      ...talking(context.model),
      maxTokens: tokens,
      maxPause: Number.POSITIVE_INFINITY,
    };
    const run = () =>
      Promise.all(prompts.map((prompt) => consume(context.generate(prompt, options), tokens)));
    if (times.length === 0) await run(); // the prompts are cached from here on
    const begin = performance.now();
    await run();
    times.push(performance.now() - begin);
  }
  return (times[1] - times[0]) / (STEPS[1] - STEPS[0]);
}

async function measureTogether(model, { counts, rounds, threads }) {
  const context = await model.createContext({
    contextSize: 64,
    sequences: Math.max(...counts),
    threads,
  });
  const makePrompt = promptMakerOf(model);
  const found = [];
  for (const sequences of counts) {
    const times = [];
    for (let round = 0; round < rounds; ++round)
      times.push(await together(context, makePrompt, sequences));
    found.push({ sequences, msPerStep: median(times) });
  }
  await context.dispose();
  return found;
}

/** One text that grows from depth to depth: what is new of it, a few tokens behind it, and what it takes as a prefix. */
async function measureText(context, text, depths) {
  const found = [];
  let before = 0;
  for (const depth of depths) {
    const prompt = text.slice(0, depth);
    const maxTokens = BEHIND + 1;
    const { timings, usage } = await context
      .generate(prompt, { ...talking(context.model), maxTokens })
      .result();
    const evaluated = usage.promptTokens - usage.cachedTokens;
    if (evaluated > depth - before + 16) throw new Error(`${evaluated} tokens were evaluated.`);
    // Another end behind the prefix, in the sequence that has it.
    const other = Int32Array.from([...prompt, 7, 8, 9]);
    const kept = await context
      .generate(other, { ...talking(context.model), maxTokens: 1 })
      .result();
    found.push({
      depth,
      msPerPromptToken: timings.promptMs / evaluated,
      msPerToken: timings.generationMs / BEHIND,
      msOfKept: kept.timings.promptMs,
    });
    before = depth;
  }
  return found;
}

/** Milliseconds that a copy of a prefix takes into another sequence. */
async function measureCopies(model, text, { depths, threads }) {
  const contextSize = Math.max(...depths) + 64;
  const context = await model.createContext({ contextSize, sequences: 2, threads });
  const sequence = await context.createSequence();
  const found = [];
  let before = 0;
  for (const depth of depths) {
    await sequence.evaluate(text.slice(before, depth));
    const times = [];
    for (let copy = 0; copy < 3; ++copy) {
      const begin = performance.now();
      const other = await sequence.fork();
      times.push(performance.now() - begin);
      await other.dispose();
    }
    found.push({ depth, msOfCopy: median(times) });
    before = depth;
  }
  await context.dispose();
  return found;
}

async function measureDepths(model, work) {
  const { depths, rounds, threads } = work;
  const contextSize = Math.max(...depths) + 64;
  const context = await model.createContext({ contextSize, threads });
  const makePrompt = promptMakerOf(model);
  await context.generate(makePrompt(64), { ...talking(context.model), maxTokens: 8 }).result();
  const runs = [];
  let text;
  for (let round = 0; round < rounds; ++round) {
    text = makePrompt(Math.max(...depths));
    runs.push(await measureText(context, text, depths));
  }
  await context.dispose();
  const copies = await measureCopies(model, text, work);
  return copies.map((copy, index) => {
    const of = (key) => median(runs.map((run) => run[index][key]));
    const keys = ["msPerPromptToken", "msPerToken", "msOfKept"];
    return { ...copy, ...Object.fromEntries(keys.map((key) => [key, of(key)])) };
  });
}

async function measure(name, file, work) {
  const model = await Model.load(file);
  const cells = 1024;
  const { kvCache } = await estimateMemory(file, { contextSize: cells });
  const found = {
    name,
    title: titleOf(name),
    parameters: model.parameterCount,
    bytes: model.sizeInBytes,
    bytesPerCell: kvCache / cells,
    together: await measureTogether(model, work),
    depths: await measureDepths(model, work),
  };
  await model.dispose();
  return found;
}

async function modelFile(name, tree) {
  if (name !== "demo" && !existsSync(program("make-model"))) await buildUpstream(log, "make-model");
  return ensureModel(name, tree, log);
}

/** With the models that were measured before and are not now. */
async function keep(costs, output) {
  const before = existsSync(output) ? JSON.parse(await readFile(output, "utf8")).models : [];
  const all = new Map([...before, ...costs.models].map((model) => [model.name, model]));
  const models = MODELS.filter((name) => all.has(name)).map((name) => all.get(name));
  const whole = { ...costs, models };
  await mkdir(path.dirname(output), { recursive: true });
  await writeFile(output, `${JSON.stringify(whole, undefined, 1)}\n`);
  return whole;
}

async function measureAll({ only, rounds, quick, threads, output }) {
  const tree = await ensureLlamaCpp({ log });
  const cpu = `${cpus()[0].model.trim()}, ${cpus().length} logical`;
  const run = { date: new Date().toISOString(), cpu, node: process.version, rounds, quick };
  const costs = { ...run, busyBefore: await busyProcessors(), models: [] };
  for (const name of only ?? MODELS) {
    const file = await modelFile(name, tree);
    const most = name === "demo" ? DEMO_DEPTHS : DEPTHS;
    const begin = performance.now();
    costs.models.push(
      await measure(name, file, {
        counts: quick ? [1, 2] : TOGETHER,
        depths: quick ? FEW_DEPTHS : most,
        ...{ rounds, threads },
      }),
    );
    // At once: what was measured stays, whatever becomes of the rest.
    await keep(costs, output);
    log(`${titleOf(name)}: ${((performance.now() - begin) / 1000).toFixed(0)} s`);
  }
  return keep(costs, output);
}

async function writeDocs(output) {
  if (!existsSync(output)) throw new Error(`Nothing was measured yet: no ${output}.`);
  const costs = JSON.parse(await readFile(output, "utf8"));
  if (costs.quick) throw new Error("Figures of a quick run are for no page.");
  const page = fileOf("docs/performance.md");
  const marks = ["<!-- cost:begin -->", "<!-- cost:end -->"];
  const text = replaceBetween(await readFile(page, "utf8"), costText(costs), page, marks);
  await writeFile(fileOf("docs/cost.svg"), drawCosts(costs));
  await writeFile(page, text);
  log("wrote docs/performance.md and docs/cost.svg");
}

const flag = { type: "boolean", default: false };
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    threads: { type: "string" },
    output: { type: "string" },
    quick: flag,
    docs: flag,
  },
});
const unknown = (values.only ?? []).find((name) => !MODELS.includes(name));
if (unknown) throw new Error(`No model is called ${unknown}: expected ${MODELS.join(", ")}.`);
const output =
  values.output ?? path.join(workDirectory, values.quick ? "cost-quick.json" : "cost.json");
if (values.docs) {
  await writeDocs(output);
} else {
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 2));
  const threads = values.threads === undefined ? undefined : Number(values.threads);
  const costs = await measureAll({ ...values, rounds, threads, output });
  console.log(costText(costs));
  log(`wrote ${output}`);
}
