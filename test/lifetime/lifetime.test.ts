import { availableParallelism } from "node:os";
import { type ChildOptions, type End, QUIET, runScript } from "../support/child.js";

/** Under sanitizers in CI (scripts/sanitize.mjs --short) a fifth of all rounds. */
const part = process.env.CRIA_TEST_SHORT === undefined ? 1 : 5;
const ROUNDS = String(25 / part);
const EXITS = 20 / part;

/** Runs the children side by side, as many as there are processors. */
async function runAll(runs: readonly [script: string, options: ChildOptions][]): Promise<End[]> {
  const ends: End[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < runs.length; i = next++) {
      const [script, options] = runs[i] as [string, ChildOptions];
      ends[i] = await runScript(`lifetime/${script}`, options);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, lane));
  return ends;
}

function children(count: number, script: string, make: (i: number) => ChildOptions) {
  return Array.from({ length: count }, (_, i): [string, ChildOptions] => [script, make(i)]);
}

const quiet = (count: number) => Array.from({ length: count }, () => QUIET);

test("workers may be terminated in the middle of anything, 100 times", async () => {
  const runs = children(4, "terminate-worker.mjs", () => ({ args: [ROUNDS], deadline: 500_000 }));
  expect(await runAll(runs)).toEqual(quiet(4));
}, 560_000);

test("models and contexts may be disposed in the middle of anything, 100 times each", async () => {
  const runs = children(4, "dispose.mjs", () => ({ args: [ROUNDS], deadline: 500_000 }));
  expect(await runAll(runs)).toEqual(quiet(4));
}, 560_000);

test("what is dropped without dispose is collected, 100 times", async () => {
  const options = { args: [ROUNDS], execArgv: ["--expose-gc"], deadline: 500_000 };
  expect(await runAll(children(4, "drop.mjs", () => options))).toEqual(quiet(4));
}, 560_000);

test("sequences, scores and batches may be dropped or disposed in the middle, 100 times", async () => {
  const options = { args: [ROUNDS], execArgv: ["--expose-gc"], deadline: 500_000 };
  expect(await runAll(children(4, "sequences.mjs", () => options))).toEqual(quiet(4));
}, 560_000);

test("embeddings may be dropped, aborted or disposed in the middle, 100 times", async () => {
  const options = { args: [ROUNDS], execArgv: ["--expose-gc"], deadline: 500_000 };
  expect(await runAll(children(4, "embeddings.mjs", () => options))).toEqual(quiet(4));
}, 560_000);

test.each(["sequences.mjs", "embeddings.mjs"])(
  "the process may exit during any of %s, 20 times",
  async (script) => {
    const execArgv = ["--expose-gc"];
    const runs = children(EXITS, script, (i) => ({
      args: [String(i), "exit"],
      execArgv,
    }));
    expect(await runAll(runs)).toEqual(quiet(EXITS));
  },
  560_000,
);

test("a pending generation keeps the process alive, an idle context does not", async () => {
  expect(await runScript("lifetime/pending.mjs")).toEqual(QUIET);
});

describe("the process may exit, 140 times in all", () => {
  test.each([
    ["load", ""],
    ["open", ""],
    ["prefill", ""],
    ["decode", ""],
    ["decode", "disposing"],
    ["decode", "alone"],
    ["prefill", "thrown"],
  ])(
    "during %s %s",
    async (phase, how) => {
      const runs = children(EXITS, "exit.mjs", (i) => ({
        args: [String(i), phase, how],
      }));
      const asked = { ...QUIET, code: 7 };
      expect(await runAll(runs)).toEqual(Array(EXITS).fill(asked));
    },
    560_000,
  );
});

test("workers that alone use the engine leave nothing behind", async () => {
  const end = await runScript("lifetime/alone-in-workers.mjs", { args: ["5"] });
  expect(end).toEqual(QUIET);
});

test("what is held does not grow over generations and contexts that come and go", async () => {
  const { stdout, ...end } = await runScript("lifetime/churn.mjs", {
    args: ["--generations", String(400 / part), "--seed", "7"],
    execArgv: ["--expose-gc"],
    deadline: 200_000,
  });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ seed: 7 });
}, 240_000);
