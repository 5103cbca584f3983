import { type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.js";
import { Random } from "./random.js";

const WIDTH = 32;
const LAYERS = 2;
const HEADS = 4;
const FEED_FORWARD = 64;
/** Of T5's relative positions. */
const BUCKETS = 32;
/** Tokens that a text may have. */
export const TINY_CONTEXT = 256;

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz0123456789.,!?-éß犬"];
const WORDS = ["the", "llama", "alpaca", "lives", "in", "mountains", "cria", "small", "a"];
const SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const WORD_START = "\u2581";

/** WordPiece as llama.cpp has it: a mark where a word begins, none inside of it. */
export const VOCABULARY = [
  ...SPECIALS,
  ...WORDS.map((word) => WORD_START + word),
  ...LETTERS.map((letter) => WORD_START + letter),
  ...LETTERS,
  "s",
  "ing",
].filter((token, index, all) => all.indexOf(token) === index);

const NORMAL = 1;
const CONTROL = 3;

export interface BertOptions {
  /** As GGUF numbers them: 1 mean, 2 CLS, 3 last, 4 rank; left out: the file says nothing. */
  readonly pooling?: number;
  /** With a classifier of one output. */
  readonly ranks?: boolean;
  readonly metadata?: Readonly<Record<string, GgufValue>>;
}

/** Tensors of random numbers around a middle. */
export function weights() {
  const random = new Random(7);
  const tensors: GgufTensor[] = [];
  const add = (name: string, shape: readonly number[], middle = 0, spread = 1) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const values = Float32Array.from(
      { length: size },
      () => middle + spread * (random.below(2001) / 1000 - 1),
    );
    tensors.push({ name, shape, values });
  };
  return { tensors, add };
}

/** A Llama of random weights, none of them rounded: a decoder. */
export function writeLlama(
  path: string,
  { tokens = VOCABULARY.length, layers = LAYERS }: { tokens?: number; layers?: number } = {},
): void {
  const { tensors, add } = weights();
  const norm = (name: string) => add(`${name}.weight`, [WIDTH], 1, 0.2);
  const matrix = (name: string, inputs: number, outputs: number) =>
    add(`${name}.weight`, [inputs, outputs], 0, Math.sqrt(3 / inputs));
  add("token_embd.weight", [WIDTH, tokens]);
  matrix("output", WIDTH, tokens);
  norm("output_norm");
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    for (const part of ["q", "k", "v", "output"]) matrix(`${block}.attn_${part}`, WIDTH, WIDTH);
    norm(`${block}.attn_norm`);
    norm(`${block}.ffn_norm`);
    matrix(`${block}.ffn_gate`, WIDTH, FEED_FORWARD);
    matrix(`${block}.ffn_up`, WIDTH, FEED_FORWARD);
    matrix(`${block}.ffn_down`, FEED_FORWARD, WIDTH);
  }
  writeGguf(
    path,
    {
      ...shape("llama"),
      "llama.block_count": layers,
      "llama.attention.layer_norm_rms_epsilon": { float: 1e-5 },
      "llama.rope.dimension_count": WIDTH / HEADS,
      ...tokenizer(tokens),
    },
    tensors,
  );
}

/** A BERT of random weights: an encoder, which sees all of a text at once. */
export function writeBert(path: string, { pooling, ranks, metadata }: BertOptions = {}): void {
  const { tensors, add } = weights();
  const norm = (name: string) => {
    add(`${name}.weight`, [WIDTH], 1, 0.2);
    add(`${name}.bias`, [WIDTH], 0, 0.1);
  };
  const linear = (name: string, inputs: number, outputs: number, scale = 1) => {
    add(`${name}.weight`, [inputs, outputs], 0, scale * Math.sqrt(3 / inputs));
    add(`${name}.bias`, [outputs], 0, 0.1);
  };
  add("token_embd.weight", [WIDTH, VOCABULARY.length]);
  add("token_types.weight", [WIDTH, 2]);
  add("position_embd.weight", [WIDTH, TINY_CONTEXT], 0, 0.5);
  norm("token_embd_norm");
  for (let layer = 0; layer < LAYERS; layer++) {
    const block = `blk.${layer}`;
    for (const part of ["q", "k", "v", "output"]) linear(`${block}.attn_${part}`, WIDTH, WIDTH);
    norm(`${block}.attn_output_norm`);
    linear(`${block}.ffn_up`, WIDTH, FEED_FORWARD);
    // ggml looks GELU up in a table of 16 bits: what comes of that counts little here.
    linear(`${block}.ffn_down`, FEED_FORWARD, WIDTH, 1 / 64);
    norm(`${block}.layer_output_norm`);
  }
  if (ranks) {
    linear("cls", WIDTH, WIDTH);
    linear("cls.output", WIDTH, 1);
  }
  writeGguf(
    path,
    {
      ...shape("bert"),
      "bert.attention.layer_norm_epsilon": { float: 1e-12 },
      "bert.attention.causal": false,
      ...(pooling === undefined ? {} : { "bert.pooling_type": pooling }),
      ...tokenizer(),
      ...metadata,
    },
    tensors,
  );
}

/** A T5 of random weights: both halves, or its encoder alone. */
export function writeT5(path: string, architecture: "t5" | "t5encoder"): void {
  const { tensors, add } = weights();
  const norm = (name: string) => add(`${name}.weight`, [WIDTH], 1, 0.2);
  const matrix = (name: string, inputs: number, outputs: number) =>
    add(`${name}.weight`, [inputs, outputs], 0, Math.sqrt(3 / inputs));
  const attention = (name: string) => {
    norm(`${name}_norm`);
    for (const part of ["q", "k", "v", "o"]) matrix(`${name}_${part}`, WIDTH, WIDTH);
  };
  add("token_embd.weight", [WIDTH, VOCABULARY.length]);
  for (const half of architecture === "t5" ? ["enc", "dec"] : ["enc"]) {
    norm(`${half}.output_norm`);
    for (let layer = 0; layer < LAYERS; layer++) {
      const block = `${half}.blk.${layer}`;
      attention(`${block}.attn`);
      add(`${block}.attn_rel_b.weight`, [HEADS, BUCKETS]);
      if (half === "dec") attention(`${block}.cross_attn`);
      norm(`${block}.ffn_norm`);
      matrix(`${block}.ffn_up`, WIDTH, FEED_FORWARD);
      matrix(`${block}.ffn_down`, FEED_FORWARD, WIDTH);
    }
  }
  writeGguf(
    path,
    {
      ...shape(architecture),
      [`${architecture}.attention.layer_norm_rms_epsilon`]: { float: 1e-6 },
      [`${architecture}.attention.relative_buckets_count`]: BUCKETS,
      ...tokenizer(),
    },
    tensors,
  );
}

function shape(architecture: string): Record<string, GgufValue> {
  return {
    "general.architecture": architecture,
    "general.name": "random weights",
    [`${architecture}.context_length`]: TINY_CONTEXT,
    [`${architecture}.embedding_length`]: WIDTH,
    [`${architecture}.feed_forward_length`]: FEED_FORWARD,
    [`${architecture}.block_count`]: LAYERS,
    [`${architecture}.attention.head_count`]: HEADS,
  };
}

export function tokenizer(count = VOCABULARY.length): Record<string, GgufValue> {
  const id = (token: string) => VOCABULARY.indexOf(token);
  return {
    "tokenizer.ggml.model": "bert",
    "tokenizer.ggml.token_type_count": 2,
    "tokenizer.ggml.tokens": VOCABULARY.slice(0, count),
    "tokenizer.ggml.token_type": Int32Array.from(VOCABULARY.slice(0, count), (token) =>
      SPECIALS.includes(token) ? CONTROL : NORMAL,
    ),
    "tokenizer.ggml.bos_token_id": id("[CLS]"),
    "tokenizer.ggml.cls_token_id": id("[CLS]"),
    "tokenizer.ggml.seperator_token_id": id("[SEP]"),
    "tokenizer.ggml.unknown_token_id": id("[UNK]"),
    "tokenizer.ggml.padding_token_id": id("[PAD]"),
    "tokenizer.ggml.mask_token_id": id("[MASK]"),
  };
}

/** Of as many words as asked for, which the vocabulary has. */
export function wordsText(random: Random, words: number): string {
  return Array.from({ length: words }, () => random.pick(WORDS)).join(" ");
}
