import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CriaError, Model, Sampler } from "../../lib/index.js";
import { fuzzFiles } from "../support/fuzz-files.js";
import { MODEL } from "../support/paths.js";
import { TINY_CONTEXT, writeLlama } from "../support/tiny-models.js";

let directory: string;
let path: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-check-"));
  path = join(directory, "model.gguf");
});
afterAll(() => rm(directory, { recursive: true }));

const invalid = (message: RegExp, code = "ERR_MODEL_INVALID") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

const { BASES, f32, list, text, TYPE, u32, u64, writeGguf } = fuzzFiles;
type File = (typeof BASES)[string];
type Change = (file: File) => void;

/** A base model with something about it changed. */
async function write(base: string, change: Change = () => {}): Promise<void> {
  const { pairs, tensors } = BASES[base] as File;
  const file = {
    pairs: pairs.map((pair) => ({ ...pair })),
    tensors: tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape] })),
  };
  change(file);
  await writeFile(path, writeGguf(file));
}

const pair = ({ pairs }: File, key: string) =>
  pairs.find((one) => one.key === key) as File["pairs"][0];
const tensor = ({ tensors }: File, name: string) =>
  tensors.find((one) => one.name === name) as File["tensors"][0];
const set =
  (key: string, value: Buffer, type: number = TYPE.uint32): Change =>
  (file) => {
    const found = pair(file, key);
    if (found) Object.assign(found, { value, type });
    else file.pairs.push({ key, type, value });
  };
const retype =
  (name: string, type: number, bytesPerElement: number): Change =>
  (file) => {
    const found = tensor(file, name);
    const size = found.shape.reduce((all, one) => all * one, 1) * bytesPerElement;
    Object.assign(found, { type, data: Buffer.alloc(Math.ceil(size)) });
  };
const real = (value: number) => f32(value);

async function generated(options: { threads?: number; maxTokens?: number; contextSize?: number }) {
  await using model = await Model.load(path);
  const { maxTokens = 3, ...rest } = options;
  const context = await model.createContext({ contextSize: 64, ...rest });
  return await context.generate("the cat", { sampler: Sampler.greedy(), maxTokens }).result();
}

describe("a model's files", () => {
  test.each(Object.keys(BASES))("are taken as they are: %s", async (base) => {
    await write(base);
    await (await Model.load(path)).dispose();
  });

  test.each<[string, string, RegExp, Change]>([
    [
      "a negative epsilon",
      "llama, SPM",
      /layer_norm_rms_epsilon" to be a number of at least 0, found -1e-05/,
      set("llama.attention.layer_norm_rms_epsilon", real(-1e-5), TYPE.float32),
    ],
    [
      "an epsilon that is none",
      "bert, WPM",
      /layer_norm_epsilon/,
      set("bert.attention.layer_norm_epsilon", real(Number.NaN), TYPE.float32),
    ],
    [
      "an infinite epsilon",
      "gpt2, BPE",
      /layer_norm_epsilon/,
      set("gpt2.attention.layer_norm_epsilon", real(Number.POSITIVE_INFINITY), TYPE.float32),
    ],
    [
      "a rope base of the wrong sign",
      "llama, SPM",
      /rope.freq_base/,
      set("llama.rope.freq_base", real(-10000), TYPE.float32),
    ],
    [
      "a rope scale without an inverse",
      "llama, SPM",
      /rope.scaling.factor/,
      set("llama.rope.scaling.factor", real(1e-40), TYPE.float32),
    ],
    [
      "a scale that is not finite",
      "llama, SPM",
      /attention.scale/,
      set("llama.attention.scale", real(Number.NEGATIVE_INFINITY), TYPE.float32),
    ],
    [
      "no layers",
      "llama, SPM",
      /block_count" to be a whole number from 1 to 512, found 0/,
      set("llama.block_count", u32(0)),
    ],
    ["too many layers", "llama, SPM", /block_count/, set("llama.block_count", u32(2 ** 31))],
    [
      "no heads",
      "gpt2, BPE",
      /head_count" to be at least 1/,
      set("gpt2.attention.head_count", u32(0)),
    ],
    [
      "more heads than elements",
      "llama, SPM",
      /head_count/,
      set("llama.attention.head_count", u32(64)),
    ],
    [
      "heads that are not shared evenly",
      "llama, SPM",
      /divisor of "attention.head_count" \(4\), found 3/,
      set("llama.attention.head_count_kv", u32(3)),
    ],
    [
      "an odd rope width",
      "llama, SPM",
      /rope.dimension_count" to be even, found 7/,
      set("llama.rope.dimension_count", u32(7)),
    ],
    [
      "a rope wider than a head",
      "llama, SPM",
      /rope.dimension_count" to be at most the width of a head \(8\), found 10/,
      set("llama.rope.dimension_count", u32(10)),
    ],
    [
      "more experts used than there are",
      "llama, experts, BPE",
      /expert_used_count/,
      set("llama.expert_used_count", u32(5)),
    ],
    [
      "no experts used",
      "llama, experts, BPE",
      /expert_used_count/,
      set("llama.expert_used_count", u32(0)),
    ],
    [
      "a division by a state of none",
      "mamba, RWKV",
      /ssm.time_step_rank/,
      set("mamba.ssm.time_step_rank", u32(0)),
    ],
    [
      "buckets of none",
      "t5encoder, UGM",
      /relative_buckets_count/,
      set("t5encoder.attention.relative_buckets_count", u32(0)),
    ],
    ["an unknown pooling", "bert, WPM", /pooling_type/, set("bert.pooling_type", u32(9))],
    [
      "a token twice",
      "llama, SPM",
      /token 1 with the text of an earlier one/,
      set("tokenizer.ggml.tokens", list(TYPE.string, [text("a"), text("a")]), TYPE.array),
    ],
    [
      "tokens that are no texts",
      "llama, SPM",
      /tokenizer.ggml.tokens" to be an array of strings/,
      set("tokenizer.ggml.tokens", list(TYPE.uint32, [u32(1)]), TYPE.array),
    ],
    [
      "fewer types than tokens",
      "llama, SPM",
      /tokenizer.ggml.token_type" to be a list of \d+, one for each token, found 1/,
      set("tokenizer.ggml.token_type", list(TYPE.int32, [u32(1)]), TYPE.array),
    ],
    [
      "a type that no token has",
      "llama, SPM",
      /numbers from 0/,
      (file) => {
        const { value } = pair(file, "tokenizer.ggml.token_type");
        pair(file, "tokenizer.ggml.token_type").value = Buffer.concat([
          value.subarray(0, 12),
          u32(77),
          value.subarray(16),
        ]);
      },
    ],
    [
      "a score that is none",
      "llama, SPM",
      /tokenizer.ggml.scores/,
      (file) => {
        const { value } = pair(file, "tokenizer.ggml.scores");
        pair(file, "tokenizer.ggml.scores").value = Buffer.concat([
          value.subarray(0, 12),
          real(Number.NaN),
          value.subarray(16),
        ]);
      },
    ],
    [
      "a key twice",
      "llama, SPM",
      /key "llama.block_count" occurs twice/,
      (file) => file.pairs.push({ ...pair(file, "llama.block_count") }),
    ],
    [
      "a tensor twice",
      "llama, SPM",
      /tensor "output.weight" occurs twice/,
      (file) => file.tensors.push({ ...tensor(file, "output.weight") }),
    ],
    [
      "an alignment that is no power of two",
      "llama, SPM",
      /alignment/,
      set("general.alignment", u32(48)),
    ],
    [
      "tensors that lie over each other",
      "llama, SPM",
      /begin at 0, expected/,
      (file) => Object.assign(tensor(file, "output.weight"), { at: 0 }),
    ],
    [
      "a tensor outside of the file",
      "llama, SPM",
      /begin at/,
      (file) => Object.assign(tensor(file, "output.weight"), { at: 2 ** 40 }),
    ],
    [
      "dimensions that overflow",
      "llama, SPM",
      /dimension 1 .* which no tensor can have/,
      (file) => {
        tensor(file, "output.weight").shape = [2 ** 40, 2 ** 40];
      },
    ],
    [
      "a negative dimension",
      "llama, SPM",
      /dimension 0 .* is -1/,
      (file) => {
        tensor(file, "output.weight").shape = [-1, 32];
      },
    ],
    [
      "five dimensions",
      "llama, SPM",
      /5 dimensions/,
      (file) => {
        tensor(file, "output.weight").shape = [1, 1, 1, 1, 1];
      },
    ],
    [
      "a list longer than the file",
      "llama, SPM",
      /more than fit into the file/,
      set("x", Buffer.concat([u32(TYPE.uint32), u64(2 ** 29)]), TYPE.array),
    ],
    [
      "a text longer than the file",
      "llama, SPM",
      /the length of a text is \d+/,
      set("x", u64(2 ** 29), TYPE.string),
    ],
    [
      "a list of lists",
      "llama, SPM",
      /list of lists/,
      set("x", Buffer.concat([u32(TYPE.array), u64(1)]), TYPE.array),
    ],
    ["a type that a value cannot have", "llama, SPM", /unknown type 13/, set("x", u32(0), 13)],
  ])("with %s are refused: %s", async (_, base, message, change) => {
    await write(base, change);
    await expect(Model.load(path)).rejects.toEqual(invalid(message));
  });

  test.each([
    ["I8", 24, 1],
    ["I16", 25, 2],
    ["I32", 26, 4],
    ["I64", 27, 8],
    ["F64", 28, 8],
    ["Q8_1", 9, 36 / 32],
    ["one that was taken out", 4, 1],
    ["one that is not there yet", 99, 1],
  ])("with weights of type %s, which nothing multiplies, are refused", async (_, type, bytes) => {
    for (const name of ["output.weight", "token_embd.weight", "blk.0.ffn_up.weight"]) {
      await write("llama, SPM", retype(name, type, bytes));
      await expect(Model.load(path)).rejects.toEqual(invalid(new RegExp(name)));
    }
  });

  test.each([
    ["llama, SPM", "blk.1.attn_norm.weight"],
    ["llama, SPM", "output_norm.weight"],
    ["gpt2, BPE", "blk.0.attn_qkv.bias"],
    ["bert, WPM", "token_embd_norm.bias"],
    ["mamba, RWKV", "blk.0.ssm_a"],
    ["mamba, RWKV", "blk.0.ssm_d"],
    ["mamba, RWKV", "blk.0.ssm_conv1d.weight"],
  ])(
    "that are 16 bits wide where the graph adds floats are refused: %s, %s",
    async (base, name) => {
      for (const type of [1, 30]) {
        await write(base, retype(name, type, 2));
        await expect(Model.load(path)).rejects.toEqual(invalid(/type f32/));
      }
    },
  );

  test("of RWKV with tokens that llama.cpp would look for without an end are refused", async () => {
    const tokens = list(TYPE.string, ["<", "ab", "\\x62"].map(text));
    const types = list(TYPE.int32, [u32(1), u32(1), u32(1)]);
    await write("mamba, RWKV", (file) => {
      set("tokenizer.ggml.tokens", tokens, TYPE.array)(file);
      set("tokenizer.ggml.token_type", types, TYPE.array)(file);
    });
    const loading = Model.load(path, { vocabOnly: true });
    await expect(loading).rejects.toEqual(invalid(/none for byte 97/));
  });

  test("without a tensor that only the graph asks for are refused", async () => {
    await write("t5encoder, UGM", (file) => {
      file.tensors = file.tensors.filter(({ name }) => name !== "enc.blk.0.attn_rel_b.weight");
    });
    await expect(Model.load(path)).rejects.toEqual(invalid(/attn_rel_b.weight" is missing/));
  });

  test("may have weights in 16 bits or quantized", async () => {
    for (const [type, bytes] of [
      [1, 2],
      [30, 2],
      [8, 34 / 32],
      [2, 18 / 32],
    ] as const) {
      await write("llama, SPM", (file) => {
        for (const { name, shape } of [...file.tensors])
          if (shape.length > 1) retype(name, type, bytes)(file);
      });
      expect((await generated({ threads: 2 })).usage.completionTokens).toBeGreaterThan(0);
    }
  });

  test("are read in time that grows with their headers, not faster", async () => {
    const keys =
      (count: number): Change =>
      (file) => {
        for (let i = 0; i < count; i++)
          file.pairs.push({ key: `x.${i}`, type: TYPE.uint32, value: u32(i) });
      };
    await write("llama, SPM", keys(5000));
    const model = await Model.load(path);
    expect(model.metadata.size).toBeGreaterThan(5000);
    expect([...model.metadata.keys()].slice(-2)).toEqual(["x.4998", "x.4999"]);
    await model.dispose();
    await write("llama, SPM", keys(60_000));
    await expect(Model.load(path)).rejects.toEqual(invalid(/keys of metadata, more than 8192/));
    await write(
      "llama, SPM",
      set("x", Buffer.concat([u32(0), u64(2 ** 24), Buffer.alloc(2 ** 24)]), TYPE.array),
    );
    await expect(Model.load(path)).rejects.toEqual(invalid(/more than 8388608 elements/));
  });

  test("are regular files, or nothing waits for them", async () => {
    if (process.platform === "win32") return;
    const fifo = join(directory, "fifo.gguf");
    execFileSync("mkfifo", [fifo]);
    const link = join(directory, "link.gguf");
    await symlink(fifo, link);
    for (const file of [fifo, link, "/dev/zero"]) {
      await expect(Model.load(file)).rejects.toEqual(
        invalid(/not a regular file/, "ERR_MODEL_NOT_FOUND"),
      );
    }
    await symlink(MODEL, join(directory, "good.gguf"));
    await (await Model.load(join(directory, "good.gguf"))).dispose();
  });
});

describe("a split model", () => {
  const u16 = (value: number) => Buffer.of(value & 255, value >> 8);
  const name = (part: number) => join(directory, "split", `m-0000${part}-of-00002.gguf`);
  const split =
    (no: number, count = 2): Change =>
    (file) => {
      set("split.no", u16(no), 2)(file);
      set("split.count", u16(count), 2)(file);
      set(
        "split.tensors.count",
        u32((BASES["llama, SPM"] as File).tensors.length),
        TYPE.int32,
      )(file);
    };

  async function writeParts(second: Change = split(1)): Promise<void> {
    await rm(join(directory, "split"), { recursive: true, force: true });
    await mkdir(join(directory, "split"));
    const { pairs, tensors } = BASES["llama, SPM"] as File;
    const first = { pairs: pairs.map((one) => ({ ...one })), tensors: tensors.slice(0, 5) };
    const rest = { pairs: [], tensors: tensors.slice(5).map((one) => ({ ...one })) };
    split(0)(first);
    second(rest);
    await writeFile(name(1), writeGguf(first));
    await writeFile(name(2), writeGguf(rest));
  }

  test("is whole, has one fingerprint, and each part counts", async () => {
    await writeParts();
    const model = await Model.load(name(1));
    expect(model.sizeInBytes).toBeGreaterThan(0);
    await model.dispose();
    await writeParts((file) => {
      split(1)(file);
      const last = file.tensors.at(-1) as File["tensors"][0];
      last.data = Buffer.from(last.data.map((byte) => byte ^ 1));
    });
    const other = await Model.load(name(1));
    expect(other.fingerprint).not.toBe(model.fingerprint);
    await other.dispose();
  });

  test.each<[string, RegExp, Change]>([
    ["no number", /part 2 of 2/, () => {}],
    ["another number", /part 2 of 2/, split(0)],
    ["a number of another type", /"split.no" is not of type u16/, set("split.no", u32(1))],
    [
      "a tensor of the first",
      /in two of its parts/,
      (file) => {
        split(1)(file);
        file.tensors.push({ ...(BASES["llama, SPM"] as File).tensors[0] } as File["tensors"][0]);
      },
    ],
    [
      "a tensor less",
      /tensors together/,
      (file) => {
        split(1)(file);
        file.tensors.pop();
      },
    ],
    [
      "weights that nothing multiplies",
      /type that weights/,
      (file) => {
        split(1)(file);
        retype("blk.1.ffn_up.weight", 24, 1)(file);
      },
    ],
  ])("whose second part has %s is refused", async (_, message, second) => {
    await writeParts(second);
    await expect(Model.load(name(1))).rejects.toEqual(invalid(message));
  });

  test("is refused from its second part on, without a part, and with a pipe for one", async () => {
    await writeParts();
    await expect(Model.load(name(2))).rejects.toEqual(
      invalid(/later part|head_count|architecture|could not/),
    );
    await rm(name(2));
    await expect(Model.load(name(1))).rejects.toEqual(invalid(/cannot be opened/));
    if (process.platform === "win32") return;
    execFileSync("mkfifo", [name(2)]);
    await expect(Model.load(name(1))).rejects.toEqual(invalid(/not a regular file/));
  });
});

describe("metadata overrides", () => {
  test.each([
    [{ "llama.attention.layer_norm_rms_epsilon": -1 }, /rms_epsilon/, "ERR_MODEL_INVALID"],
    [{ "llama.attention.head_count_kv": 3 }, /divisor/, "ERR_MODEL_INVALID"],
    [{ "llama.rope.freq_base": -2.5 }, /freq_base/, "ERR_MODEL_INVALID"],
    [{ "llama.attention.layer_norm_rms_epsilon": 1e300 }, /32 bits/, "ERR_INVALID_ARGUMENT"],
    [{ "split.count": 2 }, /cannot be in/, "ERR_INVALID_ARGUMENT"],
  ])("go through the same checks: %j", async (metadataOverrides, message, code) => {
    const file = join(directory, "llama.gguf");
    writeLlama(file);
    await expect(Model.load(file, { metadataOverrides })).rejects.toEqual(invalid(message, code));
  });

  test("are what the model's metadata says", async () => {
    const metadataOverrides = { "general.name": "other", "general.new": 7 };
    const model = await Model.load(MODEL, { vocabOnly: true, metadataOverrides });
    expect(model.metadata.get("general.name")).toBe("other");
    await model.dispose();
  });
});

describe("a table of learnt positions", () => {
  test("bounds the context: auto ends at it, more is refused, and generating ends there", async () => {
    await write("gpt2, BPE");
    await using model = await Model.load(path);
    for (const options of [{}, { embeddings: true }]) {
      await expect(model.createContext({ contextSize: 65, ...options })).rejects.toEqual(
        invalid(
          /at most 64, as many positions as this model was trained with/,
          "ERR_INVALID_ARGUMENT",
        ),
      );
    }
    const context = await model.createContext({ threads: 2, kvCache: "unified", sequences: 2 });
    expect(context.contextSize).toBe(64);
    const long = "t".repeat(60);
    for (const prompt of ["the cat", long]) {
      const { stopReason, usage } = await context
        .generate(prompt, {
          sampler: Sampler.greedy(),
          maxTokens: 200,
        })
        .result()
        .catch((error: CriaError) => ({ stopReason: error.code, usage: undefined }));
      if (usage) expect(usage.promptTokens + usage.completionTokens).toBeLessThanOrEqual(64);
      expect(["context-full", "end-of-text"]).toContain(stopReason);
    }
    await expect(context.generate("t".repeat(100)).result()).rejects.toEqual(
      invalid(/./, "ERR_CONTEXT_FULL"),
    );
  });

  test("does not bound those who have none", async () => {
    const file = join(directory, "llama.gguf");
    writeLlama(file);
    await using model = await Model.load(file);
    const context = await model.createContext({ contextSize: 2 * TINY_CONTEXT });
    expect(context.contextSize).toBe(2 * TINY_CONTEXT);
  });
});

describe("a vocabulary that cannot write a text", () => {
  const tokens = ["<", "<s>", "</s>", "a", "b", "\xe2", "\xe2\x96\x81", "\xe2\x96\x81a"];

  test.each(["llama", "bert", "rwkv"])("says so of the text: %s", async (tokenizer) => {
    await write("llama, SPM", (file) => {
      const types = tokens.map((_, id) => u32(id < 3 ? 3 : 1));
      set("tokenizer.ggml.model", text(tokenizer), TYPE.string)(file);
      set("tokenizer.ggml.tokens", list(TYPE.string, tokens.map(text)), TYPE.array)(file);
      set("tokenizer.ggml.token_type", list(TYPE.int32, types), TYPE.array)(file);
      // No such token: llama.cpp passes over it.
      for (const name of ["unknown", "seperator", "cls", "mask"])
        set(`tokenizer.ggml.${name}_token_id`, u32(name === "unknown" ? 2 ** 31 : 1))(file);
    });
    await using model = await Model.load(path, { vocabOnly: true });
    expect(model.tokenize("ab").length).toBeGreaterThan(0);
    expect(() => model.tokenize("犬")).toThrow(
      invalid(/vocabulary cannot write the text/, "ERR_INVALID_ARGUMENT"),
    );
    expect(model.tokenize("ab").length).toBeGreaterThan(0);
  });
});
