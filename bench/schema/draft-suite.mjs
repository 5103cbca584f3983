// JSON-Schema-Test-Suite: what is accepted, refused and wrong, keyword by keyword.

import { inOrder } from "./instance-order.mjs";
import { tryCompile } from "./schema-library.mjs";

const NOTHING = { schemas: 0, refused: 0, valid: 0, missed: 0, invalid: 0, taken: 0 };

export function measureSuite(library, files, { draft, verbose, markdown }) {
  const rows = files.map(([name, groups]) => [name, measureGroups(library, groups, name, verbose)]);
  const all = { ...NOTHING };
  for (const [, sum] of rows) for (const key of Object.keys(all)) all[key] += sum[key];
  rows.push([markdown ? "**all**" : "all", all]);
  if (markdown) printMarkdown(draft, rows);
  else print(draft, rows);
  return all.taken === 0;
}

function measureGroups(library, groups, name, verbose) {
  const sum = { ...NOTHING };
  for (const { description, schema, tests } of groups) {
    sum.schemas++;
    const { grammar, refused, path: place } = tryCompile(library, schema);
    if (grammar === undefined) {
      sum.refused++;
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

function print(draft, rows) {
  const cell = (text, width) => String(text).padStart(width);
  console.log(`JSON-Schema-Test-Suite, ${draft}`);
  console.log("  keyword                        schemas refused  valid missed  invalid taken");
  for (const [name, { schemas, refused, valid, missed, invalid, taken }] of rows) {
    console.log(
      `  ${name.padEnd(30)} ${cell(schemas, 7)} ${cell(refused, 7)} ${cell(`${missed}/${valid}`, 13)} ${cell(`${taken}/${invalid}`, 14)}`,
    );
  }
}

function printMarkdown(draft, rows) {
  console.log(
    `\n| ${draft} | schemas | refused | valid missed | invalid taken |\n|---|---|---|---|---|`,
  );
  for (const [name, { schemas, refused, valid, missed, invalid, taken }] of rows) {
    console.log(
      `| ${name} | ${schemas} | ${refused} | ${missed} of ${valid} | ${taken} of ${invalid} |`,
    );
  }
}
