// Two sides in turn, so that a machine that grows slower or faster does so for both.

import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const byKey = (figures) => (Array.isArray(figures) ? { figure: figures } : figures);

/**
 * Runs A and B `pairs` times in turn, or the two together where they can only be measured so. Returns
 * what each run gave: an object of lists.
 */
export async function measurePairs(pairs, { a, b, both }, onPair) {
  const samples = { a: [], b: [] };
  for (let pair = 1; pair <= pairs; ++pair) {
    const run = both ? await both() : { a: a && (await a()), b: await b() };
    if (run.a) samples.a.push(byKey(run.a));
    samples.b.push(byKey(run.b));
    onPair(pair);
  }
  return samples;
}

const range = (values) => ({ least: Math.min(...values), most: Math.max(...values) });

/**
 * One figure of what was measured. Of a run's repetitions the median counts; a pair's ratio is B's to
 * A's, and its difference B less A, so that what slowed down both leaves them alone. There may be no
 * A to compare with.
 */
export function summarize(samples, key) {
  const runs = { a: samples.a.map((run) => run[key]), b: samples.b.map((run) => run[key]) };
  const [a, b] = [runs.a.map(median), runs.b.map(median)];
  if (a.length === 0) return { b: median(b), samples: { b: runs.b } };
  const ratios = b.map((value, pair) => value / a[pair]);
  const differences = b.map((value, pair) => value - a[pair]);
  return {
    a: median(a),
    b: median(b),
    ratio: median(ratios),
    ratios: range(ratios),
    difference: median(differences),
    differences: range(differences),
    samples: runs,
  };
}

/** How many processors others keep busy, while this process does nothing for a moment. */
export async function busyProcessors(milliseconds = 500) {
  const read = () => {
    const times = cpus().map((cpu) => cpu.times);
    const sum = (pick) => times.reduce((total, time) => total + pick(time), 0);
    const idle = sum((time) => time.idle);
    return { idle, all: idle + sum((time) => time.user + time.nice + time.sys + time.irq) };
  };
  const before = read();
  await sleep(milliseconds);
  const after = read();
  const all = after.all - before.all;
  return all > 0 ? (1 - (after.idle - before.idle) / all) * cpus().length : 0;
}
