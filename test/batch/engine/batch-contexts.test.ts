import { existsSync } from "node:fs";
import { measureSequences } from "../../../lib/batch/engine/measure-sequences.js";
import { CriaError, Model, type RunBatchOptions, runBatch } from "../../../lib/index.js";
import { linesOf, outputFile, temporaryFolder } from "../../support/batch.js";
import { MODEL } from "../../support/paths.js";

const folder = temporaryFolder();
let model: Model;
beforeAll(async () => {
  model = await Model.load(MODEL);
});
afterAll(() => model.dispose());

const run = (context: object, more: Partial<RunBatchOptions> = {}) => {
  const output = outputFile(folder);
  const input = [{ id: "a", prompt: "Once", maxTokens: 1 }];
  return { output, summary: runBatch(model, { input, output, context, ...more }) };
};

test.each<[string, object, number | undefined, string]>([
  ["sequences", { sequences: 2 }, undefined, "give `options.sequences`"],
  ["embeddings", { embeddings: true }, 2, "a context of their own"],
  ["pooling", { pooling: "mean" }, 2, "give `options.pooling`"],
  ["signal", { signal: new AbortController().signal }, 2, "give `options.signal`"],
  ["kvCacheSize", { kvCache: "unified", kvCacheSize: 4096 }, undefined, "`options.sequences`"],
  ["kvCacheSize", { contextSize: 64, kvCacheSize: 65 }, 2, "contextSize × sequences (128)"],
  ["batchSize", { batchSize: 1 }, 2, "Expected an integer from 2"],
  ["contextSize", { contextSize: 0 }, undefined, "Expected an integer"],
  ["kvCache", { kvCache: "shared" }, undefined, "per-sequence"],
  ["contextsize", { contextsize: 64 }, undefined, "contextSize"],
])(
  "`context.%s` that a run cannot take is refused before there is an output: %j",
  async (...row) => {
    const [name, context, sequences, told] = row;
    const { output, summary } = run(context, sequences === undefined ? {} : { sequences });
    const error = await summary.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    expect((error as Error).message).toContain(told);
    expect((error as Error).message).toContain("`options.context");
    expect((error as Error).message).toContain(name);
    expect(existsSync(output)).toBe(false);
  },
);

test("how many sequences there are is measured within the batch that is asked for", async () => {
  const counts: number[] = [];
  const { output, summary } = run(
    { batchSize: 3, contextSize: 64 },
    { onMeasured: ({ rates }) => counts.push(...rates.keys()) },
  );
  expect(await summary).toMatchObject({ done: 1, errors: 0 });
  expect(linesOf(output)).toHaveLength(1);
  expect(counts.length).toBeGreaterThan(0);
  expect(Math.max(...counts)).toBeLessThanOrEqual(3);
});

test("and within the memory that there is", async () => {
  const { createContext } = model;
  const asked: (number | undefined)[] = [];
  const creating = jest.spyOn(model, "createContext").mockImplementation(async (options) => {
    asked.push(options?.sequences);
    if ((options?.sequences ?? 0) > 4) throw new CriaError("ERR_OUT_OF_MEMORY", "full");
    return createContext.call(model, options);
  });
  const { sequences } = await measureSequences(model, {}, undefined);
  creating.mockRestore();
  expect(asked).toEqual([32, 16, 8, 4]);
  expect(sequences).toBeLessThanOrEqual(4);
});
