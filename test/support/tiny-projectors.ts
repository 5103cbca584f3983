import { type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.js";
import { Random } from "./random.js";
import { weights as decoderWeights, tokenizer, VOCABULARY } from "./tiny-models.js";

/** Rows of a projector are as wide as the model's: those of writeRandomModel() and of the model kinds. */
const MODEL_WIDTH = 64;
const WIDTH = 32;
const HEADS = 2;
const HIDDEN = 48;
const PATCH = 14;
const CHANNELS = 3;
/** Mel bands, and positions of half a minute of sound at 50 a second. */
const BANDS = 16;
const POSITIONS = 1500;

interface Weights {
  readonly tensors: GgufTensor[];
  matrix(name: string, shape: readonly number[]): void;
  norm(name: string): void;
  zeros(name: string, length: number): void;
}

function weights(seed: number): Weights {
  const random = new Random(seed);
  const tensors: GgufTensor[] = [];
  const add = (name: string, shape: readonly number[], value: () => number) => {
    const size = shape.reduce((product, length) => product * length, 1);
    tensors.push({ name, shape, values: Float32Array.from({ length: size }, value) });
  };
  const drawn = () => random.below(2001) / 1000 - 1;
  return {
    tensors,
    matrix(name, shape) {
      const inputs = shape.slice(0, -1).reduce((product, length) => product * length, 1);
      const spread = Math.sqrt(3 / inputs);
      add(name, shape, () => spread * drawn());
    },
    norm(name) {
      add(`${name}.weight`, [WIDTH], () => 1 + 0.2 * drawn());
      add(`${name}.bias`, [WIDTH], () => 0.1 * drawn());
    },
    zeros: (name, length) => add(name, [length], () => 0),
  };
}

/** One layer of a transformer; `keyBias` is what Whisper's have not. */
function layer({ matrix, norm, zeros }: Weights, block: string, keyBias: boolean): void {
  norm(`${block}.ln1`);
  norm(`${block}.ln2`);
  for (const name of ["attn_q", "attn_k", "attn_v", "attn_out"]) {
    matrix(`${block}.${name}.weight`, [WIDTH, WIDTH]);
    if (name !== "attn_k" || keyBias) zeros(`${block}.${name}.bias`, WIDTH);
  }
  matrix(`${block}.ffn_up.weight`, [WIDTH, HIDDEN]);
  zeros(`${block}.ffn_up.bias`, HIDDEN);
  matrix(`${block}.ffn_down.weight`, [HIDDEN, WIDTH]);
  zeros(`${block}.ffn_down.bias`, WIDTH);
}

function sizes(modality: "vision" | "audio", layers: number): Record<string, GgufValue> {
  return {
    [`clip.${modality}.embedding_length`]: WIDTH,
    [`clip.${modality}.feed_forward_length`]: HIDDEN,
    [`clip.${modality}.block_count`]: layers,
    [`clip.${modality}.projection_dim`]: MODEL_WIDTH,
    [`clip.${modality}.attention.head_count`]: HEADS,
    [`clip.${modality}.attention.layer_norm_epsilon`]: { float: 1e-5 },
  };
}

function vision(kind: string, side: number, layers: number): Record<string, GgufValue> {
  return {
    "general.architecture": "clip",
    "clip.has_vision_encoder": true,
    "clip.projector_type": kind,
    "clip.use_gelu": true,
    ...sizes("vision", layers),
    "clip.vision.image_size": side,
    "clip.vision.patch_size": PATCH,
    "clip.vision.image_mean": Float32Array.of(0.5, 0.5, 0.5),
    "clip.vision.image_std": Float32Array.of(0.5, 0.5, 0.5),
  };
}

/** What may be said differently, and left out, for tests of files that mean harm. */
export interface ProjectorChanges {
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  readonly without?: string;
  /** Rows of LLaVA's table of positions; fewer than it has places fails an assertion of ggml's. */
  readonly places?: number;
}

function write(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
  changes: ProjectorChanges,
): void {
  writeGguf(
    path,
    { ...metadata, ...changes.metadata },
    tensors.filter(({ name }) => name !== changes.without),
  );
}

/** LLaVA's: CLIP's transformer and two matrices. A picture is `side / 14` squared rows. */
export function writeLlava(path: string, changes: ProjectorChanges = {}): void {
  const side = 4 * PATCH;
  const all = weights(11);
  all.matrix("v.patch_embd.weight", [PATCH, PATCH, CHANNELS, WIDTH]);
  all.matrix("v.class_embd", [WIDTH]);
  all.matrix("v.position_embd.weight", [WIDTH, changes.places ?? (side / PATCH) ** 2 + 1]);
  all.norm("v.pre_ln");
  // The last layer of LLaVA's is left out.
  for (const index of [0, 1]) layer(all, `v.blk.${index}`, true);
  all.matrix("mm.0.weight", [WIDTH, MODEL_WIDTH]);
  all.zeros("mm.0.bias", MODEL_WIDTH);
  all.matrix("mm.2.weight", [MODEL_WIDTH, MODEL_WIDTH]);
  all.zeros("mm.2.bias", MODEL_WIDTH);
  write(path, vision("mlp", side, 2), all.tensors, changes);
}

/** Idefics 3's: a large picture is cut into slices, with tokens between them. */
export function writeIdefics(path: string, changes: ProjectorChanges = {}): void {
  const side = 4 * PATCH;
  const scale = 2;
  const all = weights(12);
  siglip(all, side);
  all.matrix("mm.model.fc.weight", [WIDTH * scale * scale, MODEL_WIDTH]);
  const metadata = {
    ...vision("idefics3", side, 1),
    "clip.vision.projector.scale_factor": scale,
    "clip.vision.preproc_image_size": 2 * side,
  };
  write(path, metadata, all.tensors, changes);
}

/** Gemma 3's: the rows of a picture attend to each other in the language model, too. */
export function writeGemma3(path: string, changes: ProjectorChanges = {}): void {
  const side = 8 * PATCH;
  const all = weights(13);
  siglip(all, side);
  all.matrix("mm.input_projection.weight", [MODEL_WIDTH, WIDTH]);
  all.tensors.push({
    name: "mm.soft_emb_norm.weight",
    shape: [WIDTH],
    values: new Float32Array(WIDTH).fill(1),
  });
  const metadata = { ...vision("gemma3", side, 1), "clip.vision.projector.scale_factor": 2 };
  write(path, metadata, all.tensors, changes);
}

function siglip(all: Weights, side: number): void {
  all.matrix("v.patch_embd.weight", [PATCH, PATCH, CHANNELS, WIDTH]);
  all.zeros("v.patch_embd.bias", WIDTH);
  all.matrix("v.position_embd.weight", [WIDTH, (side / PATCH) ** 2]);
  layer(all, "v.blk.0", true);
  all.norm("v.post_ln");
}

/** Qwen2-VL's: pictures of any size, whose rows lie side by side in M-RoPE. */
export function writeQwen2Vl(path: string, changes: ProjectorChanges = {}): void {
  const merged = 4;
  const all = weights(14);
  all.matrix("v.patch_embd.weight", [PATCH, PATCH, CHANNELS, WIDTH]);
  all.matrix("v.patch_embd.weight.1", [PATCH, PATCH, CHANNELS, WIDTH]);
  layer(all, "v.blk.0", true);
  all.norm("v.post_ln");
  all.matrix("mm.0.weight", [WIDTH * merged, WIDTH * merged]);
  all.zeros("mm.0.bias", WIDTH * merged);
  all.matrix("mm.2.weight", [WIDTH * merged, MODEL_WIDTH]);
  all.zeros("mm.2.bias", MODEL_WIDTH);
  write(path, vision("qwen2vl_merger", 8 * PATCH, 1), all.tensors, changes);
}

/** Ultravox's: Whisper's encoder, four of whose rows become one. */
export function writeUltravox(path: string, changes: ProjectorChanges = {}): void {
  const stacked = 4;
  const all = weights(15);
  all.matrix("a.conv1d.1.weight", [3, BANDS, WIDTH]);
  all.matrix("a.conv1d.1.bias", [1, WIDTH]);
  all.matrix("a.conv1d.2.weight", [3, WIDTH, WIDTH]);
  all.matrix("a.conv1d.2.bias", [1, WIDTH]);
  all.matrix("a.position_embd.weight", [WIDTH, POSITIONS]);
  layer(all, "a.blk.0", false);
  all.norm("a.post_ln");
  all.matrix("mm.a.mlp.1.weight", [WIDTH * stacked, 2 * MODEL_WIDTH]);
  all.matrix("mm.a.mlp.2.weight", [MODEL_WIDTH, MODEL_WIDTH]);
  const ones = (name: string, length: number) =>
    all.tensors.push({ name, shape: [length], values: new Float32Array(length).fill(1) });
  ones("mm.a.norm_pre.weight", WIDTH * stacked);
  ones("mm.a.norm_mid.weight", MODEL_WIDTH);
  const metadata = {
    "general.architecture": "clip",
    "clip.has_audio_encoder": true,
    "clip.projector_type": "ultravox",
    ...sizes("audio", 1),
    "clip.audio.num_mel_bins": BANDS,
    "clip.audio.projector.stack_factor": stacked,
  };
  write(path, metadata, all.tensors, changes);
}

/** What Idefics 3 has around slices, as a vocabulary's own tokens. */
export const SLICE_TOKENS = ["\n", "\n\n", "<fake_token_around_image>", "<global-img>"];

/**
 * A language model of random weights, as wide as the projectors: a Llama, or Qwen2-VL's, whose positions have
 * several dimensions (M-RoPE).
 */
export function writeSeeingModel(
  path: string,
  architecture: "llama" | "qwen2vl",
  more: readonly string[] = [],
): void {
  const heads = 4;
  const tokens = [...VOCABULARY, ...more];
  const { tensors, add } = decoderWeights();
  const norm = (name: string) => add(`${name}.weight`, [MODEL_WIDTH], 1, 0.2);
  const matrix = (name: string, inputs: number, outputs: number) =>
    add(`${name}.weight`, [inputs, outputs], 0, Math.sqrt(3 / inputs));
  add("token_embd.weight", [MODEL_WIDTH, tokens.length]);
  for (const block of ["blk.0", "blk.1"]) {
    norm(`${block}.attn_norm`);
    for (const name of ["attn_q", "attn_k", "attn_v"]) {
      matrix(`${block}.${name}`, MODEL_WIDTH, MODEL_WIDTH);
      if (architecture === "qwen2vl") add(`${block}.${name}.bias`, [MODEL_WIDTH], 0, 0.1);
    }
    matrix(`${block}.attn_output`, MODEL_WIDTH, MODEL_WIDTH);
    norm(`${block}.ffn_norm`);
    matrix(`${block}.ffn_gate`, MODEL_WIDTH, MODEL_WIDTH);
    matrix(`${block}.ffn_up`, MODEL_WIDTH, MODEL_WIDTH);
    matrix(`${block}.ffn_down`, MODEL_WIDTH, MODEL_WIDTH);
  }
  norm("output_norm");
  const sizes: Record<string, GgufValue> = {
    context_length: 4096,
    embedding_length: MODEL_WIDTH,
    feed_forward_length: MODEL_WIDTH,
    block_count: 2,
    "attention.head_count": heads,
    "attention.head_count_kv": heads,
    "attention.layer_norm_rms_epsilon": { float: 1e-5 },
    // Halves of a head's width, as pairs are turned: time, y, x.
    ...(architecture === "qwen2vl" && {
      "rope.dimension_sections": Int32Array.of(2, 3, 3, 0),
    }),
  };
  const named = Object.entries(sizes).map(([key, value]) => [`${architecture}.${key}`, value]);
  const own = tokenizer();
  const types = own["tokenizer.ggml.token_type"] as Int32Array;
  writeGguf(
    path,
    {
      "general.architecture": architecture,
      ...Object.fromEntries(named),
      ...own,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": Int32Array.of(...types, ...more.map(() => 3 /* control */)),
      "tokenizer.ggml.eos_token_id": VOCABULARY.indexOf("[SEP]"),
    },
    tensors,
  );
}
