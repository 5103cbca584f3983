// How well lib/schema keeps its word: on MaskBench's sample and JSON-Schema-Test-Suite, which lie in
// ../shared/structured-output where they are at hand.
//
//   node bench/schema.mjs [--verbose] [maskbench.jsonl]
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const arguments_ = process.argv.slice(2);
const verbose = arguments_.includes("--verbose");
const file = arguments_.find((argument) => !argument.startsWith("--"));
const folders = [
  join(here, "../shared/structured-output"),
  join(here, "../../shared/structured-output"),
];
const folder = folders.find((path) => existsSync(path));

const { Grammar, GbnfMatcher } = await load();

if (file === undefined && folder === undefined) {
  console.log("No data: shared/structured-output is not here. Name a file of MaskBench's schemas.");
} else {
  maskBench(file ?? join(folder, "maskbench-sample.jsonl"));
  if (folder !== undefined && file === undefined) {
    for (const draft of ["draft7", "draft2020-12"]) testSuite(draft);
  }
}

async function load() {
  const outfile = join(here, "../.build/schema-bench.mjs");
  await build({
    stdin: {
      contents: `
        export { Grammar } from "./lib/sampling/grammar.js";
        export { GbnfMatcher } from "./test/support/gbnf-matcher.js";`,
      resolveDir: join(here, ".."),
    },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile,
    logLevel: "error",
  });
  return import(pathToFileURL(outfile).href);
}

function tryCompile(schema) {
  const start = performance.now();
  try {
    const { source } = Grammar.jsonSchema(schema);
    return { time: performance.now() - start, source };
  } catch (error) {
    if (error.code !== "ERR_SCHEMA_UNSUPPORTED" && error.code !== "ERR_INVALID_ARGUMENT")
      throw error;
    return { time: performance.now() - start, refused: reasonOf(error), path: error.details?.path };
  }
}

function reasonOf({ message }) {
  return message
    .replace(/^`schema`(?:: no grammar is made of this JSON Schema:)? /, "")
    .replace(
      /^has "(\w+)" at .*?, which its grammar would not hold: (.*)\. Leave .*$/,
      "$1 is left: $2",
    )
    .replace(/, at #.*$/, "");
}

function maskBench(path) {
  const rows = readFileSync(path, "utf8").split("\n").filter(Boolean).map(JSON.parse);
  const sum = { right: 0, refused: 0, taken: 0, missed: 0, valid: 0, invalid: 0 };
  const slow = { time: 0, name: "" };
  const sizes = [];
  const reasons = new Map();
  for (const { name, schema, tests } of rows) {
    const { time, source, refused, path: place } = tryCompile(schema);
    if (time > slow.time) Object.assign(slow, { time, name });
    if (source === undefined) {
      sum.refused++;
      const kind = refused.replaceAll(/".*"|\d+/g, "…").slice(0, 70);
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
      if (verbose) console.log(`refused ${name} ${place}: ${refused}`);
      continue;
    }
    sizes.push(source.length);
    const matcher = new GbnfMatcher(source);
    let right = true;
    for (const { valid, data } of tests) {
      sum[valid ? "valid" : "invalid"]++;
      const text = JSON.stringify(inOrder(data, schema, schema));
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
  console.log(`  grammar, bytes    median ${sizes[sizes.length >> 1]}, largest ${sizes.at(-1)}`);
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) {
    console.log(`  ${String(count).padStart(5)} ${reason}`);
  }
}

function testSuite(draft) {
  const path = join(folder, `json-schema-test-suite.${draft}.json`);
  const files = JSON.parse(readFileSync(path, "utf8"));
  console.log(`JSON-Schema-Test-Suite, ${draft}`);
  console.log("  keyword                        schemas refused  valid missed  invalid taken");
  const all = { schemas: 0, refused: 0, valid: 0, missed: 0, invalid: 0, taken: 0 };
  for (const [name, groups] of Object.entries(files)) {
    const sum = { schemas: 0, refused: 0, valid: 0, missed: 0, invalid: 0, taken: 0 };
    for (const { description, schema, tests } of groups) {
      sum.schemas++;
      const { source, refused, path: place } = tryCompile(schema);
      if (source === undefined) {
        sum.refused++;
        if (verbose) console.log(`refused ${name}: ${description}: ${place} ${refused}`);
        continue;
      }
      const matcher = new GbnfMatcher(source);
      for (const { description: what, valid, data } of tests) {
        sum[valid ? "valid" : "invalid"]++;
        const taken = matcher.matches(JSON.stringify(inOrder(data, schema, schema)));
        if (taken === valid) continue;
        sum[valid ? "missed" : "taken"]++;
        if (verbose) console.log(valid ? "MISSED" : "TAKEN", name, `${description}: ${what}`);
      }
    }
    for (const key of Object.keys(all)) all[key] += sum[key];
    print(name, sum);
  }
  print("all", all);
}

function print(name, { schemas, refused, valid, missed, invalid, taken }) {
  const cell = (text, width) => String(text).padStart(width);
  console.log(
    `  ${name.padEnd(30)} ${cell(schemas, 7)} ${cell(refused, 7)} ${cell(`${missed}/${valid}`, 13)} ${cell(`${taken}/${invalid}`, 14)}`,
  );
}

/** A value with its properties in the order in which the schema names them. */
function inOrder(value, schema, root) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => inOrder(item, itemSchema(schema, root, index), root));
  }
  const named = namedIn(schema, root, new Set());
  const ordered = {};
  for (const [name, part] of named) {
    if (Object.hasOwn(value, name)) define(ordered, name, inOrder(value[name], part, root));
  }
  for (const [name, part] of Object.entries(value)) {
    if (!named.has(name))
      define(ordered, name, inOrder(part, otherSchema(schema, root, name), root));
  }
  return ordered;
}

function define(object, name, value) {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
}

/** All properties that a schema names, its own and those of the schemas in its place. */
function namedIn(schema, root, seen) {
  const named = new Map();
  if (typeof schema !== "object" || schema === null || seen.has(schema)) return named;
  seen.add(schema);
  const add = (other) => {
    for (const [name, part] of other) {
      named.set(name, named.has(name) ? { allOf: [named.get(name), part] } : part);
    }
  };
  // A schema's own come first.
  if (typeof schema.properties === "object") add(Object.entries(schema.properties));
  for (const [key, value] of Object.entries(schema)) {
    if (["allOf", "anyOf", "oneOf"].includes(key)) {
      for (const part of value) add(namedIn(part, root, seen));
    } else if (["if", "then", "else", "not"].includes(key)) add(namedIn(value, root, seen));
    else if (key === "dependentSchemas" || key === "dependencies") {
      for (const part of Object.values(value)) add(namedIn(part, root, seen));
    } else if (key === "$ref") add(namedIn(follow(value, root), root, seen));
  }
  return named;
}

function otherSchema(schema, root, name) {
  const parts = [];
  for (const part of inPlace(schema, root, new Set())) {
    for (const [source, inner] of Object.entries(part.patternProperties ?? {})) {
      if (new RegExp(source).test(name)) parts.push(inner);
    }
    if (typeof part.additionalProperties === "object") parts.push(part.additionalProperties);
  }
  return { allOf: parts };
}

function itemSchema(schema, root, index) {
  const parts = [];
  for (const { items, prefixItems, additionalItems } of inPlace(schema, root, new Set())) {
    const tuple = prefixItems ?? (Array.isArray(items) ? items : undefined);
    const rest = prefixItems === undefined && Array.isArray(items) ? additionalItems : items;
    const part = tuple?.[index] ?? rest;
    if (typeof part === "object") parts.push(part);
  }
  return { allOf: parts };
}

/** A schema and those that stand in its place. */
function inPlace(schema, root, seen) {
  if (typeof schema !== "object" || schema === null || seen.has(schema)) return [];
  seen.add(schema);
  const found = [schema];
  for (const key of ["allOf", "anyOf", "oneOf"]) {
    for (const part of schema[key] ?? []) found.push(...inPlace(part, root, seen));
  }
  for (const key of ["if", "then", "else"]) found.push(...inPlace(schema[key], root, seen));
  if (typeof schema.$ref === "string")
    found.push(...inPlace(follow(schema.$ref, root), root, seen));
  return found;
}

function follow(ref, root) {
  if (!ref.startsWith("#")) return undefined;
  let at = root;
  for (const token of ref.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~");
    at = at?.[key];
  }
  return at;
}
