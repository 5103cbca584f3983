// Ways in which a model file can be wrong. Each takes a file apart or as bytes, and a source of chance.
import { f32, list, readGguf, TYPE, text, u32, u64, writeGguf } from "./gguf.cjs";

/** The same for a seed, every time. */
export class Chance {
  constructor(seed) {
    this.state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < 8; i++) this.below(2);
  }
  below(limit) {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }
  pick(values) {
    return values[this.below(values.length)];
  }
}

const WHOLE = [
  0, 1, 2, 3, 5, 7, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 511, 512, 513, 1000, 1023,
];
const LARGE = [
  4096,
  65535,
  65536,
  2 ** 20,
  2 ** 24,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
];
const REAL = [
  0,
  -0,
  1,
  -1,
  1e-45,
  -1e-45,
  1e-5,
  -1e-5,
  1e30,
  -1e30,
  3.4e38,
  Infinity,
  -Infinity,
  Number.NaN,
];
const TYPES = 48;
/** Bytes of an element, where it is not about one: by ggml's numbers. */
const BYTES_OF = {
  ...{ 0: 4, 1: 2, 2: 18 / 32, 3: 20 / 32, 6: 22 / 32, 7: 24 / 32, 8: 34 / 32, 9: 36 / 32 },
  ...{ 24: 1, 25: 2, 26: 4, 27: 8, 28: 8, 30: 2 },
};

function flip(bytes, chance, from, to, most) {
  const copy = Buffer.from(bytes);
  for (let left = 1 + chance.below(most); left > 0; left--) {
    const at = from + chance.below(Math.max(1, to - from));
    copy[at] = chance.pick([
      copy[at] ^ (1 << chance.below(8)),
      chance.below(256),
      0,
      0xff,
      0x80,
      0x7f,
    ]);
  }
  return copy;
}

const headerEnd = (bytes) =>
  bytes.length - readGguf(bytes).tensors.reduce((n, t) => n + t.data.length, 0);

const apart = (change) => (bytes, chance) => {
  const file = readGguf(bytes);
  change(file, chance);
  return writeGguf(file);
};

const hyperparameters = ({ pairs }) =>
  pairs.filter(({ key, type }) => !/^(tokenizer|general)\./.test(key) && type !== TYPE.array);
const named = ({ pairs }, pattern) => pairs.filter(({ key }) => pattern.test(key));

const TEXTS = [
  "",
  "\0",
  "\xff\xfe",
  "<0x0A>",
  "a",
  " ",
  "\xe2\x96\x81",
  "x".repeat(300),
  "<s>",
  "<0xZZ>",
  "\xf0\x9f",
];

export const MUTATIONS = {
  header: (bytes, chance) => flip(bytes, chance, 0, 24, 3),
  metadata: (bytes, chance) => flip(bytes, chance, 24, headerEnd(bytes), 4),
  anywhere: (bytes, chance) => flip(bytes, chance, 0, bytes.length, 20),
  table: (bytes, chance) => {
    const { tensors } = readGguf(bytes);
    const from = bytes.indexOf(Buffer.from(tensors[0].name, "latin1")) - 8;
    return flip(bytes, chance, from, headerEnd(bytes), 3);
  },
  truncation: (bytes, chance) =>
    bytes.subarray(0, chance.below(chance.below(2) ? headerEnd(bytes) : bytes.length)),
  hyperparameter: apart((file, chance) => {
    for (let left = 1 + chance.below(2); left > 0; left--) {
      const pair = chance.pick(hyperparameters(file));
      if (pair.type === TYPE.float32) pair.value = f32(chance.pick(REAL));
      else if (pair.type === TYPE.bool) pair.value = Buffer.of(chance.below(256));
      else if (pair.type === TYPE.string) pair.value = text(chance.pick(TEXTS));
      else pair.value = u32(chance.pick(chance.below(3) ? WHOLE : LARGE));
    }
  }),
  perLayer: apart((file, chance) => {
    const pair = chance.pick(hyperparameters(file).filter(({ type }) => type === TYPE.uint32));
    const values = Array.from({ length: chance.below(5) }, () =>
      u32(chance.pick([...WHOLE, ...LARGE])),
    );
    pair.type = TYPE.array;
    pair.value = list(chance.pick([TYPE.uint32, TYPE.int32]), values);
  }),
  kind: apart(({ pairs }, chance) => {
    const pair = chance.pick(pairs);
    const [type, value] = chance.pick([
      [TYPE.string, text(chance.pick(TEXTS))],
      [TYPE.uint32, u32(chance.pick(LARGE))],
      [TYPE.int32, u32(chance.pick(LARGE))],
      [10, u64(chance.pick(LARGE))],
      [TYPE.float32, f32(chance.pick(REAL))],
      [TYPE.array, list(chance.below(13), [])],
      [TYPE.array, list(TYPE.string, [text("a"), text("b")])],
      [TYPE.array, list(TYPE.float32, [f32(1), f32(2)])],
    ]);
    Object.assign(pair, { type, value });
  }),
  missing: apart(({ pairs, tensors }, chance) => {
    const from = chance.below(2) ? pairs : tensors;
    from.splice(chance.below(from.length), 1);
  }),
  doubled: apart(({ pairs, tensors }, chance) => {
    const from = chance.below(2) ? pairs : tensors;
    from.push({ ...chance.pick(from) });
  }),
  more: apart(({ pairs }, chance) => {
    const [{ value }] = pairs;
    const architecture = value.subarray(8).toString("latin1");
    const key = chance.pick([
      ...[
        "attention.key_length",
        "attention.value_length",
        "attention.head_count_kv",
        "vocab_size",
      ],
      ...["rope.freq_base", "rope.scaling.factor", "rope.dimension_sections", "expert_group_count"],
      ...[
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "pooling_type",
        "nextn_predict_layers",
      ],
      ...[
        "attn_logit_softcapping",
        "attention.max_alibi_bias",
        "attention.clamp_kqv",
        "attention.scale",
      ],
      ...[
        "full_attention_interval",
        "embedding_length_out",
        "rope.scaling.original_context_length",
      ],
      ...[
        "classifier.output_labels",
        "decoder_block_count",
        "n_deepstack_layers",
        "attention.causal",
      ],
    ]);
    const [type, made] = chance.pick([
      [TYPE.uint32, u32(chance.pick([...WHOLE, ...LARGE]))],
      [TYPE.float32, f32(chance.pick(REAL))],
      [TYPE.bool, Buffer.of(chance.below(2))],
      [TYPE.array, list(TYPE.int32, [u32(chance.pick(LARGE)), u32(1), u32(0), u32(3)])],
    ]);
    pairs.push({ key: `${architecture}.${key}`, type, value: made });
  }),
  type: apart(({ tensors }, chance) => {
    // Real rows have a multiple of 32 elements: what a type takes stays within the data.
    for (const tensor of chance.below(3) ? [chance.pick(tensors)] : tensors) {
      tensor.type = chance.below(TYPES);
      const elements = tensor.shape.reduce((product, length) => product * length, 1);
      const exact = BYTES_OF[tensor.type] ?? 1;
      const bytes = Math.ceil(elements * exact);
      tensor.data = Buffer.concat([tensor.data, Buffer.alloc(bytes)]).subarray(0, bytes);
    }
  }),
  shape: apart(({ tensors }, chance) => {
    const tensor = chance.pick(tensors);
    const at = chance.below(tensor.shape.length);
    tensor.shape[at] = chance.pick([...WHOLE, ...LARGE, 2 ** 40, -1, tensor.shape[at] * 2]);
    if (chance.below(2)) tensor.shape = tensor.shape.reverse();
  }),
  offset: apart(({ tensors }, chance) => {
    chance.pick(tensors).at = chance.pick([0, 1, 31, 32, 64, ...LARGE, 2 ** 50, -32]);
  }),
  data: apart(({ tensors }, chance) => {
    for (const tensor of chance.below(4) ? [chance.pick(tensors)] : tensors)
      tensor.data = flip(tensor.data, chance, 0, tensor.data.length, 200);
  }),
  numbers: apart(({ tensors }, chance) => {
    const norms = tensors.filter(({ shape }) => shape.length === 1);
    const tensor = chance.pick(chance.below(2) ? norms : tensors);
    const data = Buffer.from(tensor.data);
    const value = chance.pick(REAL);
    const every = chance.pick([1, 2, 7, 1000]);
    for (let at = 4 * chance.below(every); at + 4 <= data.length; at += 4 * every) {
      data.writeFloatLE(value, at);
    }
    tensor.data = data;
  }),
  tokens: apart((file, chance) => {
    const [pair] = named(file, /^tokenizer\.ggml\.tokens$/);
    const texts = textsOf(pair.value);
    for (let left = 1 + chance.below(chance.pick([1, 3, 40])); left > 0; left--) {
      texts[chance.below(texts.length)] = chance.pick([...TEXTS, `t${chance.below(1000)}`]);
    }
    if (chance.below(4) === 0) texts.splice(chance.below(texts.length), chance.pick([1, 10, 1000]));
    pair.value = list(TYPE.string, texts.map(text));
  }),
  tokenizer: apart((file, chance) => {
    const pair = chance.pick(named(file, /^tokenizer\./));
    if (pair.type === TYPE.uint32) pair.value = u32(chance.pick([...WHOLE, ...LARGE]));
    else if (pair.type === TYPE.string && pair.key.endsWith("model")) {
      pair.value = text(
        chance.pick([
          "llama",
          "bert",
          "gpt2",
          "t5",
          "rwkv",
          "none",
          "no_vocab",
          "plamo2",
          "gemma4",
          "whitespace",
          "test",
          "hybriddna",
          "x",
        ]),
      );
    } else if (pair.type === TYPE.array)
      pair.value = flip(pair.value, chance, 0, pair.value.length, 30);
  }),
  template: apart((file, chance) => {
    const [pair] = named(file, /chat_template$/);
    const pieces = ["{{", "}}", "{%", "%}", "for m in messages", "endfor", "if", "m.content", "x"];
    const made = Array.from({ length: chance.below(20) }, () => chance.pick(pieces)).join(" ");
    if (pair) pair.value = text(made);
  }),
};

function textsOf(value) {
  const texts = [];
  for (let at = 12; at < value.length; ) {
    const length = Number(value.readBigUInt64LE(at));
    texts.push(value.subarray(at + 8, at + 8 + length).toString("latin1"));
    at += 8 + length;
  }
  return texts;
}
