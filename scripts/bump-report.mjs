// What a change of llama.cpp means for cria, in words.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  headerChanges,
  leftOutReasons,
  missingHeaders,
  ownSources,
  reachedHeaders,
  taskOf,
  usesOf,
} from "./header-changes.mjs";
import {
  DATA,
  folderChanges,
  optionChanges,
  shippedChanges,
  watchedChanges,
} from "./tree-changes.mjs";

/**
 * Compares two trees and returns `{ lines, tasks, changed }`: the report, what of it somebody has to do, and
 * whether there was any difference.
 */
export function bumpReport({ root, before, after }) {
  const sources = ownSources(root);
  const [old, now] = [before, after].map((tree) => reachedHeaders(tree, sources));
  const reasons = leftOutReasons(root);
  const changes = headerChanges(old, now).map((change) => {
    const uses = usesOf(change, sources);
    return {
      ...change,
      uses,
      task: taskOf(change, uses, reasons),
      reason: reasons.get(change.name),
    };
  });
  const missing = missingHeaders(old, now, sources);
  const options = optionChanges(before, after, ownBuildFiles(root));
  const tasks = [
    ...missing.map((name) => `<${name}> is gone: native/ includes it`),
    ...changes.flatMap(({ name, task }) => (task === undefined ? [] : [`${name} ${task}`])),
    ...options.flatMap(({ name, what, used }) =>
      used ? [`the option ${name} ${what}: our CMake files name it`] : [],
    ),
  ];
  const sections = [
    ["Headers that native/ reaches", headerLines(changes, missing)],
    ["Data of the tests", dataLines(before, after)],
    [
      "Sources we count on",
      watchedChanges(before, after).map(({ name, what, why }) => `${name}: ${what} (${why})`),
    ],
    ["Options of the build", options.map(({ name, what }) => `- ${name} ${what}`)],
    ["What is shipped", shippedLines(before, after)],
  ].filter(([, lines]) => lines.length > 0);
  if (sections.length === 0) return { lines: ["nothing changed"], tasks, changed: false };
  const lines = sections.flatMap(([title, own]) => ["", `## ${title}`, ...own]);
  const done =
    tasks.length === 0 ? ["nothing that the headers tell"] : tasks.map((task) => `- ${task}`);
  return { lines: [...lines.slice(1), "", "## To do", ...done], tasks, changed: true };
}

/** By header: what we use first, the rest by name alone. */
function headerLines(changes, missing) {
  const lines = missing.map((name) => `- <${name}> is not there any more`);
  const headers = [...new Set(changes.map(({ header }) => header))];
  for (const header of headers) {
    const own = changes.filter((change) => change.header === header);
    lines.push(`### ${header}`);
    for (const change of own.filter(({ uses }) => uses.length > 0)) lines.push(...used(change));
    for (const kind of ["added", "removed", "changed", "moved"]) {
      const rest = own.filter(({ change, uses }) => change === kind && uses.length === 0);
      const isPublic = header === "include/llama.h";
      if (isPublic) lines.push(...rest.flatMap(used));
      else if (rest.length > 0)
        lines.push(`- not used, ${kind}: ${rest.map(({ name }) => name).join(", ")}`);
    }
  }
  return lines;
}

function used({ change, kind, name, before, after, members, inside, from, uses, reason }) {
  const by =
    uses.length > 0
      ? `used in ${uses.join(", ")}`
      : reason === undefined
        ? "not used"
        : `left out: ${reason}`;
  const what = inside
    ? "does something else inside"
    : change === "moved"
      ? `moved from ${from}`
      : change;
  const lines = [`- ${kind} ${name}: ${what} (${by})`];
  if (change === "changed" && before !== after) lines.push(`    was ${before}`, `    is  ${after}`);
  if (change === "added") lines.push(`    ${after}`);
  for (const member of members) {
    const { change: how, before: was, after: is } = member;
    if (how === "reordered") lines.push("    its members have another order");
    else if (how === "changed") lines.push(`    ${member.name}: was ${was}, is ${is}`);
    else lines.push(`    ${how}: ${was ?? is}`);
  }
  return lines;
}

function dataLines(before, after) {
  return DATA.flatMap((one) => {
    const changes = folderChanges(before, after, one);
    const told = Object.entries(changes).flatMap(([how, names]) =>
      names.length === 0 ? [] : [`- ${one.path}, ${how}: ${names.join(", ")}`],
    );
    return told.length === 0 ? [] : [...told, `    read by ${one.who}`];
  });
}

function ownBuildFiles(root) {
  const folder = path.join(root, "cmake");
  const files = readdirSync(folder).filter((name) => name.endsWith(".cmake"));
  const all = [path.join(root, "CMakeLists.txt"), ...files.map((name) => path.join(folder, name))];
  return all.map((file) => readFileSync(file, "utf8")).join("\n");
}

function shippedLines(before, after) {
  const { folders, licence } = shippedChanges(before, after);
  const lines = folders.flatMap(({ folder, added, removed }) => [
    ...added.map((name) => `- ${folder}/${name} is new${advice(folder, name)}`),
    ...removed.map((name) => `- ${folder}/${name} is gone${advice(folder, name)}`),
  ]);
  return licence ? [...lines, "- LICENSE changed: THIRD-PARTY-LICENSES.md"] : lines;
}

function advice(folder, name) {
  if (folder !== "ggml/src") return ": THIRD-PARTY-LICENSES.md";
  return name.startsWith("ggml-")
    ? ': "shipped" in scripts/llama-cpp.json leaves backends out by name'
    : "";
}
