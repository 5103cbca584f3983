// The data: MaskBench's schemas and JSON-Schema-Test-Suite, where they are at hand.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./schema-library.mjs";

/** The folder that the data lie in beside the repository; undefined where they do not. */
export function sharedData() {
  const folders = ["../shared/structured-output", "shared/structured-output"];
  return folders.map((folder) => join(root, folder)).find((folder) => existsSync(folder));
}

/** Rows of `{ name, schema, tests: [{ valid, data }] }`, a line of JSON each. */
export function readRows(path) {
  return readFileSync(path, "utf8").split("\n").filter(Boolean).map(JSON.parse);
}

/** Of a draft of the test suite, groups of `{ description, schema, tests }` by their file's name. */
export function readSuite(path) {
  return Object.entries(JSON.parse(readFileSync(path, "utf8")));
}
