import { type GgufTable, type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.js";
import { tokenizer, VOCABULARY, weights } from "./tiny-models.js";

const WIDTH = 32;
const HEADS = 2;
const HIDDEN = 48;
const EXPERTS = 4;
/** So many that a head of one layer costs little beside them. */
const LAYERS = 8;
/** How much likelier than others a token is to attend to itself. */
const SHARPNESS = 8;

/**
 * "anything": random weights. "its last token": layers of zeros, so that the next token follows from the last
 * one alone, and a head can know it.
 */
export type Says = "anything" | "its last token";

export interface HeadFile {
  /** As its target's. Default "anything", which is hardly ever what that one says. */
  readonly says?: Says;
  readonly width?: number;
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  /** Tensors that are left out, or have other values. */
  readonly without?: readonly string[];
  readonly tensors?: readonly (GgufTensor | GgufTable)[];
}

type Weigh = (
  name: string,
  shape: readonly number[],
  at?: (row: number, column: number) => number,
) => void;

/** Adds tensors of random numbers, or of those that a function gives. */
function collect() {
  const { tensors, add: addRandom } = weights();
  const norm = (name: string, width: number) => addRandom(`${name}.weight`, [width], 1, 0);
  const random: Weigh = (name, shape) =>
    addRandom(`${name}.weight`, shape, 0, Math.sqrt(3 / (shape[0] as number)));
  const exact: Weigh = (name, shape, at = () => 0) => {
    const [columns = 1, ...rest] = shape;
    const rows = rest.reduce((product, length) => product * length, 1);
    const values = Float32Array.from({ length: columns * rows }, (_, index) =>
      at(Math.floor(index / columns), index % columns),
    );
    tensors.push({ name: `${name}.weight`, shape, values });
  };
  return { tensors, norm, random, exact };
}

/** Of the input's first numbers, one for each row. */
const same = (factor: number) => (row: number, column: number) => (row === column ? factor : 0);

function sizes(architecture: string, layers: number, width: number) {
  return {
    "general.architecture": architecture,
    [`${architecture}.context_length`]: 4096,
    [`${architecture}.embedding_length`]: width,
    [`${architecture}.feed_forward_length`]: HIDDEN,
    [`${architecture}.block_count`]: layers,
    [`${architecture}.attention.head_count`]: HEADS,
    [`${architecture}.attention.head_count_kv`]: HEADS,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { float: 1e-5 },
    [`${architecture}.rope.dimension_count`]: width / HEADS,
    ...tokenizer(),
    "tokenizer.ggml.eos_token_id": VOCABULARY.indexOf("[SEP]"),
  };
}

/** Random, but the token that ends a text is never the likeliest. */
function output(tensors: GgufTensor[]): void {
  const { tensors: made, random } = collect();
  random("output", [WIDTH, VOCABULARY.length]);
  const [matrix] = made as [GgufTensor];
  const end = VOCABULARY.indexOf("[SEP]");
  matrix.values.fill(0, end * WIDTH, (end + 1) * WIDTH);
  tensors.push(matrix);
}

/** A Llama for which an EAGLE-3 head may guess. */
export function writeTarget(path: string, says: Says): void {
  const { tensors, norm, random, exact } = collect();
  random("token_embd", [WIDTH, VOCABULARY.length]);
  output(tensors);
  norm("output_norm", WIDTH);
  for (let layer = 0; layer < LAYERS; layer++) {
    const matrix = says === "anything" ? random : exact;
    const block = `blk.${layer}`;
    norm(`${block}.attn_norm`, WIDTH);
    for (const part of ["q", "k", "v", "output"]) matrix(`${block}.attn_${part}`, [WIDTH, WIDTH]);
    norm(`${block}.ffn_norm`, WIDTH);
    matrix(`${block}.ffn_gate`, [WIDTH, HIDDEN]);
    matrix(`${block}.ffn_up`, [WIDTH, HIDDEN]);
    matrix(`${block}.ffn_down`, [HIDDEN, WIDTH]);
  }
  writeGguf(path, sizes("llama", LAYERS, WIDTH), tensors);
}

/**
 * An EAGLE-3 head, whose embeddings and output layer are its target's. One that says what its target says has
 * each token attend to itself.
 */
export function writeEagle3(path: string, file: HeadFile = {}): void {
  const { says = "anything", width = WIDTH } = file;
  const { tensors, norm, random, exact } = collect();
  const copies = says === "its last token";
  const matrix: Weigh = (name, shape, at) => (copies ? exact : random)(name, shape, at);
  matrix("fc", [3 * WIDTH, width]);
  norm("output_norm", width);
  for (const part of ["attn_norm", "attn_norm_2", "ffn_norm"]) norm(`blk.0.${part}`, width);
  for (const part of ["q", "k"]) matrix(`blk.0.attn_${part}`, [2 * width, width], same(SHARPNESS));
  matrix("blk.0.attn_v", [2 * width, width], same(1));
  matrix("blk.0.attn_output", [width, width], same(1));
  matrix("blk.0.ffn_gate", [width, HIDDEN]);
  matrix("blk.0.ffn_up", [width, HIDDEN]);
  matrix("blk.0.ffn_down", [HIDDEN, width]);
  const metadata = {
    ...sizes("eagle3", 1, width),
    "eagle3.target_layers": Int32Array.of(1, 4, 7),
    "eagle3.target_hidden_size": WIDTH,
    ...file.metadata,
  };
  write(path, metadata, tensors, file);
}

/** A GLM 4.5 whose last layer predicts the token after the next one. */
export function writeMtp(path: string, file: HeadFile = {}): void {
  const { says = "anything" } = file;
  const { tensors, norm, random, exact } = collect();
  const copies = says === "its last token";
  const matrix: Weigh = (name, shape, at) => (copies ? exact : random)(name, shape, at);
  random("token_embd", [WIDTH, VOCABULARY.length]);
  output(tensors);
  norm("output_norm", WIDTH);
  for (let layer = 0; layer <= LAYERS; layer++) {
    const block = `blk.${layer}`;
    norm(`${block}.attn_norm`, WIDTH);
    for (const part of ["q", "k", "v", "output"]) matrix(`${block}.attn_${part}`, [WIDTH, WIDTH]);
    norm(`${block}.post_attention_norm`, WIDTH);
    if (layer < LAYERS) {
      matrix(`${block}.ffn_gate`, [WIDTH, HIDDEN]);
      matrix(`${block}.ffn_up`, [WIDTH, HIDDEN]);
      matrix(`${block}.ffn_down`, [HIDDEN, WIDTH]);
      continue;
    }
    matrix(`${block}.ffn_gate_inp`, [WIDTH, EXPERTS]);
    tensors.push({
      name: `${block}.exp_probs_b.bias`,
      shape: [EXPERTS],
      values: new Float32Array(EXPERTS),
    });
    for (const part of ["gate", "up"]) {
      matrix(`${block}.ffn_${part}_exps`, [WIDTH, HIDDEN, EXPERTS]);
      matrix(`${block}.ffn_${part}_shexp`, [WIDTH, HIDDEN]);
    }
    matrix(`${block}.ffn_down_exps`, [HIDDEN, WIDTH, EXPERTS]);
    matrix(`${block}.ffn_down_shexp`, [HIDDEN, WIDTH]);
    matrix(`${block}.nextn.eh_proj`, [2 * WIDTH, WIDTH], same(1));
    norm(`${block}.nextn.enorm`, WIDTH);
    norm(`${block}.nextn.hnorm`, WIDTH);
  }
  const own: Record<string, GgufValue> = {
    nextn_predict_layers: 1,
    leading_dense_block_count: LAYERS,
    expert_count: EXPERTS,
    expert_used_count: 2,
    expert_shared_count: 1,
    expert_feed_forward_length: HIDDEN,
  };
  const named = Object.entries(own).map(([key, value]) => [`glm4moe.${key}`, value]);
  const metadata = {
    ...sizes("glm4moe", LAYERS + 1, WIDTH),
    ...Object.fromEntries(named),
    ...file.metadata,
  };
  write(path, metadata, tensors, file);
}

function write(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
  { without = [], tensors: others = [] }: HeadFile,
): void {
  const left = [...without, ...others.map(({ name }) => name)];
  const kept = tensors.filter(({ name }) => !left.includes(name));
  writeGguf(path, metadata, [...kept, ...others]);
}
