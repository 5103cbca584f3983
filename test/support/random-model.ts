import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "./random.js";

/** Small enough that a token costs next to nothing. */
const WIDTH = 64;
const HIDDEN = 64;
const HEADS = 2;
const KV_WIDTH = WIDTH / HEADS;
const SIZES: Readonly<Record<string, number>> = {
  "llama.embedding_length": WIDTH,
  "llama.feed_forward_length": HIDDEN,
  "llama.attention.head_count": HEADS,
  "llama.attention.head_count_kv": 1,
  "llama.rope.dimension_count": KV_WIDTH,
};
const F32 = 0;
const ALIGNMENT = 32;
/** Not spoilt by CRIA_TEST_MODEL: its layout is what is known here. */
const DEMO = join(__dirname, "..", "..", "models", "cria-demo.gguf");

interface Tensor {
  readonly name: string;
  readonly dimensions: readonly number[];
}

function block(index: number): readonly Tensor[] {
  const block = (name: string, ...dimensions: number[]) => ({
    name: `blk.${index}.${name}`,
    dimensions,
  });
  return [
    block("attn_norm.weight", WIDTH),
    block("attn_q.weight", WIDTH, WIDTH),
    block("attn_k.weight", WIDTH, KV_WIDTH),
    block("attn_v.weight", WIDTH, KV_WIDTH),
    block("attn_output.weight", WIDTH, WIDTH),
    block("ffn_norm.weight", WIDTH),
    block("ffn_gate.weight", WIDTH, HIDDEN),
    block("ffn_up.weight", WIDTH, HIDDEN),
    block("ffn_down.weight", HIDDEN, WIDTH),
  ];
}

function tensors(vocabularySize: number): readonly Tensor[] {
  return [
    { name: "token_embd.weight", dimensions: [WIDTH, vocabularySize] },
    ...block(0),
    { name: "output_norm.weight", dimensions: [WIDTH] },
    { name: "output.weight", dimensions: [WIDTH, vocabularySize] },
  ];
}

/**
 * A model of one tiny layer of random weights: it says anything, and has learnt nothing. Vocabulary and
 * template are those of a Llama model's file, or of one that has no weights; else of the demo model
 * (Llama 3.1's format). Idle layers are zeros: they make it larger, and nothing else.
 */
export async function writeRandomModel(
  path: string,
  seed: number,
  { like = DEMO, idleLayers = 0 }: { like?: string; idleLayers?: number } = {},
): Promise<void> {
  const header = resized(readFileSync(like), 1 + idleLayers);
  const idle = Array.from({ length: idleLayers }, (_, index) => block(1 + index)).flat();
  const random = new Random(seed);
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  const add = ({ name, dimensions }: Tensor, weights: Buffer) => {
    infos.push(info(name, dimensions, offset));
    data.push(weights);
    offset += weights.length; // all a multiple of the alignment
  };
  for (const tensor of tensors(header.vocabularySize))
    add(tensor, weightsOf(tensor.dimensions, random));
  for (const tensor of idle) add(tensor, Buffer.alloc(4 * sizeOf(tensor.dimensions)));
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(infos.length));
  const { magic, pairs } = header;
  const head = Buffer.concat([magic, count, pairs, ...infos]);
  const padding = Buffer.alloc((ALIGNMENT - (head.length % ALIGNMENT)) % ALIGNMENT);
  await writeFile(path, Buffer.concat([head, padding, ...data]));
}

/** What stands in front of the first tensor, with the sizes of this one. */
function resized(bytes: Buffer, layers: number) {
  const first = Buffer.from("token_embd.weight");
  const has = bytes.readBigUInt64LE(8) > 0n;
  const end = has ? bytes.indexOf(first) - 8 /* its length */ : bytes.length;
  if (end < 0) throw new Error("The tensors begin with another one");
  const at = (key: string) => {
    const found = bytes.indexOf(Buffer.from(key));
    if (found < 0 || found > end) throw new Error(`There is no ${key}`);
    return found + key.length + 4; // behind its type
  };
  const sizes = { ...SIZES, "llama.block_count": layers };
  for (const [key, size] of Object.entries(sizes)) bytes.writeUInt32LE(size, at(key));
  return {
    magic: bytes.subarray(0, 8),
    pairs: bytes.subarray(16, end),
    vocabularySize: bytes.readUInt32LE(at("llama.vocab_size")),
  };
}

function info(name: string, dimensions: readonly number[], offset: number): Buffer {
  const bytes = Buffer.alloc(8 + name.length + 4 + 8 * dimensions.length + 4 + 8);
  let at = bytes.writeBigUInt64LE(BigInt(name.length), 0);
  at += bytes.write(name, at);
  at = bytes.writeUInt32LE(dimensions.length, at);
  for (const size of dimensions) at = bytes.writeBigUInt64LE(BigInt(size), at);
  at = bytes.writeUInt32LE(F32, at);
  bytes.writeBigUInt64LE(BigInt(offset), at);
  return bytes;
}

const sizeOf = (dimensions: readonly number[]) => dimensions.reduce((all, one) => all * one, 1);

/** Norms leave everything as it is, matrices keep the size of what goes through them about. */
function weightsOf(dimensions: readonly number[], random: Random): Buffer {
  const size = sizeOf(dimensions);
  const bytes = Buffer.alloc(4 * size);
  const scale = Math.sqrt(3 / (dimensions[0] as number));
  for (let i = 0; i < size; i++) {
    const weight = dimensions.length === 1 ? 1 : scale * (random.below(2 ** 16) / 2 ** 15 - 1);
    bytes.writeFloatLE(weight, 4 * i);
  }
  return bytes;
}
