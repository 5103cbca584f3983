// Reads the questions, and tells the place of what is wrong with them.

import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "./evaluation-command.mjs";

/** The files that are meant: a folder stands for those in it with this ending, in the order of their names. */
export async function filesOf(paths, ending) {
  const files = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) throw new UsageError(`There is no ${path}`);
    if (!found.isDirectory()) {
      files.push(path);
      continue;
    }
    const names = (await readdir(path)).filter((name) => name.endsWith(ending)).sort();
    if (names.length === 0) throw new UsageError(`${path} holds no ${ending} file`);
    files.push(...names.map((name) => join(path, name)));
  }
  return files;
}

/** The objects of JSON Lines, each through `read(object, place)`. */
export async function readJsonLines(path, read) {
  const lines = (await readFile(path, "utf8")).replace(/^\uFEFF/, "").split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `${path}:${index + 1}`;
    let value;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new UsageError(`${place} is no JSON: ${error.message}`);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new UsageError(`${place}: expected an object, got ${line.slice(0, 60)}`);
    }
    return [read(value, place)];
  });
}

/** Rows of CSV as RFC 4180 has it: fields in quotes may hold commas, line ends and doubled quotes. */
export function parseCsv(text, path) {
  const rows = [];
  let row = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  const whole = text.replace(/^\uFEFF/, "");
  while (field.lastIndex < whole.length || row.length > 0) {
    const at = field.lastIndex;
    const found = field.exec(whole);
    if (found === null) {
      const line = whole.slice(0, at).split("\n").length;
      throw new UsageError(
        `${path}:${line}: a quote that is not closed, or in the middle of a field`,
      );
    }
    const [, quoted, plain, end] = found;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
    if (end === "") break;
  }
  return rows;
}

/** The field of a line, or an error that says which and where. */
export function needed(place, name, value, is, what) {
  if (is(value)) return value;
  throw new UsageError(
    `${place}: expected ${what} as "${name}", got ${JSON.stringify(value) ?? "nothing"}`,
  );
}

export const isText = (value) => typeof value === "string" && value !== "";
export const isList = (value) => Array.isArray(value) && value.length > 0;

/** Tells this data from other data, whatever the file is called. */
export function digestOf(value) {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
