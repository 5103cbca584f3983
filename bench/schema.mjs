// How well lib/schema keeps its word. The data are MaskBench's sample and JSON-Schema-Test-Suite, which lie in
// ../shared/structured-output where they are at hand, or any file in MaskBench's form.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureSuite } from "./schema/draft-suite.mjs";
import { measureMaskBench } from "./schema/mask-bench.mjs";
import { measureTexts } from "./schema/sampled-texts.mjs";
import { readRows, readSuite, sharedData } from "./schema/schema-data.mjs";
import { loadLibrary } from "./schema/schema-library.mjs";

const usage = `Usage: node bench/schema.mjs [options] [maskbench.jsonl]

  --texts N         in place of the instances, N texts by chance from the grammars
  --generations N   in place of them, N generations of random weights, over 300 schemas (builds of
                    the engine are needed)
  --max-tokens N    of each generation; default 400
  --seed N          of what is by chance; default 1
  --markdown        the tables by keyword as Markdown
  --verbose         each schema that is refused or wrong`;

const { values, positionals } = parseArgs({
  options: {
    texts: { type: "string" },
    generations: { type: "string" },
    "max-tokens": { type: "string", default: "400" },
    seed: { type: "string", default: "1" },
    markdown: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean" },
  },
  allowPositionals: true,
});

async function main() {
  if (values.help) return console.log(usage);
  const folder = sharedData();
  const [file = folder && join(folder, "maskbench-sample.jsonl")] = positionals;
  if (file === undefined) {
    return console.log("No data: ../shared/structured-output is not here. Name a file of schemas.");
  }
  const { verbose, markdown } = values;
  const seed = Number(values.seed);
  const rows = readRows(file);
  if (values.texts !== undefined) {
    const wanted = Number(values.texts);
    return measureTexts(await loadLibrary(), rows, { wanted, seed, verbose });
  }
  if (values.generations !== undefined) {
    const { measureGenerations } = await import("./schema/forced-generations.mjs");
    const library = await loadLibrary({ models: true });
    const maxTokens = Number(values["max-tokens"]);
    return measureGenerations(library, rows, {
      ...{ wanted: Number(values.generations), seed, maxTokens, verbose },
    });
  }
  const library = await loadLibrary();
  let kept = measureMaskBench(library, rows, { verbose });
  if (positionals.length > 0 || folder === undefined) return kept;
  for (const draft of ["draft7", "draft2020-12"]) {
    const files = readSuite(join(folder, `json-schema-test-suite.${draft}.json`));
    kept = measureSuite(library, files, { draft, verbose, markdown }) && kept;
  }
  return kept;
}

if ((await main()) === false) process.exitCode = 1;
