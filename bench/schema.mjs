// How well lib/schema keeps its word. The data are MaskBench's sample and JSON-Schema-Test-Suite, which lie in
// ../shared/structured-output where they are at hand, or any file in MaskBench's form.

import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { measureSuite, printSuite, sumOf } from "./schema/draft-suite.mjs";
import { keywordTable, writeTable } from "./schema/keyword-table.mjs";
import { measureMaskBench } from "./schema/mask-bench.mjs";
import { measureTexts } from "./schema/sampled-texts.mjs";
import { readRows, readSuite, sharedData } from "./schema/schema-data.mjs";
import { loadLibrary } from "./schema/schema-library.mjs";

const usage = `Usage: node bench/schema.mjs [options] [maskbench.jsonl]

  --texts N         in place of the instances, N texts by chance from the grammars
  --generations N   in place of them, N generations of random weights, over 300 schemas (builds of
                    the engine are needed)
  --masks           in place of them, what the masks at each token cost (builds llama.cpp)
  --max-tokens N    of each generation; default 400
  --seed N          of what is by chance; default 1
  --suite FILE      a draft of the test suite, any number of times; default the drafts that are at hand,
                    where nothing is named
  --markdown        the table by keyword as Markdown
  --docs FILE       that table, written into a page between its marks: docs/structured-output.md
  --verbose         each schema that is refused or wrong`;

const { values, positionals } = parseArgs({
  options: {
    texts: { type: "string" },
    generations: { type: "string" },
    masks: { type: "boolean", default: false },
    "max-tokens": { type: "string", default: "400" },
    seed: { type: "string", default: "1" },
    suite: { type: "string", multiple: true },
    markdown: { type: "boolean", default: false },
    docs: { type: "string" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean" },
  },
  allowPositionals: true,
});

async function main() {
  if (values.help) return console.log(usage);
  const folder = sharedData();
  const [file = folder && join(folder, "maskbench-sample.jsonl")] = positionals;
  if (file === undefined && values.suite === undefined) {
    return console.log("No data: ../shared/structured-output is not here. Name a file of schemas.");
  }
  const { verbose } = values;
  const seed = Number(values.seed);
  const rows = values.suite !== undefined && positionals.length === 0 ? [] : readRows(file);
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
  if (values.masks) {
    const { measureMasks } = await import("./schema/mask-times.mjs");
    return measureMasks(library, rows, { verbose });
  }
  const kept = rows.length === 0 || measureMaskBench(library, rows, { verbose });
  return measureDrafts(library, suites(folder)) && kept;
}

function suites(folder) {
  if (values.suite !== undefined) return values.suite;
  if (positionals.length > 0 || folder === undefined) return [];
  return ["draft7", "draft2020-12"].map((draft) =>
    join(folder, `json-schema-test-suite.${draft}.json`),
  );
}

function measureDrafts(library, files) {
  const { verbose, markdown, docs } = values;
  const drafts = new Map(
    files.map((file) => {
      const draft = /draft[\d-]+/.exec(basename(file))?.[0] ?? basename(file);
      return [draft, measureSuite(library, readSuite(file), { verbose })];
    }),
  );
  if (docs !== undefined) writeTable(docs, keywordTable(drafts));
  if (markdown) console.log(`\n${keywordTable(drafts)}`);
  else for (const [draft, measured] of drafts) printSuite(draft, measured);
  return [...drafts.values()].every((measured) => sumOf(measured).taken === 0);
}

if ((await main()) === false) process.exitCode = 1;
