// Many rounds of each way to stop in the middle of something, and what became of them:
//
//   node test/lifetime/rounds.mjs [--rounds 1000] [--lanes 2]
//
// Disposes while loading, creating, prefilling and decoding; terminates workers, and has them exit,
// while they do so; exits of the process, with all its listeners removed, too. Wanted: the exit code
// that was asked for, no signal, no word, nothing that takes over 2 s.
import { fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    lanes: { type: "string", default: "2" },
  },
});
const wanted = Number(values.rounds);
const LONGEST_MS = 2000;
const PER_CHILD = 50; // of those that go many rounds in one process

/** How a child ended, and what it told of itself. */
async function run(script, args) {
  const child = fork(new URL(script, import.meta.url), args, {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: {
      ...process.env,
      CRIA_TEST_MODEL: new URL("../../models/cria-demo.gguf", import.meta.url).pathname,
    },
  });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  let told = {};
  child.on("message", (message) => {
    told = message;
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), 600_000);
  const [code, signal] = await once(child, "close");
  clearTimeout(deadline);
  const took = told.exitAt === undefined ? told.slowest : Date.now() - told.exitAt;
  return { code, signal, output, took, hits: told.hits };
}

function* jobs() {
  for (let done = 0; done < wanted; done += PER_CHILD) {
    const rounds = Math.min(PER_CHILD, wanted - done);
    yield { row: "dispose", script: "./dispose.mjs", args: [String(rounds)], rounds, code: 0 };
  }
  // Each phase is a third of the rounds.
  for (let done = 0; done < wanted * 3; done += PER_CHILD) {
    const rounds = Math.min(PER_CHILD, wanted * 3 - done);
    const args = [String(rounds)];
    yield { row: "terminate", script: "./terminate-worker.mjs", args, rounds, code: 0 };
  }
  for (const how of ["", "alone"]) {
    for (const phase of ["load", "prefill", "decode"]) {
      for (let i = 0; i < wanted; i++) {
        const row = `exit during ${phase}${how && ", without listeners"}`;
        yield { row, script: "./exit.mjs", args: [String(i), phase, how], rounds: 1, code: 7 };
      }
    }
  }
}

const rows = new Map();
const source = jobs();
let bad = 0;

async function lane() {
  for (const job of source) {
    const end = await run(job.script, job.args);
    const row = rows.get(job.row) ?? { rounds: 0, slowest: 0, hits: {} };
    rows.set(job.row, row);
    row.rounds += job.rounds;
    row.slowest = Math.max(row.slowest, end.took ?? 0);
    for (const [phase, count] of Object.entries(end.hits ?? {})) {
      row.hits[phase] = (row.hits[phase] ?? 0) + count;
    }
    const fine =
      end.code === job.code && end.signal === null && end.output === "" && end.took < LONGEST_MS;
    if (fine) continue;
    bad += 1;
    console.log("BAD", job.row, job.args.join(" "), JSON.stringify(end));
  }
}

await Promise.all(Array.from({ length: Number(values.lanes) }, lane));
for (const [name, { rounds, slowest, hits }] of rows) {
  const stopped = Object.entries(hits).map(([phase, count]) => `${phase} ${count}`);
  const races = stopped.length > 0 ? `; stopped in time: ${stopped.join(", ")}` : "";
  console.log(`${name}: ${rounds} rounds, slowest ${slowest.toFixed(0)} ms${races}`);
}
console.log(bad === 0 ? "all as wanted" : `${bad} not as wanted`);
process.exitCode = bad === 0 ? 0 : 1;
