import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteSource } from "../../lib/hub/gguf/byte-source.js";
import { readHeader } from "../../lib/hub/gguf/gguf-header.js";
import { inspectWith } from "../../lib/hub/gguf/inspect-gguf.js";
import { CriaError, estimateMemory, type GgufArray, inspectGguf, Model } from "../../lib/index.js";
import { fuzzFiles } from "../support/fuzz-files.js";
import { writeGguf } from "../support/gguf-writer.js";
import { HASTY, HubFolder } from "../support/hub-folder.js";
import { HubServer, REPOSITORY } from "../support/hub-server.js";
import { MODEL } from "../support/paths.js";
import { Random } from "../support/random.js";
import { writeRandomModel } from "../support/random-model.js";
import { writeLlava } from "../support/tiny-projectors.js";

const directory = mkdtempSync(join(tmpdir(), "cria-inspect-"));
const at = (name: string) => join(directory, name);
const demo = readFileSync(MODEL);

let hub: HubServer;
let folder: HubFolder;
beforeAll(async () => {
  hub = await HubServer.start();
  folder = new HubFolder(hub.endpoint);
});
afterAll(() => {
  hub.stop();
  folder.remove();
  rmSync(directory, { recursive: true });
});
beforeEach(() => hub.reset());

test("the header says what the engine says of the model", async () => {
  const info = await inspectGguf(MODEL, { arrayLength: 5 });
  await using model = await Model.load(MODEL);
  for (const name of [
    ...([
      "architecture",
      "parameterCount",
      "sizeInBytes",
      "contextLength",
      "embeddingLength",
    ] as const),
    ...(["layerCount", "vocabularySize", "chatTemplate"] as const),
  ]) {
    expect(info[name]).toBe(model[name]);
  }
  const scalars = [...info.metadata].filter(([, value]) => typeof value !== "object");
  expect(scalars.map(([key]) => key)).toEqual([...model.metadata.keys()]);
  const tokens = info.metadata.get("tokenizer.ggml.tokens");
  expect(tokens).toMatchObject({ type: "string", length: model.vocabularySize });
  expect((tokens as GgufArray).values).toHaveLength(5);
  expect(info.files).toEqual([{ name: MODEL, sizeInBytes: demo.length }]);
  const last = [...info.tensors].sort((a, b) => a.offset - b.offset).at(-1);
  expect((last?.offset ?? 0) + (last?.bytes ?? 0)).toBeLessThanOrEqual(demo.length);
});

test("values of every kind, arrays in part", async () => {
  const path = at("kinds.gguf");
  const numbers = Int32Array.from({ length: 100_000 }, (_, i) => i - 7);
  const metadata = {
    "general.architecture": "odd",
    "odd.context_length": 77,
    "odd.numbers": numbers,
    "odd.floats": Float32Array.of(0.5, -1),
    "odd.texts": ["a", "ä", ""],
    "odd.yes": true,
    "odd.float": { float: 0.25 },
  };
  writeGguf(path, metadata, [{ name: "x", shape: [2, 3], values: new Float32Array(6) }]);
  const info = await inspectGguf(path, { arrayLength: 2 });
  expect(Object.fromEntries(info.metadata)).toEqual({
    ...{
      "general.architecture": "odd",
      "odd.context_length": 77,
      "odd.yes": true,
      "odd.float": 0.25,
    },
    "odd.numbers": { type: "int32", length: 100_000, values: [-7, -6] },
    "odd.floats": { type: "float32", length: 2, values: [0.5, -1] },
    "odd.texts": { type: "string", length: 3, values: ["a", "ä"] },
  });
  expect(info).toMatchObject({
    contextLength: 77,
    quantization: "F32",
    parameterCount: 6,
    name: null,
  });
  expect(info.tensors).toEqual([
    { name: "x", shape: [2, 3], type: "F32", bytes: 24, file: 0, offset: expect.any(Number) },
  ]);
  const { metadata: all } = await inspectGguf(path, { arrayLength: 1_000_000 });
  expect((all.get("odd.numbers") as GgufArray).values).toEqual([...numbers]);
});

test("of a file elsewhere only the header is fetched", async () => {
  // A model as long as the demo, whose weights would be noticed.
  hub.files.set("demo-Q8_0.gguf", Buffer.concat([demo, Buffer.alloc(20_000_000)]));
  const here = await inspectGguf(MODEL);
  for (const reference of [`hf:${REPOSITORY}:Q8_0`, `${hub.storage}/demo-Q8_0.gguf`]) {
    hub.sent = 0;
    const { files, ...rest } = await inspectWith(HASTY, reference, {});
    expect(rest).toEqual({ ...here, files: undefined, ...rest, tensors: here.tensors });
    expect(files[0]?.sizeInBytes).toBe(demo.length + 20_000_000);
    expect(hub.sent).toBeLessThan(2_000_000);
  }
});

test("a model elsewhere is measured without its weights", async () => {
  hub.files.set("demo-Q8_0.gguf", demo);
  const options = { contextSize: 512, sequences: 2 };
  const there = await estimateMemory(`hf:${REPOSITORY}:Q8_0`, options);
  expect(hub.sent).toBeLessThan(2_000_000);
  const here = await estimateMemory(MODEL, options);
  for (const name of ["model", "kvCache", "compute", "contextSize", "gpuLayers"] as const) {
    expect(there[name]).toEqual(here[name]);
  }
});

test("a reference is fetched, loaded, and generates", async () => {
  hub.files.set("demo-Q8_0.gguf", demo);
  const seen: number[] = [];
  const download = {
    onProgress: ({ receivedBytes }: { receivedBytes: number }) => seen.push(receivedBytes),
  };
  await using model = await Model.load(`hf:${REPOSITORY}`, { download });
  expect(seen.at(-1)).toBe(demo.length);
  expect(model.path).toBe(`hf:${REPOSITORY}`);
  await using context = await model.createContext({ contextSize: 64 });
  const { text } = await context.generate("Once", { maxTokens: 4 }).result();
  expect(text).not.toBe("");
  await expect(Model.load(MODEL, { download: { dir: "x" } as never })).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
  });
});

test("a projector may be a reference, too", async () => {
  await writeRandomModel(at("model.gguf"), 3);
  writeLlava(at("llava.gguf"));
  hub.files.set("mmproj-model-f32.gguf", readFileSync(at("llava.gguf")));
  await using model = await Model.load(at("model.gguf"), {
    projector: `hf:${REPOSITORY}:mmproj`,
  });
  expect(model.media.image).toBe(true);
  await expect(
    Model.load(at("model.gguf"), { projector: `hf:${REPOSITORY}:Q8_0` }),
  ).rejects.toMatchObject({ code: "ERR_MODEL_NOT_FOUND" });
});

test("a server that sends no parts is told", async () => {
  hub.files.set("demo.gguf", demo);
  hub.onFile = ({ response }) => {
    response.writeHead(200, { "content-length": demo.length });
    response.end(demo);
  };
  await expect(inspectWith(HASTY, `${hub.storage}/demo.gguf`, {})).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
  });
});

test("all parts of a split model are one", async () => {
  for (const part of [1, 2]) {
    const tensor = { name: `t${part}`, shape: [4], values: new Float32Array(4) };
    writeGguf(at(`s-0000${part}-of-00002.gguf`), { "general.architecture": "odd" }, [tensor]);
  }
  const info = await inspectGguf(at("s-00002-of-00002.gguf"));
  expect(info.parameterCount).toBe(8);
  expect(info.tensors.map(({ name, file }) => [name, file])).toEqual([
    ["t1", 0],
    ["t2", 1],
  ]);
  rmSync(at("s-00001-of-00002.gguf"));
  await expect(inspectGguf(at("s-00002-of-00002.gguf"))).rejects.toMatchObject({
    code: "ERR_MODEL_NOT_FOUND",
    message: expect.stringContaining("00001-of-00002"),
  });
});

describe("hostile files", () => {
  const { u32, text } = fuzzFiles;
  const u64 = (value: number | bigint) => fuzzFiles.u64(value as number);
  const head = (tensors: number | bigint, pairs: number | bigint) =>
    Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(pairs)]);
  const pair = (type: number, ...value: Buffer[]) =>
    Buffer.concat([head(0, 1), text("k"), u32(type), ...value]);
  const tensor = (shape: (number | bigint)[], type = 0, offset = 0) =>
    Buffer.concat([
      ...[
        head(1, 0),
        text("t"),
        u32(shape.length),
        ...shape.map((length) => u64(length)),
        u32(type),
        u64(offset),
      ],
    ]);
  const HUGE = 2n ** 63n;

  test.each<[string, Buffer, string]>([
    ["nothing", Buffer.alloc(0), "ends in its first bytes"],
    ["another magic", Buffer.alloc(100), "instead of"],
    ["giant counts of pairs", head(0, HUGE), "number of key-value pairs is"],
    ["many pairs", head(0, 60_000), "announces 60000 key-value pairs"],
    ["too many pairs", head(0, 70_000), "65536 are allowed"],
    ["giant counts of tensors", head(HUGE, 0), "number of tensors is"],
    ["many tensors", head(200_000, 0), "announces 200000 tensors"],
    ["a giant key", Buffer.concat([head(0, 1), u64(2 ** 40), Buffer.alloc(99)]), "a key has"],
    ["a text beyond the end", pair(8, u64(1000), Buffer.alloc(9)), "1000 bytes are announced"],
    ["a giant text", pair(8, u64(HUGE), Buffer.alloc(9)), "the length of the value"],
    ["an array beyond the end", pair(9, u32(4), u64(2 ** 40)), "elements, and the file ends"],
    ["an array of arrays", pair(9, u32(9), u64(1), u32(9), u64(1)), "array of arrays"],
    ["an array of nothing known", pair(9, u32(77), u64(1)), "unknown type 77"],
    ["texts beyond the end", pair(9, u32(8), u64(2), u64(2 ** 20), u64(1)), "bytes are announced"],
    ["a value of nothing known", pair(13, u64(1)), "unknown type 13"],
    [
      "one key twice",
      Buffer.concat([head(0, 2), ...[1, 2].flatMap(() => [text("k"), u32(7), Buffer.of(1)])]),
      "twice",
    ],
    ["five dimensions", tensor([1, 1, 1, 1, 1]), "5 dimensions"],
    ["a giant shape", tensor([2 ** 30, 2 ** 30, 2 ** 30]), "elements"],
    ["rows that do not fit", tensor([33], 2), "which Q4_0 cannot store"],
    ["weights beyond the end", tensor([1000]), "it is incomplete"],
    ["an offset beyond the end", tensor([1], 0, 2 ** 50), "it is incomplete"],
    [
      "a tensor twice",
      Buffer.concat([head(2, 0), ...[1, 2].map(() => tensor([1]).subarray(24)), Buffer.alloc(99)]),
      "two tensors",
    ],
  ])("with %s", async (name, bytes, message) => {
    const path = at("hostile.gguf");
    writeFileSync(path, bytes);
    await expect(inspectGguf(path)).rejects.toMatchObject({
      code: "ERR_MODEL_INVALID",
      message: expect.stringContaining(message),
    });
    expect(name).not.toBe("");
  });

  test.each([
    ["version 1", 1],
    ["version 99", 99],
    ["big-endian", 0x03000000],
  ])("of %s are not supported", async (_, version) => {
    const path = at("version.gguf");
    writeFileSync(path, Buffer.concat([Buffer.from("GGUF"), u32(version), Buffer.alloc(99)]));
    await expect(inspectGguf(path)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  /** A file of any length, of which only the beginning is real. */
  class LongSource implements ByteSource {
    readonly shown = "long.gguf";
    read_ = 0;
    constructor(
      readonly size: number,
      readonly start: Buffer,
    ) {}
    async read(from: number, length: number): Promise<Buffer> {
      this.read_ += length;
      const bytes = Buffer.alloc(length);
      if (from < this.start.length) this.start.copy(bytes, 0, from);
      return bytes;
    }
    async close(): Promise<void> {}
  }

  test.each([
    ["numbers", pair(9, u32(0), u64(2 ** 45))],
    ["texts", pair(9, u32(8), u64(2 ** 40))],
    ["one text", pair(8, u64(2 ** 40))],
  ])("of a petabyte cost no more than a header may: %s", async (_, start) => {
    const source = new LongSource(2 ** 50, start);
    await expect(readHeader(source, 1_000_000, 0)).rejects.toMatchObject({
      code: "ERR_MODEL_INVALID",
    });
    expect(source.read_).toBeLessThan(150 * 2 ** 20);
  });

  test("cut anywhere, or with any byte changed, are read or refused", async () => {
    const random = new Random(7);
    const path = at("mutated.gguf");
    const { tensors } = await inspectGguf(MODEL);
    const header = Math.min(...tensors.map(({ offset }) => offset));
    let refused = 0;
    for (let i = 0; i < 400; i++) {
      const bytes = Buffer.from(demo.subarray(0, i % 2 === 0 ? random.below(header) : header));
      // Counts and types are at the beginning and at the end, texts between them.
      const place = i % 4 === 1 ? random.below(3000) : random.below(Math.max(1, bytes.length));
      if (i % 2 === 1) bytes[place] = random.below(256);
      writeFileSync(path, bytes);
      const error = await inspectGguf(path).catch((error) => error);
      if (!(error instanceof Error)) continue;
      refused += 1;
      expect(
        CriaError.is(error) && ["ERR_MODEL_INVALID", "ERR_UNSUPPORTED"].includes(error.code),
      ).toBe(true);
    }
    expect(refused).toBeGreaterThan(200);
  });
});

test.each([
  ["arrayLength", -1],
  ["arrayLength", 1e7],
  ["signal", 5],
  ["token", ""],
  ["directory", "x"],
])("option %s is checked: %j", async (name, value) => {
  await expect(inspectGguf(MODEL, { [name]: value } as never)).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringContaining(name),
  });
});

test("a file that is not there, a folder, and an aborted signal", async () => {
  await expect(inspectGguf(at("none.gguf"))).rejects.toMatchObject({ code: "ERR_MODEL_NOT_FOUND" });
  await expect(inspectGguf(directory)).rejects.toMatchObject({ code: "ERR_MODEL_NOT_FOUND" });
  const reason = new Error("no more");
  await expect(inspectGguf(MODEL, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
