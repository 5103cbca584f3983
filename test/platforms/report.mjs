// What was run where, as text and as the README's table.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { elsewhere, platforms } from "./platforms.mjs";
import { root } from "./work.mjs";

const begin = "<!-- platforms:begin -->";
const end = "<!-- platforms:end -->";

const titles = {
  basics: "basics",
  features: "features",
  renamed: "in an electron.exe",
  exits: "exits",
  levels: "CPU levels",
  lifetime: "lifetime",
  hostile: "hostile files",
  cli: "command line",
  native: "the engine's programs",
};

function counts(runs) {
  const known = Object.keys(titles).filter((name) => Object.hasOwn(runs, name));
  return known.map((name) => {
    const { passed, failed, leftOut = 0 } = runs[name];
    const total = passed + failed.length;
    const rest = leftOut > 0 ? ` (${leftOut} left out)` : "";
    return `${titles[name]} ${passed === total ? passed : `${passed} of ${total}`}${rest}`;
  });
}

function told({ name }, results) {
  const outcome = results[name];
  if (outcome === undefined) return "not run";
  if (outcome.skipped) return `skipped: ${outcome.skipped}`;
  if (outcome.failed) return `failed: ${outcome.failed}`;
  return counts(outcome.runs).join(", ");
}

export function asText(results) {
  return platforms.map((platform) => `${platform.title}: ${told(platform, results)}`).join("\n");
}

function asMarkdown(results) {
  const rows = platforms.map((platform) => [
    platform.title,
    platform.target ? "here, cross-compiled" : "here",
    `here: ${told(platform, results)}`,
  ]);
  const lines = [["", "Built", "Run"], ["---", "---", "---"], ...elsewhere.here, ...rows];
  return [...lines, ...elsewhere.others].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export async function writeReadme(results) {
  const file = path.join(root, "README.md");
  const text = await readFile(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}.`);
  const table = `${begin}\n\n${asMarkdown(results)}\n\n`;
  await writeFile(file, `${text.slice(0, from)}${table}${text.slice(to)}`);
}
