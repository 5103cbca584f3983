// Puts what was measured into the pages, between two comments, and draws the picture.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { drawChart } from "./chart.mjs";
import { asBrief, asText } from "./report.mjs";

const MARKS = ["<!-- bench:begin -->", "<!-- bench:end -->"];
const fileOf = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
export const pictureFile = "docs/performance.svg";

/** The page with `text` where the old figures stood. */
export function replaceBetween(page, text, name, [begin, end] = MARKS) {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${name} has no place between ${begin} and ${end}.`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

export async function drawPicture(rows) {
  await writeFile(fileOf(pictureFile), drawChart(rows));
  return pictureFile;
}

/** The README's rows: one of each kind of work, and of each neighbour. */
const BRIEF = ["decode-1b", "prefill-1b", "batch-8", "shared-prefix", "binding", "nlc-batch-8"];

/** Everything goes into docs/performance.md, some rows into the README. */
export async function writeDocs(rows) {
  if (rows.some((row) => row.quick)) throw new Error("Figures of a quick run are for no page.");
  const texts = [
    ["docs/performance.md", asText(rows)],
    ["README.md", asBrief(rows.filter(({ name }) => BRIEF.includes(name)))],
  ];
  // All pages are read before the first is written.
  const pages = await Promise.all(
    texts.map(async ([name, text]) => {
      return [name, replaceBetween(await readFile(fileOf(name), "utf8"), text, name)];
    }),
  );
  for (const [name, page] of pages) await writeFile(fileOf(name), page);
  return [...pages.map(([name]) => name), await drawPicture(rows)];
}
