// Models of random weights, small enough that thousands can be loaded: one of each kind of graph and of
// each kind of vocabulary.
const { f32, list, TYPE, text, u32 } = require("./gguf.cjs");

const WIDTH = 32;
const HEADS = 4;
const INNER = 64;
const LAYERS = 2;
const EXPERTS = 4;
const POSITIONS = 64;
const BUCKETS = 32;
const STATE = 8;

const utf8 = (value) => Buffer.from(value).toString("latin1");
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzT .,"];
const BYTES = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);
const CONTROL = 3;
const BYTE = 6;

/** As llama.cpp calls them: SPM, WPM, UGM, BPE, RWKV. */
const VOCABULARIES = {
  llama: ["<unk>", "<s>", "</s>", ...BYTES, utf8("▁"), ...LETTERS.slice(0, 27), utf8("▁the")],
  bert: [
    ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    ...LETTERS.flatMap((letter) => [utf8(`▁${letter}`), letter]),
  ],
  t5: ["<pad>", "</s>", "<unk>", utf8("▁"), ...LETTERS.slice(0, 27), utf8("▁the")],
  gpt2: [...LETTERS.slice(0, 27), utf8("Ġ"), utf8("Ċ"), utf8("Ġt"), "he", "<|end|>", ".", ","],
  rwkv: [
    "<s>",
    ...Array.from({ length: 255 }, (_, i) => `\\x${(i + 1).toString(16).padStart(2, "0")}`),
  ],
};

function tokenizer(model) {
  const tokens = VOCABULARIES[model];
  const typeOf = (token) => (BYTES.includes(token) ? BYTE : /^[<[]./.test(token) ? CONTROL : 1);
  const pairs = [
    ["tokenizer.ggml.model", model],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", Int32Array.from(tokens, typeOf)],
    ["tokenizer.ggml.scores", Float32Array.from(tokens, (_, i) => -i)],
    ["tokenizer.ggml.bos_token_id", 1],
    ["tokenizer.ggml.eos_token_id", 2],
    ["tokenizer.ggml.unknown_token_id", model === "t5" ? 2 : 1],
    ["tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}"],
  ];
  if (model === "gpt2") pairs.push(["tokenizer.ggml.merges", [`${utf8("Ġ")} t`, "h e"]]);
  if (model === "bert") {
    pairs.push(["tokenizer.ggml.token_type_count", 2]);
    for (const [i, name] of ["padding", "unknown", "cls", "seperator", "mask"].entries())
      if (name !== "unknown") pairs.push([`tokenizer.ggml.${name}_token_id`, i]);
  }
  return { size: tokens.length, pairs };
}

function pairOf([key, value]) {
  if (typeof value === "string") return { key, type: TYPE.string, value: text(value) };
  if (typeof value === "boolean") return { key, type: TYPE.bool, value: Buffer.of(Number(value)) };
  if (typeof value === "number") return { key, type: TYPE.uint32, value: u32(value) };
  if (value instanceof Int32Array) return array(key, TYPE.int32, [...value].map(u32));
  if (value instanceof Float32Array) return array(key, TYPE.float32, [...value].map(f32));
  if (Array.isArray(value)) return array(key, TYPE.string, value.map(text));
  return { key, type: TYPE.float32, value: f32(value.float) };
}

function array(key, type, values) {
  return { key, type: TYPE.array, value: list(type, values) };
}

/** `shape(add)` adds the layers' tensors; `next` gives random numbers from 0 to 1. */
function model(architecture, vocabulary, hyperparameters, shape) {
  let state = 7;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const tensors = [];
  const add = (name, ...dims) => {
    const size = dims.reduce((product, length) => product * length, 1);
    const middle = dims.length === 1 && name.includes("norm.weight") ? 1 : 0;
    const values = Float32Array.from({ length: size }, () => middle + (next() - 0.5) * 0.5);
    tensors.push({ name, shape: dims, type: 0, data: Buffer.from(values.buffer) });
  };
  const { size, pairs } = tokenizer(vocabulary);
  shape(add, size);
  const common = {
    context_length: POSITIONS,
    embedding_length: WIDTH,
    feed_forward_length: INNER,
    block_count: LAYERS,
    "attention.head_count": HEADS,
    "attention.layer_norm_rms_epsilon": { float: 1e-5 },
    ...hyperparameters,
  };
  const named = Object.entries(common).map(([key, value]) => [`${architecture}.${key}`, value]);
  const head = [["general.architecture", architecture], ...named, ...pairs];
  return { pairs: head.map(pairOf), tensors };
}

const blocks = (build) => {
  for (let layer = 0; layer < LAYERS; layer++) build(`blk.${layer}`);
};

function attention(add, block, bias = false) {
  for (const part of ["q", "k", "v", "output"]) {
    add(`${block}.attn_${part}.weight`, WIDTH, WIDTH);
    if (bias) add(`${block}.attn_${part}.bias`, WIDTH);
  }
}

function norm(add, name) {
  add(`${name}.weight`, WIDTH);
  add(`${name}.bias`, WIDTH);
}

function llama(vocabulary, experts) {
  const more = experts ? { expert_count: EXPERTS, expert_used_count: 2 } : {};
  return model(
    "llama",
    vocabulary,
    { "rope.dimension_count": WIDTH / HEADS, ...more },
    (add, size) => {
      add("token_embd.weight", WIDTH, size);
      add("output_norm.weight", WIDTH);
      add("output.weight", WIDTH, size);
      blocks((block) => {
        attention(add, block);
        add(`${block}.attn_norm.weight`, WIDTH);
        add(`${block}.ffn_norm.weight`, WIDTH);
        const [suffix, many] = experts ? ["_exps", [EXPERTS]] : ["", []];
        if (experts) add(`${block}.ffn_gate_inp.weight`, WIDTH, EXPERTS);
        add(`${block}.ffn_gate${suffix}.weight`, WIDTH, INNER, ...many);
        add(`${block}.ffn_up${suffix}.weight`, WIDTH, INNER, ...many);
        add(`${block}.ffn_down${suffix}.weight`, INNER, WIDTH, ...many);
      });
    },
  );
}

function gpt2() {
  const epsilon = { "attention.layer_norm_epsilon": { float: 1e-5 } };
  return model("gpt2", "gpt2", epsilon, (add, size) => {
    add("token_embd.weight", WIDTH, size);
    add("position_embd.weight", WIDTH, POSITIONS);
    norm(add, "output_norm");
    blocks((block) => {
      norm(add, `${block}.attn_norm`);
      add(`${block}.attn_qkv.weight`, WIDTH, 3 * WIDTH);
      add(`${block}.attn_qkv.bias`, 3 * WIDTH);
      add(`${block}.attn_output.weight`, WIDTH, WIDTH);
      add(`${block}.attn_output.bias`, WIDTH);
      norm(add, `${block}.ffn_norm`);
      add(`${block}.ffn_up.weight`, WIDTH, INNER);
      add(`${block}.ffn_up.bias`, INNER);
      add(`${block}.ffn_down.weight`, INNER, WIDTH);
      add(`${block}.ffn_down.bias`, WIDTH);
    });
  });
}

function bert() {
  const more = { "attention.layer_norm_epsilon": { float: 1e-12 }, "attention.causal": false };
  return model("bert", "bert", more, (add, size) => {
    add("token_embd.weight", WIDTH, size);
    add("token_types.weight", WIDTH, 2);
    add("position_embd.weight", WIDTH, POSITIONS);
    norm(add, "token_embd_norm");
    blocks((block) => {
      attention(add, block, true);
      norm(add, `${block}.attn_output_norm`);
      add(`${block}.ffn_up.weight`, WIDTH, INNER);
      add(`${block}.ffn_up.bias`, INNER);
      add(`${block}.ffn_down.weight`, INNER, WIDTH);
      add(`${block}.ffn_down.bias`, WIDTH);
      norm(add, `${block}.layer_output_norm`);
    });
  });
}

function t5encoder() {
  const more = { "attention.relative_buckets_count": BUCKETS };
  return model("t5encoder", "t5", more, (add, size) => {
    add("token_embd.weight", WIDTH, size);
    add("enc.output_norm.weight", WIDTH);
    blocks((name) => {
      const block = `enc.${name}`;
      for (const part of ["q", "k", "v", "o"]) add(`${block}.attn_${part}.weight`, WIDTH, WIDTH);
      add(`${block}.attn_norm.weight`, WIDTH);
      add(`${block}.attn_rel_b.weight`, HEADS, BUCKETS);
      add(`${block}.ffn_norm.weight`, WIDTH);
      add(`${block}.ffn_up.weight`, WIDTH, INNER);
      add(`${block}.ffn_down.weight`, INNER, WIDTH);
    });
  });
}

function mamba() {
  const kernel = 4;
  const rank = 2;
  const more = {
    "attention.head_count": 0,
    "ssm.conv_kernel": kernel,
    "ssm.inner_size": 2 * WIDTH,
    "ssm.state_size": STATE,
    "ssm.time_step_rank": rank,
  };
  return model("mamba", "rwkv", more, (add, size) => {
    add("token_embd.weight", WIDTH, size);
    add("output_norm.weight", WIDTH);
    blocks((block) => {
      add(`${block}.attn_norm.weight`, WIDTH);
      add(`${block}.ssm_in.weight`, WIDTH, 4 * WIDTH);
      add(`${block}.ssm_conv1d.weight`, kernel, 2 * WIDTH);
      add(`${block}.ssm_conv1d.bias`, 2 * WIDTH);
      add(`${block}.ssm_x.weight`, 2 * WIDTH, rank + 2 * STATE);
      add(`${block}.ssm_dt.weight`, rank, 2 * WIDTH);
      add(`${block}.ssm_dt.bias`, 2 * WIDTH);
      add(`${block}.ssm_a`, STATE, 2 * WIDTH);
      add(`${block}.ssm_d`, 2 * WIDTH);
      add(`${block}.ssm_out.weight`, 2 * WIDTH, WIDTH);
    });
  });
}

const BASES = {
  "llama, SPM": llama("llama", false),
  "llama, experts, BPE": llama("gpt2", true),
  "llama, UGM": llama("t5", false),
  "gpt2, BPE": gpt2(),
  "bert, WPM": bert(),
  "t5encoder, UGM": t5encoder(),
  "mamba, RWKV": mamba(),
};

module.exports = { BASES };
