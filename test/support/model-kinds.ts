import { type GgufValue, writeGguf } from "./gguf-writer.js";
import { tokenizer, VOCABULARY, weights } from "./tiny-models.js";

const WIDTH = 64;
const HEADS = 4;
const HIDDEN = 96;
const TRAINED = 4096;
const EXPERTS = 4;
const STATE = 8;
const KERNEL = 4;
const RANK = 4;

type Add = (name: string, shape: readonly number[]) => void;

interface Kind {
  readonly architecture: string;
  readonly layers: number;
  readonly hyperparameters: Readonly<Record<string, GgufValue>>;
  readonly layer: (add: Add, block: string, index: number) => void;
}

function attention(add: Add, block: string, query: number, keys: number, values = keys): void {
  add(`${block}.attn_norm.weight`, [WIDTH]);
  add(`${block}.attn_q.weight`, [WIDTH, query]);
  add(`${block}.attn_k.weight`, [WIDTH, keys]);
  add(`${block}.attn_v.weight`, [WIDTH, values]);
  add(`${block}.attn_output.weight`, [query, WIDTH]);
}

function feedForward(add: Add, block: string, hidden = HIDDEN): void {
  add(`${block}.ffn_norm.weight`, [WIDTH]);
  add(`${block}.ffn_gate.weight`, [WIDTH, hidden]);
  add(`${block}.ffn_up.weight`, [WIDTH, hidden]);
  add(`${block}.ffn_down.weight`, [hidden, WIDTH]);
}

function experts(add: Add, block: string): void {
  add(`${block}.ffn_norm.weight`, [WIDTH]);
  add(`${block}.ffn_gate_inp.weight`, [WIDTH, EXPERTS]);
  add(`${block}.ffn_gate_exps.weight`, [WIDTH, HIDDEN, EXPERTS]);
  add(`${block}.ffn_up_exps.weight`, [WIDTH, HIDDEN, EXPERTS]);
  add(`${block}.ffn_down_exps.weight`, [HIDDEN, WIDTH, EXPERTS]);
}

function stateSpace(add: Add, block: string, state = STATE): void {
  const inner = 2 * WIDTH;
  add(`${block}.attn_norm.weight`, [WIDTH]);
  add(`${block}.ssm_in.weight`, [WIDTH, 2 * inner]);
  add(`${block}.ssm_conv1d.weight`, [KERNEL, inner]);
  add(`${block}.ssm_conv1d.bias`, [inner]);
  add(`${block}.ssm_x.weight`, [inner, RANK + 2 * state]);
  add(`${block}.ssm_dt.weight`, [RANK, inner]);
  add(`${block}.ssm_dt.bias`, [inner]);
  add(`${block}.ssm_a`, [state, inner]);
  add(`${block}.ssm_d`, [inner]);
  add(`${block}.ssm_out.weight`, [inner, WIDTH]);
}

const STATE_SPACE = {
  "ssm.conv_kernel": KERNEL,
  "ssm.inner_size": 2 * WIDTH,
  "ssm.state_size": STATE,
  "ssm.time_step_rank": RANK,
};

/** Of each kind of KV cache, and of weights, one; by what is special about it. */
export const MODEL_KINDS = {
  "heads that share keys": {
    architecture: "llama",
    layers: 3,
    hyperparameters: { "attention.head_count_kv": 2, "rope.dimension_count": WIDTH / HEADS },
    layer: (add, block) => {
      attention(add, block, WIDTH, WIDTH / 2);
      feedForward(add, block);
    },
  },
  experts: {
    architecture: "llama",
    layers: 2,
    hyperparameters: {
      "rope.dimension_count": WIDTH / HEADS,
      ...{ expert_count: EXPERTS, expert_used_count: 2 },
    },
    layer: (add, block) => {
      attention(add, block, WIDTH, WIDTH);
      experts(add, block);
    },
  },
  "heads wider than the model": {
    architecture: "llama",
    layers: 2,
    hyperparameters: {
      "attention.key_length": 32,
      "attention.value_length": 32,
      "rope.dimension_count": 32,
    },
    layer: (add, block) => {
      attention(add, block, 32 * HEADS, 32 * HEADS);
      feedForward(add, block);
    },
  },
  "layers that differ in their heads": {
    architecture: "openelm",
    layers: 3,
    hyperparameters: {
      "attention.head_count": Int32Array.of(4, 8, 12),
      "attention.head_count_kv": Int32Array.of(1, 2, 3),
      "attention.key_length": 32,
      "attention.value_length": 32,
      "rope.dimension_count": 32,
      feed_forward_length: Int32Array.of(64, 96, 128),
    },
    layer: (add, block, index) => {
      const [heads, shared] = [4 * (index + 1), index + 1];
      add(`${block}.attn_norm.weight`, [WIDTH]);
      add(`${block}.attn_qkv.weight`, [WIDTH, 32 * (heads + 2 * shared)]);
      add(`${block}.attn_q_norm.weight`, [32]);
      add(`${block}.attn_k_norm.weight`, [32]);
      add(`${block}.attn_output.weight`, [32 * heads, WIDTH]);
      feedForward(add, block, 64 + 32 * index);
    },
  },
  "a sliding window": {
    architecture: "gemma3",
    layers: 7,
    hyperparameters: {
      "attention.sliding_window": 128,
      "attention.head_count_kv": 2,
      "attention.key_length": 32,
      "attention.value_length": 32,
    },
    layer: (add, block) => {
      attention(add, block, 32 * HEADS, 64);
      add(`${block}.attn_q_norm.weight`, [32]);
      add(`${block}.attn_k_norm.weight`, [32]);
      add(`${block}.post_attention_norm.weight`, [WIDTH]);
      feedForward(add, block);
      add(`${block}.post_ffw_norm.weight`, [WIDTH]);
    },
  },
  "keys and values in one (MLA)": {
    architecture: "deepseek2",
    layers: 2,
    hyperparameters: {
      leading_dense_block_count: 2,
      "attention.q_lora_rank": 32,
      "attention.kv_lora_rank": 32,
      "attention.head_count_kv": 1,
      "attention.key_length": 32 + 8,
      "attention.value_length": 32,
      "attention.key_length_mla": 16 + 8,
      "attention.value_length_mla": 16,
      "rope.dimension_count": 8,
      expert_feed_forward_length: HIDDEN,
      expert_shared_count: 1,
    },
    layer: (add, block) => {
      add(`${block}.attn_norm.weight`, [WIDTH]);
      add(`${block}.attn_q_a_norm.weight`, [32]);
      add(`${block}.attn_kv_a_norm.weight`, [32]);
      add(`${block}.attn_q_a.weight`, [WIDTH, 32]);
      add(`${block}.attn_q_b.weight`, [32, 24 * HEADS]);
      add(`${block}.attn_kv_a_mqa.weight`, [WIDTH, 32 + 8]);
      add(`${block}.attn_k_b.weight`, [16, 32, HEADS]);
      add(`${block}.attn_v_b.weight`, [32, 16, HEADS]);
      add(`${block}.attn_output.weight`, [16 * HEADS, WIDTH]);
      feedForward(add, block);
    },
  },
  "states in the place of a cache": {
    architecture: "mamba",
    layers: 3,
    hyperparameters: { "attention.head_count": 0, ...STATE_SPACE },
    layer: (add, block) => stateSpace(add, block),
  },
  "large states": {
    architecture: "mamba",
    layers: 3,
    hyperparameters: {
      "attention.head_count": 0,
      ...STATE_SPACE,
      "ssm.state_size": 1024,
    },
    layer: (add, block) => stateSpace(add, block, 1024),
  },
  "states in some layers, a cache in others": {
    architecture: "jamba",
    layers: 4,
    hyperparameters: {
      "attention.head_count_kv": Int32Array.of(0, 2, 0, 2),
      ...{ expert_count: EXPERTS, expert_used_count: 2 },
      ...STATE_SPACE,
    },
    layer: (add, block, index) => {
      if (index % 2 === 1) attention(add, block, WIDTH, WIDTH / 2);
      else {
        stateSpace(add, block);
        add(`${block}.ssm_dt_norm.weight`, [RANK]);
        add(`${block}.ssm_b_norm.weight`, [STATE]);
        add(`${block}.ssm_c_norm.weight`, [STATE]);
      }
      experts(add, block);
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type ModelKind = keyof typeof MODEL_KINDS;

/** A decoder of random weights. */
export function writeModelOfKind(path: string, name: ModelKind): void {
  const { architecture, layers, hyperparameters, layer }: Kind = MODEL_KINDS[name];
  const { tensors, add: addAround } = weights();
  const add: Add = (name, shape) => {
    // A state fades, or it would grow beyond all numbers.
    const middle = name.endsWith("ssm_a") ? -1 : shape.length === 1 ? 1 : 0;
    addAround(name, shape, middle, 0.2);
  };
  add("token_embd.weight", [WIDTH, VOCABULARY.length]);
  add("output_norm.weight", [WIDTH]);
  if (architecture === "llama") add("output.weight", [WIDTH, VOCABULARY.length]);
  for (let index = 0; index < layers; index++) layer(add, `blk.${index}`, index);
  const all: Record<string, GgufValue> = {
    context_length: TRAINED,
    embedding_length: WIDTH,
    feed_forward_length: HIDDEN,
    block_count: layers,
    "attention.head_count": HEADS,
    "attention.layer_norm_rms_epsilon": { float: 1e-5 },
    ...hyperparameters,
  };
  const named = Object.entries(all).map(([key, value]) => [`${architecture}.${key}`, value]);
  const metadata: Record<string, GgufValue> = {
    "general.architecture": architecture,
    ...Object.fromEntries(named),
    ...tokenizer(),
    "tokenizer.ggml.eos_token_id": VOCABULARY.indexOf("[SEP]"),
  };
  writeGguf(path, metadata, tensors);
}
