// Runs the properties of one fuzzer in this process, which its parent watches (watch.mjs): each run
// is told to it before it begins, so that a crash or a hang has a number to repeat it by.
//
//   node test/fuzz/NAME.mjs [--seed N] [--runs N | --seconds N] [--only TARGET [--path P]]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { CriaError } from "../../dist/index.js";
import { CallbackTrap } from "./hostile-values.mjs";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "1000" },
    seconds: { type: "string" },
    only: { type: "string" },
    path: { type: "string" },
  },
});

export const MODEL = process.env.CRIA_TEST_MODEL
  ? resolve(process.env.CRIA_TEST_MODEL)
  : fileURLToPath(new URL("../../models/cria-demo.gguf", import.meta.url));

/** Any text may be the name of an output: it is then one in here, not in whoever's folder. */
export const folder = mkdtempSync(join(tmpdir(), "cria-fuzz-"));
process.chdir(folder);
process.on("exit", () => {
  process.chdir(tmpdir());
  rmSync(folder, { recursive: true });
});

/** Signals are aborted with it: a rejection with it is in order. */
export const REASON = new Error("the reason of an abort");

const counts = { runs: 0, worked: 0, refused: 0 };

/** A coded error, of the user's side or of the engine's, but never one of cria's own faults. */
function inOrder(error) {
  if (error === REASON || error instanceof CallbackTrap) return true;
  // A class, or a revoked function, given as a callback: JavaScript itself refuses to call it.
  if (/^Class constructors? |^Cannot perform 'apply' on a proxy/.test(error?.message)) return true;
  return CriaError.is(error) && error.code !== "ERR_INTERNAL" && error.message !== "";
}

/**
 * Demands that `call` works or is refused with a code. What it gives is returned.
 *
 * @param also which other errors are in order: those of the user's own iterable, or of the file system
 */
export async function demandCode(call, also = () => false) {
  try {
    const result = await call();
    counts.worked++;
    return result;
  } catch (error) {
    if (!inOrder(error) && !also(error)) throw error;
    counts.refused++;
    return undefined;
  }
}

function report(failure) {
  console.log(JSON.stringify({ ...counts, seed: Number(values.seed), ...failure }));
}

async function check({ name, arbitrary, run }, seed, numRuns) {
  let index = 0;
  const property = fc.asyncProperty(arbitrary, async (value) => {
    process.send?.({ target: name, seed, path: values.path ?? String(index++) });
    counts.runs++;
    await run(value);
    if ({}.polluted !== undefined) throw new Error("Object.prototype was polluted");
  });
  const path = values.path === undefined ? {} : { path: values.path };
  const result = await fc.check(property, { seed, numRuns, ...path });
  if (!result.failed) return true;
  report({
    failed: { target: name, seed, path: result.counterexamplePath },
    error: String(result.errorInstance?.stack ?? result.error),
    value: fc.stringify(result.counterexample),
  });
  return false;
}

/**
 * @param targets each a `name`, an `arbitrary` of what `run` takes, which throws where something is
 * wrong, and the `share` of the runs that it gets (default 1)
 */
export async function fuzz(targets) {
  const chosen = targets.filter(({ name }) => values.only === undefined || name === values.only);
  if (chosen.length === 0) throw new Error(`There is no target ${values.only}.`);
  const all = chosen.reduce((sum, { share = 1 }) => sum + share, 0);
  const runs = values.path === undefined ? Number(values.runs) : 1;
  const end = values.seconds && Date.now() + Number(values.seconds) * 1000;
  let seed = Number(values.seed);
  do {
    for (const target of chosen) {
      const share = Math.ceil((runs * (target.share ?? 1)) / all);
      if (!(await check(target, seed, share))) {
        process.exitCode = 1;
        return;
      }
    }
    seed++;
  } while (end && Date.now() < end);
  report({});
}
