// JSON-Schema-Test-Suite: what is accepted, refused and wrong, keyword by keyword.

import { inOrder } from "./instance-order.mjs";
import { tryCompile } from "./schema-library.mjs";

const NOTHING = { schemas: 0, refused: 0, valid: 0, missed: 0, invalid: 0, taken: 0 };

/**
 * @param files of a draft, as readSuite gives them
 * @returns by the files' names what was counted, and the reasons of what was refused
 */
export function measureSuite(library, files, { verbose }) {
  return new Map(
    files.map(([name, groups]) => [name, measureGroups(library, groups, name, verbose)]),
  );
}

function measureGroups(library, groups, name, verbose) {
  const sum = { ...NOTHING, reasons: new Set() };
  for (const { description, schema, tests } of groups) {
    sum.schemas++;
    const { grammar, refused, path: place } = tryCompile(library, schema);
    if (grammar === undefined) {
      sum.refused++;
      sum.reasons.add(refused);
      if (verbose) console.log(`refused ${name}: ${description}: ${place} ${refused}`);
      continue;
    }
    const matcher = new library.GbnfMatcher(grammar.source);
    for (const { description: what, valid, data } of tests) {
      sum[valid ? "valid" : "invalid"]++;
      const taken = matcher.matches(JSON.stringify(inOrder(data, schema)));
      if (taken === valid) continue;
      sum[valid ? "missed" : "taken"]++;
      if (verbose) console.log(valid ? "MISSED" : "TAKEN", name, `${description}: ${what}`);
    }
  }
  return sum;
}

/** What was counted for all keywords together. */
export function sumOf(measured) {
  const all = { ...NOTHING };
  for (const sum of measured.values()) for (const key of Object.keys(all)) all[key] += sum[key];
  return all;
}

export function printSuite(draft, measured) {
  const cell = (text, width) => String(text).padStart(width);
  console.log(`JSON-Schema-Test-Suite, ${draft}`);
  console.log("  keyword                        schemas refused  valid missed  invalid taken");
  for (const [name, sum] of [...measured, ["all", sumOf(measured)]]) {
    const { schemas, refused, valid, missed, invalid, taken } = sum;
    console.log(
      `  ${name.padEnd(30)} ${cell(schemas, 7)} ${cell(refused, 7)} ${cell(`${missed}/${valid}`, 13)} ${cell(`${taken}/${invalid}`, 14)}`,
    );
  }
}
