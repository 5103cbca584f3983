import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Grammar, Model, type RunBatchOptions, runBatch } from "../../../lib/index.js";
import { linesOf, outputFile, temporaryFolder } from "../../support/batch.js";
import { writeGguf } from "../../support/gguf-writer.js";
import { MODEL } from "../../support/paths.js";
import { writeRandomModel } from "../../support/random-model.js";
import { writeLlava } from "../../support/tiny-projectors.js";

const folder = temporaryFolder();
const LINES = [{ id: "a", prompt: "Once", maxTokens: 1 }];
const FIRST: RunBatchOptions = {
  ...{ input: LINES, output: "", sequences: 1, seed: 3, maxTokens: 9 },
  sampling: { temperature: 0.5, topP: 0.9, logitBias: { 5: 1, 7: 2 } },
  context: { contextSize: 256, threads: 1 },
};

let model: Model;
beforeAll(async () => {
  model = await Model.load(MODEL);
});
afterAll(() => model.dispose());

/** An output with the result of a first run. */
async function begun(): Promise<string> {
  const output = outputFile(folder);
  await runBatch(model, { ...FIRST, output });
  return output;
}

const resume = (output: string, more: Partial<RunBatchOptions>, own = model) =>
  runBatch(own, { ...FIRST, ...more, output, resume: true });

const context = (more: RunBatchOptions["context"]) => ({ context: { ...FIRST.context, ...more } });
const sampling = (more: RunBatchOptions["sampling"]) => ({
  sampling: { ...FIRST.sampling, ...more },
});
const gbnf = (root: string) => Grammar.gbnf('root ::= "a"\nother ::= "a"', { root });

describe("a run that is gone on with", () => {
  let output: string;
  beforeAll(async () => {
    output = await begun();
  });

  test.each<[string, Partial<RunBatchOptions>]>([
    ["`options.seed` was 3 and is 4", { seed: 4 }],
    ["`options.maxTokens` was 9 and is not given", { maxTokens: undefined as never }],
    ['`options.stop` was not given and is ["x"]', { stop: ["x"] }],
    ['`options.system` was not given and is "Hi"', { system: "Hi" }],
    ['`options.schema` was not given and is {"type":"object"}', { schema: { type: "object" } }],
    ["`options.tools`", { tools: [{ type: "function", function: { name: "f" } }] }],
    ['`options.format` was "jsonl" and is "text"', { format: "text" }],
    ['`options.date` was "26 Jul 2024" and is "x"', { date: "x" }],
    ['`options.pooling` was not given and is "cls"', { pooling: "cls" }],
    ["`options.sampling.temperature` was 0.5 and is 0.6", sampling({ temperature: 0.6 })],
    ["`options.sampling.logitBias`", sampling({ logitBias: { 5: 1, 7: 3 } })],
    ["`options.sampling.logitBias`", sampling({ logitBias: { 5: Number.NEGATIVE_INFINITY } })],
    ["`options.sampling.grammar`", sampling({ grammar: gbnf("root") })],
    ["`options.guardOptions.threshold`", { guardOptions: { threshold: 0.9 } }],
    ["`options.context.contextSize` was 256 and is 128", context({ contextSize: 128 })],
    ["`options.context.rope`", context({ rope: { frequencyBase: 5000 } })],
    ['`options.context.kvCacheType` was {"key":"f16"', context({ kvCacheType: "q8_0" })],
    [
      '`options.context.kvCache` was "per-sequence"',
      context({ kvCache: "unified", swaFull: false }),
    ],
    ["`options.context.swaFull` was false and is true", context({ swaFull: true })],
    ['`options.context.flashAttention` was "auto"', context({ flashAttention: false })],
    ["`options.context.microBatchSize` was 512 and is 64", context({ microBatchSize: 64 })],
    ["`options.context.batchSize` was 2048 and is 1024", context({ batchSize: 1024 })],
    ["`options.context.threads` was 1 and is 2", context({ threads: 2 })],
  ])("is refused where %s", async (words, more) => {
    const before = readFileSync(output, "utf8");
    await expect(resume(output, more)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining(words),
      details: { name: "options.resume", changes: [expect.anything()] },
    });
    expect(readFileSync(output, "utf8")).toBe(before);
    expect(existsSync(`${output}.lock`)).toBe(false);
  });

  test.each<[string, Partial<RunBatchOptions>]>([
    ["the order of keys", { sampling: { logitBias: { 7: 2, 5: 1 }, topP: 0.9, temperature: 0.5 } }],
    [
      "a Map for an object",
      sampling({
        logitBias: new Map([
          [7, 2],
          [5, 1],
        ]),
      }),
    ],
    ["a default that is written out", context({ kvCacheType: "f16", flashAttention: "auto" })],
    ["a kvCacheType in parts", context({ kvCacheType: { key: "f16", value: "f16" } })],
    ["what changes no result", { sequences: 2, ordered: true, limit: 5 }],
  ])("is gone on with where it differs in %s", async (_, more) => {
    expect(await resume(output, more)).toMatchObject({ done: 1, skipped: 1 });
  });

  test("by other lines alone is refused as well: two kinds of results are two outputs", async () => {
    const input = [{ id: "b", prompt: "Twice", maxTokens: 1 }];
    await expect(resume(output, { input, seed: 4 })).rejects.toThrow(/`options.seed` was 3/);
  });

  test("with two grammars of one source, by their start rules", async () => {
    const other = outputFile(folder);
    await runBatch(model, { ...FIRST, ...sampling({ grammar: gbnf("root") }), output: other });
    await expect(resume(other, sampling({ grammar: gbnf("other") }))).rejects.toThrow(
      /`options.sampling.grammar` was .*"root":"root".* and is .*"root":"other"/,
    );
  });

  test("without the file that says what its options were is still refused", async () => {
    const other = await begun();
    expect(JSON.parse(readFileSync(`${other}.settings.json`, "utf8"))).toMatchObject({
      "options.seed": 3,
    });
    rmSync(`${other}.settings.json`);
    await expect(resume(other, { seed: 4 })).rejects.toThrow(
      /made with other options: which ones, .*\.settings\.json does not tell/,
    );
    writeFileSync(`${other}.settings.json`, '{"options.seed": 5}');
    await expect(resume(other, { seed: 4 })).rejects.toThrow(/which ones, .* does not tell/);
    // It is made again where it belongs.
    await resume(other, {});
    await expect(resume(other, { seed: 4 })).rejects.toThrow(/`options.seed` was 3 and is 4/);
  });

  test("of a cria that told no options is refused as such", async () => {
    const other = await begun();
    const [line] = linesOf(other);
    writeFileSync(other, `${JSON.stringify({ ...line, id: "batch_req_0123456789abcdef" })}\n`);
    await expect(resume(other, {})).rejects.toThrow(/written by an older cria/);
  });
});

test("another model of the same name and size, or the same read otherwise, is refused", async () => {
  const output = await begun();
  const other = join(folder, "other", "cria-demo.gguf");
  mkdirSync(join(folder, "other"));
  copyFileSync(MODEL, other);
  const bytes = readFileSync(other);
  bytes.fill(0x11, bytes.length - (bytes.length >> 2)); // of the last tensors
  writeFileSync(other, bytes);
  const weights = await Model.load(other);
  await expect(resume(output, {}, weights)).rejects.toThrow(
    /`model \(weights\)` was "[0-9a-f]{16}"/,
  );
  await weights.dispose();
  const epsilon = { "llama.attention.layer_norm_rms_epsilon": 1e-4 };
  const read = await Model.load(MODEL, { metadataOverrides: epsilon });
  await expect(resume(output, {}, read)).rejects.toThrow(
    /`model \(loaded with\)\.metadataOverrides` was \{\} and is \{"llama\.attention/,
  );
  await read.dispose();
});

test("a projector is known by its content, and so are control vectors", async () => {
  const at = (name: string) => join(folder, name);
  await writeRandomModel(at("random.gguf"), 3);
  writeLlava(at("a.gguf"));
  const bytes = readFileSync(at("a.gguf"));
  writeFileSync(at("same.gguf"), bytes);
  const place = bytes.length - 4; // the last bits of a weight
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  writeFileSync(at("b.gguf"), bytes);
  const vector = (value: number) => {
    const values = new Float32Array(64).fill(value);
    const metadata = { "general.architecture": "controlvector" };
    writeGguf(at("vector.gguf"), metadata, [{ name: "direction.1", shape: [64], values }]);
  };
  vector(1);
  const load = (projector?: string) =>
    Model.load(at("random.gguf"), projector === undefined ? {} : { projector: at(projector) });
  const output = outputFile(folder);
  const options = {
    ...{ input: [{ id: "a", prompt: [1, 2], maxTokens: 1 }], output, sequences: 1 },
    context: { contextSize: 64, controlVectors: [{ path: at("vector.gguf") }] },
  } as unknown as RunBatchOptions;
  const run = async (projector?: string) => {
    const own = await load(projector);
    try {
      return await runBatch(own, { ...options, resume: existsSync(output) });
    } finally {
      await own.dispose();
    }
  };
  await run("a.gguf");
  expect(await run("same.gguf")).toMatchObject({ skipped: 1 });
  await expect(run("b.gguf")).rejects.toThrow(/`model \(projector\)` was "\w{16}" and is "\w{16}"/);
  await expect(run()).rejects.toThrow(/`model \(projector\)` was "\w{16}" and is not given/);
  vector(2);
  await expect(run("a.gguf")).rejects.toThrow(/`options\.context\.controlVectors \(content\)` was/);
  vector(1);
  expect(await run("a.gguf")).toMatchObject({ skipped: 1 });
});

test("what the caller does to his options after the call does not count", async () => {
  const output = outputFile(folder);
  const own = { stop: ["x"], context: { contextSize: 256, threads: 1, rope: {} } };
  const running = runBatch(model, { ...FIRST, ...own, output });
  own.stop.push("y");
  own.context.contextSize = -1;
  await running;
  await resume(output, { stop: ["x"] });
});
