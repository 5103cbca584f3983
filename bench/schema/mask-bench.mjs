// Whether grammars take the valid instances of MaskBench's schemas, and only those.

import { inOrder } from "./instance-order.mjs";
import { tryCompile } from "./schema-library.mjs";

export function measureMaskBench(library, rows, { verbose }) {
  const sum = { right: 0, refused: 0, taken: 0, missed: 0, valid: 0, invalid: 0 };
  const slow = { time: 0, name: "" };
  const sizes = [];
  const times = { once: [], again: [] };
  const reasons = new Map();
  for (const { name, schema, tests } of rows) {
    const { time, grammar, refused, path: place } = tryCompile(library, schema);
    if (time > slow.time) Object.assign(slow, { time, name });
    if (grammar === undefined) {
      sum.refused++;
      const kind = refused.replaceAll(/".*"|\d+/g, "…").slice(0, 70);
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
      if (verbose) console.log(`refused ${name} ${place}: ${refused}`);
      continue;
    }
    sizes.push(grammar.source.length);
    times.once.push(time);
    // A copy: what is made of a schema is kept with the object.
    times.again.push(
      Math.min(...[1, 2, 3].map(() => tryCompile(library, structuredClone(schema)).time)),
    );
    const matcher = new library.GbnfMatcher(grammar.source);
    let right = true;
    for (const { valid, data } of tests) {
      sum[valid ? "valid" : "invalid"]++;
      const text = JSON.stringify(inOrder(data, schema));
      const reach = matcher.reach(text);
      if ((reach === "whole") === valid) continue;
      right = false;
      sum[valid ? "missed" : "taken"]++;
      if (!verbose) continue;
      const at =
        typeof reach === "number" ? text.slice(Math.max(0, reach - 80), reach + 40) : reach;
      console.log(valid ? "MISSED" : "TAKEN", name, reach, at);
    }
    if (right) sum.right++;
  }
  const share = (count) => `${((100 * count) / rows.length).toFixed(1)} %`;
  sizes.sort((a, b) => a - b);
  console.log(`MaskBench, ${rows.length} schemas`);
  console.log(`  wholly right      ${sum.right} (${share(sum.right)})`);
  console.log(`  refused           ${sum.refused} (${share(sum.refused)})`);
  console.log(`  invalid taken     ${sum.taken} of ${sum.invalid}`);
  console.log(`  valid refused     ${sum.missed} of ${sum.valid}`);
  console.log(`  slowest compile   ${slow.time.toFixed(0)} ms (${slow.name})`);
  console.log(`  compile, ms       ${spread(times.once)}; best of 3 more: ${spread(times.again)}`);
  console.log(`  grammar, bytes    median ${sizes[sizes.length >> 1]}, largest ${sizes.at(-1)}`);
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) {
    console.log(`  ${String(count).padStart(5)} ${reason}`);
  }
  return sum.taken === 0;
}

function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => sorted[Math.floor(part * sorted.length)]?.toFixed(1);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`;
}
