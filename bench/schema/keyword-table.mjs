// The table by keyword of docs/structured-output.md.

import { readFileSync, writeFileSync } from "node:fs";
import { sumOf } from "./draft-suite.mjs";

const [BEGIN, END] = ["<!-- keywords -->\n", "\n<!-- /keywords -->"];

/** @param drafts what measureSuite has counted, by the drafts' names */
export function keywordTable(drafts) {
  const names = [...new Set([...drafts.values()].flatMap((measured) => [...measured.keys()]))];
  names.sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const row = (cells) => `| ${cells.join(" | ")} |`;
  const heads = ["Keyword", ...[...drafts.keys()].map(titleOf), "Refused"];
  const all = [...drafts.values()].map(sumOf);
  return [
    row(heads),
    row(heads.map(() => "---")),
    ...names.map((name) => {
      const sums = [...drafts.values()].map((measured) => measured.get(name));
      const reasons = new Set(sums.flatMap((sum) => [...(sum?.reasons ?? [])].map(shortened)));
      return row([`\`${name}\``, ...sums.map(cellOf), [...reasons].sort().join("; ")]);
    }),
    row(["**all**", ...all.map(cellOf), ""]),
  ].join("\n");
}

/** Puts the table into a page, between its marks. */
export function writeTable(path, table) {
  const page = readFileSync(path, "utf8");
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${path} has no place for the table`);
  writeFileSync(path, page.slice(0, from + BEGIN.length) + table + page.slice(to));
}

function titleOf(draft) {
  return draft.replace(/^draft/, "Draft ");
}

/** What is wrong stands there, too: there should be none. */
function cellOf(sum) {
  if (sum === undefined) return "";
  const { schemas, refused, valid, missed, taken } = sum;
  const kept = `${schemas - refused} of ${schemas}`;
  const wrong = [
    ...(missed > 0 ? [`${missed} of ${valid} valid instances missed`] : []),
    ...(taken > 0 ? [`**${taken} invalid instances taken**`] : []),
  ];
  return [kept, ...wrong].join(", ");
}

/** Names and numbers of the one schema say nothing about the others. */
function shortened(reason) {
  return reason
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, "…")
    .replaceAll("|", "\\|")
    .replace(/^\w+ is left: |, got \w+$/g, "");
}
