import { type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.js";
import { Random } from "./random.js";

/** Of the demo model. */
export const WIDTH = 256;
const KV_WIDTH = 128;
const FEED_FORWARD = 512;
export const LAYERS = 5;

/** Inputs and outputs of the demo model's matrices. */
const MATRICES: Readonly<Record<string, readonly [number, number]>> = {
  attn_q: [WIDTH, WIDTH],
  attn_k: [WIDTH, KV_WIDTH],
  attn_v: [WIDTH, KV_WIDTH],
  attn_output: [WIDTH, WIDTH],
  ffn_gate: [WIDTH, FEED_FORWARD],
  ffn_up: [WIDTH, FEED_FORWARD],
  ffn_down: [FEED_FORWARD, WIDTH],
};

interface LoraOptions {
  readonly rank?: number;
  /** How much it changes: enough for other answers, not for noise. */
  readonly strength?: number;
  /** Tokens of an activated LoRA. */
  readonly invocation?: readonly number[];
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  /** What is made of its tensors. */
  readonly change?: (tensors: GgufTensor[]) => GgufTensor[];
}

export function randomTensor(name: string, shape: readonly number[], spread: number, seed: number) {
  const random = new Random(seed);
  const size = shape.reduce((product, length) => product * length, 1);
  const one = () => spread * (random.below(2001) / 1000 - 1);
  return { name, shape, values: Float32Array.from({ length: size }, one) };
}

/** A LoRA adapter of random numbers for some of the demo model's matrices. */
export function writeLora(path: string, seed: number, options: LoraOptions = {}): void {
  const { rank = 4, strength = 2, invocation, metadata, change = (all) => all } = options;
  const tensors: GgufTensor[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const [at, [name, [inputs, outputs]]] of Object.entries(MATRICES).entries()) {
      const own = seed * 1000 + layer * 20 + at * 2;
      const weight = `blk.${layer}.${name}.weight`;
      tensors.push(
        randomTensor(`${weight}.lora_a`, [inputs, rank], Math.sqrt(3 / inputs), own),
        randomTensor(`${weight}.lora_b`, [rank, outputs], strength / Math.sqrt(rank), own + 1),
      );
    }
  }
  writeGguf(
    path,
    {
      "general.type": "adapter",
      "general.architecture": "llama",
      "adapter.type": "lora",
      "adapter.lora.alpha": { float: rank },
      ...(invocation && { "adapter.alora.invocation_tokens": Uint32Array.from(invocation) }),
      ...metadata,
    },
    change(tensors),
  );
}

/** Directions for all layers that may have one: their values, one layer behind the other. */
export function writeControlVector(
  path: string,
  seed: number,
  strength = 1,
  change: (tensor: GgufTensor) => GgufTensor = (tensor) => tensor,
): Float32Array {
  const tensors = Array.from({ length: LAYERS - 1 }, (_, index) =>
    change(randomTensor(`direction.${index + 1}`, [WIDTH], strength, seed * 1000 + index)),
  );
  writeGguf(
    path,
    { "general.architecture": "controlvector", "controlvector.model_hint": "llama" },
    tensors,
  );
  return Float32Array.from(tensors.flatMap(({ values }) => [...values]));
}
