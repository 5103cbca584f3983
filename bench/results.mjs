// Where figures are kept: rows by name, so that they need not be measured in one go.

import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

export async function readResults(file) {
  if (!existsSync(file)) return [];
  return JSON.parse(await readFile(file, "utf8")).rows;
}

/** New rows replace those of their names; `names` are the rows that there are, in order. */
export async function mergeResults(file, rows, names) {
  const all = new Map([...(await readResults(file)), ...rows].map((row) => [row.name, row]));
  const merged = names.filter((name) => all.has(name)).map((name) => all.get(name));
  await mkdir(path.dirname(file), { recursive: true });
  const lines = merged.map((row) => JSON.stringify(row)).join(",\n");
  await writeFile(file, `{ "rows": [\n${lines}\n] }\n`);
  return merged;
}
