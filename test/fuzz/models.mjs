// Mutated model files, each loaded, used and disposed of in a child process: a coded error or a working
// result, within 5 s, and never a signal.
//
//   node test/fuzz/models.mjs --count 20000 --seed 1 [--from 0] [--keep DIR]
//
// Case number i of a seed is the same file every time; `--from` goes on where a run was left. Files that
// fail are kept. The last line counts.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BASES } from "./base-models.cjs";
import { writeGguf } from "./gguf.cjs";
import { Chance, MUTATIONS } from "./mutations.mjs";

const DEADLINE_MS = 5000;
const DEMO = fileURLToPath(new URL("../../models/cria-demo.gguf", import.meta.url));
const options = {
  count: { type: "string", default: "1000" },
  seed: { type: "string", default: "1" },
  from: { type: "string", default: "0" },
  keep: { type: "string" },
  deadline: { type: "string", default: String(DEADLINE_MS) },
};

function caseOf(seed, index, bases) {
  const chance = new Chance(seed * 1_000_003 + index);
  const base = chance.pick(Object.keys(bases));
  const kind = chance.pick(Object.keys(MUTATIONS));
  return { base, kind, bytes: MUTATIONS[kind](bases[base], chance), chance };
}

function allBases() {
  const made = Object.entries(BASES).map(([name, file]) => [name, writeGguf(file)]);
  return Object.fromEntries([...made, ["demo", readFileSync(DEMO)]]);
}

/** In the child: the cases from `from` on, each told when it begins and how it ended. */
async function work({ seed, from, count, path }) {
  const { CriaError, Model, Sampler } = await import("../../dist/index.js");
  const bases = allBases();
  for (let index = from; index < count; index++) {
    const { base, kind, bytes, chance } = caseOf(seed, index, bases);
    process.send({ index, base, kind });
    await writeFile(path, bytes);
    const embeddings = /^(bert|t5)/.test(base);
    let outcome = "works";
    let model;
    try {
      model = await Model.load(path, { mmap: chance.below(4) > 0 });
      model.detokenize(model.tokenize("the llama", { special: true }), { special: true });
      const threads = chance.below(2) ? { threads: 2 } : {};
      const context = await model.createContext({ contextSize: 64, embeddings, ...threads });
      if (embeddings) await context.embed("the llama");
      else {
        const sampler = chance.below(2) ? Sampler.greedy() : new Sampler({ seed: 1 });
        await context.generate("the llama", { sampler, maxTokens: 3 }).result();
      }
    } catch (error) {
      outcome = CriaError.is(error) ? error.code : `${error}`;
      if (outcome === "ERR_INTERNAL") process.send({ index, note: error.message });
    }
    try {
      await model?.dispose();
    } catch (error) {
      outcome = `dispose: ${error}`;
    }
    process.send({ index, outcome });
  }
  process.exit(0);
}

/** Processes per core: a machine that others use takes that much longer. */
function crowd() {
  return Math.max(1, loadavg()[0] / availableParallelism());
}

/** In the parent: a child until it is through, dies or stands still; where it ended. */
function watch(job, onNews) {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), ["--child", JSON.stringify(job)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
    let running;
    let timer;
    const arm = () => {
      clearTimeout(timer);
      timer = setTimeout(() => child.kill("SIGKILL"), job.deadline * crowd());
    };
    const began = setTimeout(() => child.kill("SIGKILL"), 60_000);
    child.on("message", (news) => {
      clearTimeout(began);
      arm();
      if (news.kind !== undefined) running = news;
      onNews({ ...running, ...news });
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      clearTimeout(began);
      resolve({ code, signal, running, said });
    });
  });
}

export async function fuzzModels({ count, seed, from = 0, keep, deadline = DEADLINE_MS, log }) {
  const directory = await mkdtemp(join(tmpdir(), "cria-fuzz-"));
  const path = join(directory, "model.gguf");
  const outcomes = {};
  const failures = [];
  const fail = async (news, how) => {
    const name = `${seed}-${news.index}.gguf`;
    if (keep) await copyFile(path, join(keep, name));
    failures.push(`case ${news.index} of seed ${seed} (${news.base}, ${news.kind}): ${how}`);
    log?.(failures.at(-1));
  };
  let next = from;
  while (next < count) {
    const waiting = [];
    const end = await watch({ seed, from: next, count, path, deadline }, (news) => {
      if (news.note) log?.(`${news.index} (${news.base}, ${news.kind}): ${news.note}`);
      if (news.outcome === undefined) return;
      outcomes[news.outcome] = (outcomes[news.outcome] ?? 0) + 1;
      next = news.index + 1;
      if (!/^(works|ERR_[A-Z_]+)$/.test(news.outcome)) waiting.push([news, news.outcome]);
      if (next % 500 === 0) log?.(`${next} of ${count}: ${JSON.stringify(outcomes)}`);
    });
    for (const [news, how] of waiting) await fail(news, how);
    if (end.code === 0 && end.said === "") continue;
    const how =
      end.signal === "SIGKILL" ? `no end within ${deadline} ms` : `${end.signal ?? end.code}`;
    await fail(end.running ?? { index: next }, `${how} ${end.said.slice(0, 600)}`);
    next = Math.max(next, (end.running?.index ?? next) + 1);
  }
  await rm(directory, { recursive: true });
  return { outcomes, failures };
}

if (process.argv[2] === "--child") {
  await work(JSON.parse(process.argv[3]));
} else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options });
  const [count, seed, from, deadline] = ["count", "seed", "from", "deadline"].map((name) =>
    Number(values[name]),
  );
  const log = (line) => console.log(line);
  const { outcomes, failures } = await fuzzModels({ ...values, count, seed, from, deadline, log });
  log(
    `${count - from} files of seed ${seed}: ${JSON.stringify(outcomes)}, ${failures.length} failed`,
  );
  process.exitCode = failures.length > 0 ? 1 : 0;
}
