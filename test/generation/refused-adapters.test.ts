import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, type CriaErrorCode, Model } from "../../lib/index.js";
import { LAYERS, randomTensor, WIDTH, writeControlVector, writeLora } from "../support/adapters.js";
import type { GgufTensor } from "../support/gguf-writer.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { MODEL } from "../support/paths.js";

const directory = mkdtempSync(join(tmpdir(), "cria-refused-adapters-"));
const path = join(directory, "lora.gguf");

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 64 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(directory, { recursive: true });
});

type Change = (tensors: GgufTensor[]) => GgufTensor[];

/** The first pair's tensor in another shape. */
const shaped =
  (suffix: "lora_a" | "lora_b", shape: readonly number[]): Change =>
  (tensors) =>
    tensors.map((tensor) =>
      tensor.name === `blk.0.attn_q.weight.${suffix}`
        ? randomTensor(tensor.name, shape, 1, 1)
        : tensor,
    );
const added =
  (...names: readonly [string, readonly number[]][]): Change =>
  (tensors) => [...tensors, ...names.map(([name, shape]) => randomTensor(name, shape, 1, 1))];

test.each<[string, CriaErrorCode, string, Parameters<typeof writeLora>[2]]>([
  ["a model", "ERR_MODEL_INVALID", "general.type", { metadata: { "general.type": "model" } }],
  ["a number for text", "ERR_MODEL_INVALID", "general.type", { metadata: { "general.type": 1 } }],
  [
    "a list for text",
    "ERR_MODEL_INVALID",
    "adapter.type",
    { metadata: { "adapter.type": ["lora"] } },
  ],
  ["another kind", "ERR_MODEL_INVALID", "adapter.type", { metadata: { "adapter.type": "ia3" } }],
  [
    "another architecture's",
    "ERR_MODEL_INVALID",
    'to be "llama", found "gemma"',
    { metadata: { "general.architecture": "gemma" } },
  ],
  [
    "an alpha that is no number",
    "ERR_MODEL_INVALID",
    "adapter.lora.alpha",
    { metadata: { "adapter.lora.alpha": { float: Number.NaN } } },
  ],
  [
    "an alpha of another type",
    "ERR_MODEL_INVALID",
    "adapter.lora.alpha",
    { metadata: { "adapter.lora.alpha": "16" } },
  ],
  [
    "an invocation that is no list of ids",
    "ERR_MODEL_INVALID",
    "adapter.alora.invocation_tokens",
    { metadata: { "adapter.alora.invocation_tokens": Int32Array.of(-1) } },
  ],
  [
    "an invocation of unknown tokens",
    "ERR_MODEL_INVALID",
    "adapter.alora.invocation_tokens",
    { invocation: [4_000_000_000] },
  ],
  ["half a pair", "ERR_MODEL_INVALID", "has no .lora_b", { change: (all) => all.slice(0, -1) }],
  ["no tensors", "ERR_MODEL_INVALID", "it changes no weight", { change: () => [] }],
  ["a stranger", "ERR_MODEL_INVALID", "belongs to no LoRA", { change: added(["x.weight", [4]]) }],
  [
    "a weight that the model has not",
    "ERR_MODEL_INVALID",
    "changes a weight that this model has not",
    {
      change: added(
        ["blk.9.attn_q.weight.lora_a", [256, 4]],
        ["blk.9.attn_q.weight.lora_b", [4, 256]],
      ),
    },
  ],
  [
    "too wide an input",
    "ERR_MODEL_INVALID",
    "expected 256 × 4",
    { change: shaped("lora_a", [128, 4]) },
  ],
  [
    "ranks that differ",
    "ERR_MODEL_INVALID",
    "expected 256 × 8",
    { change: shaped("lora_b", [8, 256]) },
  ],
  [
    "too many outputs",
    "ERR_MODEL_INVALID",
    "expected 4 × 256",
    { change: shaped("lora_b", [4, 512]) },
  ],
  [
    "a third dimension",
    "ERR_MODEL_INVALID",
    "256 × 4 × 3",
    { change: shaped("lora_a", [256, 4, 3]) },
  ],
  [
    "token embeddings that are the output layer, too",
    "ERR_UNSUPPORTED",
    "token embeddings",
    {
      change: added(
        ["token_embd.weight.lora_a", [4, 1691]],
        ["token_embd.weight.lora_b", [4, WIDTH]],
      ),
    },
  ],
])("refuses %s", async (_, code, words, options) => {
  writeLora(path, 1, options);
  await expect(model.loadLora(path)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(words),
  });
});

test("refuses what is no file of its own", async () => {
  for (const file of [directory, join(directory, "missing.gguf"), "/dev/zero", "\0", "", MODEL]) {
    await expect(model.loadLora(file)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(MODEL_INVALID|INVALID_ARGUMENT)$/),
    });
  }
  await expect(model.loadLora(3 as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  const unknown = model.loadLora(path, { scale: 1 } as never);
  await expect(unknown).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  const vocabulary = await Model.load(MODEL, { vocabOnly: true });
  writeLora(path, 1);
  await expect(vocabulary.loadLora(path)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  await vocabulary.dispose();
});

test("an adapter with norms, which llama.cpp leaves out, works; one of numbers that are none fails alone", async () => {
  writeLora(path, 1, { change: added(["blk.0.attn_norm.weight", [WIDTH]]) });
  const good = await model.loadLora(path);
  writeLora(path, 1, {
    change: (all) => all.map((one) => ({ ...one, values: one.values.fill(Number.NaN) })),
  });
  const bad = await model.loadLora(path);
  const options = { temperature: 0, maxTokens: 4 };
  await context.generateText("a", { ...options, adapters: [{ adapter: good }] });
  await expect(
    context.generateText("a", { ...options, adapters: [{ adapter: bad }] }),
  ).rejects.toMatchObject({ code: "ERR_DECODE_FAILED" });
  await context.generateText("a", options);
});

test("numbers that are none stay in no cell of the cache", async () => {
  writeLora(path, 1, {
    change: (all) => all.map((one) => ({ ...one, values: one.values.fill(Number.NaN) })),
  });
  const bad = await model.loadLora(path);
  const greedy = { temperature: 0, maxTokens: 4 };
  for (const kvCache of ["unified", "per-sequence"] as const) {
    // Attention by matrices goes over free cells, too: 0 times what is no number is none either.
    const kind = { kvCache, flashAttention: false, sequences: 2 };
    const own = await model.createContext({ contextSize: 128, ...kind });
    const before = await own.generateText("The llama", greedy);
    const held = await own.createSequence();
    await held.evaluate("Once upon");
    const logits = await held.logits();
    await expect(
      own.generateText("A longer prompt than the others", {
        ...greedy,
        adapters: [{ adapter: bad }],
      }),
    ).rejects.toMatchObject({ code: "ERR_DECODE_FAILED" });
    const after = await own.generateText("The llama", greedy);
    expect(after.text).toBe(before.text);
    // A sequence evaluates its tokens again.
    await held.evaluate(" a");
    await held.trim(held.tokens.length - 1);
    const again = await held.logits();
    expect(again.indexOf(Math.max(...again))).toBe(logits.indexOf(Math.max(...logits)));
    await own.dispose();
  }
  await bad.dispose();
});

test.each<[string, string, readonly number[]]>([
  ["narrower than the model", "direction.1", [128]],
  ["of two dimensions", "direction.1", [WIDTH, 2]],
  ["of another name", "direction.one", [WIDTH]],
  ["of layer 0", "direction.0", [WIDTH]],
])("refuses a control vector %s", async (_, name, shape) => {
  writeControlVector(path, 1, 1, (tensor) =>
    tensor.name === "direction.1" ? randomTensor(name, shape, 1, 1) : tensor,
  );
  await expect(model.createContext({ controlVectors: [{ path }] })).rejects.toMatchObject({
    code: "ERR_MODEL_INVALID",
    message: expect.stringContaining("is not a control vector"),
  });
});

// Where another version of llama.cpp has others, kWithout in control_vector.cpp has to name them.
test("the graphs that add no control vectors are those that are known", () => {
  const folder = join(llamaCppDir(), "src", "models");
  const without = readdirSync(folder).filter((file) => {
    const text = file.endsWith(".cpp") ? readFileSync(join(folder, file), "utf8") : "";
    return /\bgraph(<\w+>)?::graph\(/.test(text) && !text.includes("build_cvec");
  });
  const names = without.map((file) => file.replace(".cpp", ""));
  expect(names.sort()).toEqual([
    "bert",
    "dflash",
    "eagle3",
    "eurobert",
    "gemma4-assistant",
    "hy-v4",
    "modern-bert",
    "neo-bert",
    "plamo2",
    "wavtokenizer-dec",
  ]);
});

test("directions behind the last layer have no effect", async () => {
  writeFileSync(path, "");
  writeControlVector(path, 1, 5, (tensor) => ({
    ...tensor,
    name: tensor.name.replace(/\d+$/, (layer) => String(Number(layer) + LAYERS)),
  }));
  const own = await model.createContext({ contextSize: 64, controlVectors: [{ path }] });
  const options = { temperature: 0, maxTokens: 8 } as const;
  const { text } = await own.generateText("The llama", options);
  expect(text).toBe((await context.generateText("The llama", options)).text);
});
