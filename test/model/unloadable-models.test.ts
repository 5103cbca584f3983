import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LlamaGuard, Model } from "../../lib/index.js";
import { type GgufTable, type GgufValue, writeGguf } from "../support/gguf-writer.js";
import { GUARD_4 } from "../support/guard-templates.js";
import { tokenizer } from "../support/tiny-models.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cria-unloadable-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A file that says what it is, and has nothing to compute with. */
function header(
  architecture: string,
  own: Readonly<Record<string, GgufValue>> = {},
  tensors: readonly GgufTable[] = [],
): string {
  const path = join(folder, `${architecture}.gguf`);
  const shape = {
    context_length: 512,
    embedding_length: 32,
    feed_forward_length: 64,
    block_count: 1,
    "attention.head_count": 2,
    "attention.layer_norm_rms_epsilon": { float: 1e-5 },
    "rope.dimension_count": 16,
    ...own,
  };
  const named = Object.entries(shape).map(([key, value]) => [`${architecture}.${key}`, value]);
  writeGguf(
    path,
    {
      "general.architecture": architecture,
      ...Object.fromEntries(named),
      ...tokenizer(),
      "tokenizer.chat_template": GUARD_4,
    },
    [{ name: "token_embd.weight", shape: [32, 1], values: new Float32Array(32) }, ...tensors],
  );
  return path;
}

test.each([
  ["mllama", /Llama 3\.2 Vision.*cross-attention/],
  ["deberta", /DeBERTa classifier, as Prompt Guard is/],
  ["deberta-v2", /DeBERTa classifier, as Prompt Guard is/],
  ["llama4", /Llama 4 without experts, as Llama Guard 4 is/],
])("a file of %s is ERR_UNSUPPORTED, with the reason", async (architecture, reason) => {
  const path = header(architecture);
  await expect(Model.load(path)).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: expect.stringMatching(reason),
  });
  await expect(Model.load(path)).rejects.toThrow(`"${path}" cannot be loaded: `);
});

test("Llama 4 itself is not taken for its guard", async () => {
  const failure = Model.load(header("llama4", { expert_count: 16, expert_used_count: 1 }));
  // What is missing here are its tensors.
  await expect(failure).rejects.toMatchObject({ code: "ERR_MODEL_INVALID" });
});

// The CPU would assert that they are there, a GPU would read other memory.
test.each([-1, 4, 2 ** 30])(
  "a table of experts that names expert %p of 4 is refused",
  async (id) => {
    const name = "blk.0.ffn_gate_tid2eid.weight";
    const table = { name, shape: [2, 2], values: Int32Array.of(0, 3, id, 1) };
    const own = { expert_count: 4, expert_used_count: 2 };
    await expect(Model.load(header("llama", own, [table]))).rejects.toMatchObject({
      code: "ERR_MODEL_INVALID",
      message: expect.stringContaining(`"${name}" to hold ids from 0 to 3, found ${id}`),
    });
  },
);

test("the vocabulary of Llama Guard 4 can be loaded, and is judged with by nobody", async () => {
  const model = await Model.load(header("llama4"), { vocabOnly: true });
  const context = { model, sequences: 1, generate() {}, score() {} };
  expect(() => new LlamaGuard(context as never)).toThrow(
    expect.objectContaining({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching(
        /the template of Llama Guard 4: it is asked in another prompt/,
      ),
    }),
  );
  await model.dispose();
});
