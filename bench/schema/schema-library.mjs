// lib/ as it stands, and what test/support has for grammars, without a build of dist/.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** With `models`, the engine too, which has to be built. */
export async function loadLibrary({ models = false } = {}) {
  const outfile = join(root, `.build/schema-bench-${models ? "models" : "grammars"}.cjs`);
  mkdirSync(dirname(outfile), { recursive: true });
  const parts = models
    ? [
        'export { Grammar, Model } from "./lib/index.js";',
        'export { writeRandomModel } from "./test/support/random-model.js";',
      ]
    : ['export { Grammar } from "./lib/sampling/grammar.js";'];
  await build({
    stdin: {
      contents: [
        ...parts,
        'export { GbnfMatcher } from "./test/support/gbnf-matcher.js";',
        'export { Random } from "./test/support/random.js";',
      ].join("\n"),
      resolveDir: root,
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    packages: "external",
    outfile,
    logLevel: "error",
  });
  return createRequire(import.meta.url)(outfile);
}

/** The grammar of a schema, or why there is none, and how long that took. */
export function tryCompile({ Grammar }, schema) {
  const start = performance.now();
  try {
    const grammar = Grammar.jsonSchema(schema);
    return { time: performance.now() - start, grammar };
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
