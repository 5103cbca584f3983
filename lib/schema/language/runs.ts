import type { CharSet } from "./char-set.js";
import { type Dfa, type Edge, edgesOf } from "./dfa.js";
import { Numbering } from "./numbering.js";

/** What is counted further is not written so. */
const MAX_RUN = 1_000;
/** States with more ways on have no run. */
const MAX_WAYS = 8;

/**
 * From a state, up to so many characters of a set lead to another one, and behind each of them, and
 * before the first, the same may come as there: `[0-9]{0,20}` before what `target` begins with.
 */
export interface Run {
  readonly set: CharSet;
  readonly most: number;
  readonly target: number;
}

const known = new WeakMap<Dfa, readonly (Run | undefined)[]>();

/** Per state, its run, if it has one. */
export function runsOf(dfa: Dfa): readonly (Run | undefined)[] {
  let runs = known.get(dfa);
  if (runs === undefined) {
    runs = findRuns(dfa);
    known.set(dfa, runs);
  }
  return runs;
}

/** A step from a state that could be the first of a run: `others` are the ways beside it. */
interface Step {
  readonly from: number;
  readonly set: CharSet;
  readonly others: string;
}

function findRuns(dfa: Dfa): readonly (Run | undefined)[] {
  const edges = edgesOf(dfa);
  const runs: (Run | undefined)[] = edges.map(() => undefined);
  if (!edges.some((_, state) => isRepeated(state, edges))) return runs;
  const numbers = new Numbering<CharSet>();
  // What may come at a state, as a text that is equal for the same.
  const ways = edges.map((some) => some.map(([to, set]) => `${numbers.of(set)}>${to}`));
  const end = (state: number) => (dfa.accepting[state] === 1 ? "." : "");
  const all = ways.map((some, state) => some.join(",") + end(state));
  const stepsTo: Step[][] = edges.map(() => []);
  for (const [from, some] of edges.entries()) {
    if (some.length > MAX_WAYS) continue;
    for (const [index, [to, set]] of some.entries()) {
      const others = ways[from]!.filter((_, at) => at !== index).join(",") + end(from);
      stepsTo[to]!.push({ from, set, others });
    }
  }
  const found: number[] = [];
  const begin = (from: number, run: Run) => {
    if (runs[from] !== undefined || from === run.target || run.most > MAX_RUN) return;
    runs[from] = run;
    found.push(from);
  };
  for (const [target, steps] of stepsTo.entries()) {
    for (const { from, set, others } of steps) {
      if (others === all[target]) begin(from, { set, most: 1, target });
    }
  }
  for (const state of found) {
    const { set, most, target } = runs[state]!;
    for (const step of stepsTo[state]!) {
      if (step.set !== set || step.others !== all[target]) continue;
      begin(step.from, { set, most: most + 1, target });
    }
  }
  return runs;
}

/** Whether two characters of one set can follow each other: most automata have no such state. */
function isRepeated(from: number, edges: readonly (readonly Edge[])[]): boolean {
  return edges[from]!.some(([to, set]) =>
    edges[to]!.some(([next, other]) => other === set && next !== to),
  );
}
