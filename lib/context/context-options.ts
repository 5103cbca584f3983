import type { Pooling } from "../embedding/embed.js";
import {
  abortSignal,
  boolean,
  integer,
  isPlainObject,
  MAX_INT32,
  number,
  oneOf,
  readOptions,
} from "../internal/checks.js";
import { CriaError, expected, invalid } from "../internal/errors.js";
import type { NativeCacheType, NativeContextOptions, NativeModelInfo } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { insideOf, type LoadedModel } from "../model/loaded-model.js";
import { CACHE_TYPES } from "./cache-types.js";
import { type ControlVector, readControlVectors } from "./control-vectors.js";

/** How an element of the KV cache is stored. */
export type CacheType = NativeCacheType;

/**
 * How tokens are guessed: what a text repeats, what a smaller model would say, or what a head reads from the
 * model's own layers.
 */
export type SpeculationOptions =
  | NgramSpeculation
  | DraftSpeculation
  | Eagle3Speculation
  | MtpSpeculation;

/**
 * What followed the last three or more tokens where they stood before, in the prompt or the answer, and what
 * stands behind a token in the place of another. It takes no other model, and pays where a text repeats its
 * source: edits, quotations, extracts.
 */
export interface NgramSpeculation extends CommonSpeculation {
  readonly type: "ngram";
}

/** What a smaller model of the same family would say. It pays where that one is often right, and far smaller. */
export interface DraftSpeculation extends CommonSpeculation {
  readonly type: "draft";
  /**
   * With the same vocabulary, and a cache that can be cut back. It gets a context of its own, with as many
   * threads, for as long as this one lives; disposing it closes both.
   */
  readonly draft: LoadedModel;
}

/**
 * What an EAGLE-3 head says, a layer that was trained for this very model: it reads what the model computed of
 * the text so far, and guesses better than a model of its size. For Llama, Qwen 3, Gemma 4, gpt-oss and some
 * more.
 */
export interface Eagle3Speculation extends CommonSpeculation {
  readonly type: "eagle3";
  /**
   * The head, from a file of architecture "eagle3" that was converted beside its model. It gets a context of
   * its own for as long as this one lives; disposing it closes both.
   */
  readonly draft: LoadedModel;
}

/**
 * What the model's own layers for multi-token prediction say. Only for a model that has them, and was loaded
 * with `mtp: true`: GLM 4.5 and later, DeepSeek V3, MiMo, Step 3.5 and some more. Of several such layers the
 * first one guesses.
 */
export interface MtpSpeculation extends CommonSpeculation {
  readonly type: "mtp";
}

/** What all ways of guessing have. Under a grammar, what it leaves no choice about is guessed first. */
interface CommonSpeculation {
  /**
   * Tokens that are guessed at once, 1…63; fewer while guesses fail, and none where they do not pay.
   * Default 15.
   */
  readonly maxTokens?: number;
  /**
   * Whether text that a grammar leaves no choice about is taken as it is, as the tokenizer cuts it, without
   * sampling: faster, but its tokens, and so what follows, may be others than those that would have been
   * sampled. Default false: it is guessed like all else.
   */
  readonly takeForced?: boolean;
}

/** What `Model.createContext` takes. */
export interface ContextOptions {
  /**
   * Tokens that one generation can hold, prompt and output together. Default "auto": what the model
   * was trained on, what fits in memory, or 8,192, whichever is least. With `embeddings`, the tokens
   * that one text may have; "auto" is at most 2,048 then where the model is no decoder. A model that
   * learnt its positions one by one (GPT-2, BERT, StarCoder) has no more than it was trained on.
   */
  readonly contextSize?: number | "auto";
  /**
   * How many generations are decoded together, 1…256; more wait in a queue. Default 1. With
   * `embeddings`, the texts that go to the engine in one call, 64 by default.
   */
  readonly sequences?: number;
  /**
   * "per-sequence": each sequence has a KV cache of its own, and results do not depend on what runs beside
   * them. "unified": one KV cache for all, where a common prefix is read once for all who have it; faster
   * where they share a long one. Default "auto": per sequence, which is faster where prompts differ
   * (docs/performance.md).
   */
  readonly kvCache?: "auto" | "per-sequence" | "unified";
  /**
   * Cells of the KV cache, one for each token that it can hold. Default contextSize × sequences. A unified KV
   * cache may have fewer, down to `contextSize`.
   */
  readonly kvCacheSize?: number;
  /**
   * Whether layers of a sliding window have as many cells as the others. Default: false with KV caches per
   * sequence, where they have hardly more than their window takes, and true with a unified one, where
   * prefixes are shared cell by cell. The answers are the same; with true a sequence goes back to any token
   * without a checkpoint, and `cachePrompt: "exact"` reuses prefixes that are longer than the window.
   */
  readonly swaFull?: boolean;
  /**
   * Bytes of the process's memory for state checkpoints, of all sequences together; 0 for none. Recurrent
   * and hybrid models, and small sliding-window caches, go back only to where one was taken: behind the last
   * messages of a prompt. Each sequence has up to 8, and the least recently used give way. Without one, an
   * edited or regenerated chat is evaluated from its beginning. Default 512 MiB; other models take none.
   */
  readonly checkpointMemory?: number;
  /**
   * Speculative decoding: tokens that are likely to come are evaluated together with the next one, and each
   * is then sampled as ever, so that the output is the same (up to rounding, as with any other batch). Only
   * while one generation runs alone. Default: none.
   */
  readonly speculation?: SpeculationOptions;
  /**
   * Tokens that go to the engine in one call, `sequences`…2^31 - 1. Default 2,048, or `microBatchSize` if
   * that is more.
   */
  readonly batchSize?: number;
  /**
   * Tokens that are computed together (llama.cpp's ubatch), 1…`batchSize`. Default 512, or `batchSize` if
   * that is less.
   */
  readonly microBatchSize?: number;
  /** Threads that generate, 1…512. Default: the number of physical cores. */
  readonly threads?: number;
  /** Threads that evaluate prompts, 1…512. Default: `threads`. */
  readonly batchThreads?: number;
  /** Whether attention is computed by the flash kernel. Default "auto": where the device has one. */
  readonly flashAttention?: boolean | "auto";
  /**
   * How elements of the KV cache are stored, keys and values alike or apart. Default "f16". Quantized
   * values need flash attention.
   */
  readonly kvCacheType?: CacheType | { readonly key?: CacheType; readonly value?: CacheType };
  /**
   * Makes it a context for `embed`, `embedMany` and `rank`, which cannot generate; also of a model that
   * cannot. Default false.
   */
  readonly embeddings?: boolean;
  /**
   * With `embeddings`. "mean": of all tokens; "cls" and "last": the first and the last token's; "none":
   * a vector for each token; "rank": for `rank`. Default: what the model's file says, else "mean".
   */
  readonly pooling?: Pooling;
  /** Rotary position embedding. Default: what the model's file says. */
  readonly rope?: { readonly frequencyBase?: number; readonly frequencyScale?: number };
  /**
   * What is added to the outputs of the model's layers, in all that the context evaluates. `ERR_UNSUPPORTED` with
   * a model to whose layers llama.cpp adds nothing: BERT and its kin, PLaMo 2, Hy V4. Default: none.
   */
  readonly controlVectors?: readonly ControlVector[];
  /** Aborts the creation, which rejects with its reason. Default: none. */
  readonly signal?: AbortSignal;
}

export const CONTEXT_OPTIONS: readonly (keyof ContextOptions)[] = optionNames(
  "model.createContext",
  [
    "contextSize",
    "sequences",
    "kvCache",
    "kvCacheSize",
    "swaFull",
    "checkpointMemory",
    "speculation",
    "batchSize",
    "microBatchSize",
    "threads",
    "batchThreads",
    "flashAttention",
    "kvCacheType",
    "embeddings",
    "pooling",
    "rope",
    "controlVectors",
    "signal",
  ],
);

const UNQUANTIZED: readonly CacheType[] = ["f32", "f16", "bf16"];

/** The engine's limits. */
export const SEQUENCES_MAX = 256;
const THREADS_MAX = 512;

/** Not told to others: `maxTokens` is nearly always meant for `generate`. */
const SPECULATION_OPTIONS = ["type", "draft", "maxTokens", "takeForced"] as const;
const SPECULATION_TYPES = ["ngram", "draft", "eagle3", "mtp"] as const;
const DRAFT_MAX = 63;
/** With the token that they are guessed behind, sixteen rows: kernels take them by fours and eights. */
const DRAFT = 15;

const BATCH = 2048;
const MICRO_BATCH = 512;

/** Some checkpoints of the largest hybrids, and all that most models take. */
const CHECKPOINT_MEMORY = 512 * 2 ** 20;

/** Texts that share a batch of embeddings. */
const TEXTS = 64;
/** The default context is no longer than this, however long the training was. */
const AUTO_CONTEXT_MAX = 8192;
/** An encoder, or a classifier, has its text in one micro-batch, which takes memory. */
const AUTO_TEXT_MAX = 2048;

/** Beyond what any machine holds: bounds for sums of the engine's. */
const TEXT_MAX = 2 ** 24;
const TOGETHER_MAX = 2 ** 16;

export interface CheckedContextOptions {
  /** Complete, as the addon takes it. */
  readonly native: NativeContextOptions;
  /** Guesses for the model. */
  readonly draft: LoadedModel | undefined;
  /** Whether `contextSize` may be less, where that much does not fit. */
  readonly shrinks: boolean;
  readonly signal: AbortSignal | undefined;
}

export function nativeContextOptions(
  given: ContextOptions | undefined,
  info: NativeModelInfo,
): CheckedContextOptions {
  const o = readOptions(given, "options", CONTEXT_OPTIONS);
  const { kvCache = "auto", embeddings = false } = o;
  boolean(embeddings, "options.embeddings");
  const { sequences = embeddings ? Math.min(TEXTS, counted(o.batchSize) || TEXTS) : 1 } = o;
  integer(sequences, "options.sequences", 1, SEQUENCES_MAX);
  oneOf(kvCache, "options.kvCache", ["auto", "per-sequence", "unified"]);
  const layout = kvCache === "auto" ? "per-sequence" : kvCache;
  const types = readCacheTypes(o);
  const batch = readBatch(o, sequences);
  if (embeddings) integer(batch.microBatchSize, "options.microBatchSize", 1, TOGETHER_MAX);
  const { draft, ...drafts } = readSpeculation(o.speculation);
  const kept = readKept(o, layout, drafts.draftedTokens > 0);
  const controlVectors = readControlVectors(o.controlVectors, "options.controlVectors");
  const rest = { ...batch, ...kept, ...drafts, ...readThreads(o), ...readRope(o.rope), ...types };
  const signal = o.signal === undefined ? undefined : abortSignal(o.signal, "options.signal");
  const pooling = readPooling(o, info);
  const { shrinks, ...size } = embeddings
    ? readTextSize(o, info, pooling)
    : readSize(o, { sequences, layout, info });
  return {
    signal,
    shrinks,
    draft,
    native: { ...size, ...rest, controlVectors, sequences, kvCache: layout, embeddings, pooling },
  };
}

/**
 * Checks options of contexts that will be opened to generate.
 *
 * @param name what the caller knows the options by
 * @throws {CriaError} as `createContext`, with that name
 */
export function checkContextOptions(
  given: ContextOptions,
  { name, sequences, info }: { name: string; sequences: number; info: NativeModelInfo },
): void {
  try {
    nativeContextOptions({ ...given, sequences }, info);
  } catch (error) {
    if (!CriaError.is(error)) throw error;
    const path = error.details?.name;
    const renamed = typeof path === "string" ? path.replace(/^options\b/, name) : undefined;
    throw new CriaError(
      error.code,
      error.message.replaceAll(/`options\b/g, () => `\`${name}`),
      {
        details: { ...error.details, ...(renamed !== undefined && { name: renamed }) },
        cause: error,
      },
    );
  }
}

/**
 * As far as results depend on them, with the defaults filled in: how many run together does not count.
 * Threads do: behind long prefixes llama.cpp adds up in as many parts as there are.
 */
export function comparableOptions(options: ContextOptions): Record<string, unknown> {
  const { contextSize = "auto", kvCache = "auto", kvCacheSize, rope } = options;
  const { threads = "default", batchThreads } = options;
  const { batchSize = Math.max(BATCH, options.microBatchSize ?? 0) } = options;
  const { microBatchSize = Math.min(MICRO_BATCH, batchSize) } = options;
  const { kvCacheTypeKey: key, kvCacheTypeValue: value, flashAttention } = readCacheTypes(options);
  const { draft, ...drafts } = readSpeculation(options.speculation);
  return {
    ...{ contextSize, kvCacheSize, batchSize, microBatchSize, threads },
    batchThreads: batchThreads === threads ? undefined : batchThreads,
    kvCache: kvCache === "auto" ? "per-sequence" : kvCache,
    swaFull: options.swaFull ?? (kvCache === "unified" || options.speculation !== undefined),
    checkpoints: options.checkpointMemory !== 0,
    ...drafts,
    draft: draft && insideOf(draft).info.fingerprint,
    ...{ flashAttention, kvCacheType: { key, value } },
    rope: { frequencyBase: rope?.frequencyBase, frequencyScale: rope?.frequencyScale },
    controlVectors: options.controlVectors,
  };
}

const POOLINGS: readonly Pooling[] = ["none", "mean", "cls", "last", "rank"];

/** The file's own is a number, in llama.cpp's order; 0 says nothing. */
function readPooling({ embeddings, pooling }: ContextOptions, info: NativeModelInfo): Pooling {
  if (pooling !== undefined) {
    oneOf(pooling, "options.pooling", POOLINGS);
    if (embeddings !== true) throw invalid("`options.pooling` needs `embeddings: true` beside it");
    return pooling;
  }
  if (embeddings !== true) return "none";
  const key = info.metadata.indexOf(`${info.architecture}.pooling_type`);
  const own = key % 2 === 0 ? Number(info.metadata[key + 1]) : 0;
  return (own > 0 && POOLINGS[own]) || "mean";
}

const CACHE_NAMES = [
  ...(["kvCache", "kvCacheSize", "swaFull", "checkpointMemory", "speculation"] as const),
];

/** The cache holds one long text at a time, whatever else there is. */
function readTextSize(o: ContextOptions, info: NativeModelInfo, pooling: Pooling) {
  for (const name of CACHE_NAMES) {
    const value = o[name];
    if (value === undefined || value === "auto") continue;
    throw invalid(`\`options.${name}\` has no meaning with \`embeddings\`: leave it out`);
  }
  const { contextSize: given = "auto" } = o;
  const { contextLength: trained, generates } = info;
  if (given !== "auto") readContextSize(given, TEXT_MAX, info);
  const inPieces = generates && pooling !== "rank";
  const auto = inPieces
    ? autoContextSize(trained)
    : Math.min(trained > 0 ? trained : MICRO_BATCH, AUTO_TEXT_MAX);
  const contextSize = given === "auto" ? auto : given;
  return { contextSize, kvCacheSize: contextSize, shrinks: given === "auto" && inPieces };
}

/** contextSize "auto", where it fits. */
function autoContextSize(trained: number): number {
  return Math.min(trained > 0 ? trained : AUTO_CONTEXT_MAX, AUTO_CONTEXT_MAX);
}

/** Where positions are rows of a table, there is nothing behind its end. */
function readContextSize(given: number, most: number, { positionCount }: NativeModelInfo): void {
  integer(given, 'options.contextSize (or "auto")', 1, most);
  if (positionCount === 0 || given <= positionCount) return;
  throw expected(
    `at most ${positionCount}, as many positions as this model was trained with,`,
    "options.contextSize",
    given,
  );
}

interface SizeFacts {
  readonly sequences: number;
  readonly layout: "per-sequence" | "unified";
  readonly info: NativeModelInfo;
}

function readSize(o: ContextOptions, facts: SizeFacts) {
  const { sequences, layout, info } = facts;
  const { contextLength: trained } = info;
  const { contextSize: given = "auto", kvCacheSize: pool } = o;
  if (given !== "auto") readContextSize(given, MAX_INT32, info);
  if (pool !== undefined) integer(pool, "options.kvCacheSize", 1, MAX_INT32);
  const contextSize = given === "auto" ? autoSize() : given;
  const all = contextSize * sequences;
  const kvCacheSize = pool ?? all;
  if (all > MAX_INT32) {
    throw expected(
      `contextSize × sequences up to ${MAX_INT32}`,
      "options.contextSize",
      contextSize,
    );
  }
  if (layout === "per-sequence" && kvCacheSize !== all) {
    throw invalid(
      `With a per-sequence KV cache \`options.kvCacheSize\` is contextSize × sequences (${all}), got ` +
        `${kvCacheSize}. Leave it out, or set \`kvCache\` to "unified"`,
    );
  }
  if (kvCacheSize < contextSize || kvCacheSize > all) {
    const range = `from contextSize (${contextSize}) to contextSize × sequences (${all}) cells`;
    throw expected(range, "options.kvCacheSize", kvCacheSize);
  }
  return { contextSize, kvCacheSize, shrinks: given === "auto" && pool === undefined };

  /** A pool that was given in cells bounds it, too. */
  function autoSize(): number {
    if (pool === undefined) return autoContextSize(trained);
    const share = layout === "unified" ? pool : Math.max(1, Math.floor(pool / sequences));
    return Math.min(autoContextSize(trained), share);
  }
}

/** What a sequence can go back to. */
function readKept(o: ContextOptions, layout: "per-sequence" | "unified", drops: boolean) {
  const { embeddings = false, checkpointMemory = embeddings ? 0 : CHECKPOINT_MEMORY } = o;
  // Guesses that fail are dropped again, which a cache of no more than the window cannot do.
  const { swaFull = embeddings || layout === "unified" || drops } = o;
  boolean(swaFull, "options.swaFull");
  integer(checkpointMemory, "options.checkpointMemory", 0, Number.MAX_SAFE_INTEGER);
  return { swaFull, checkpointMemory };
}

/** Of any type. */
interface AnySpeculation extends CommonSpeculation {
  readonly type: SpeculationOptions["type"];
  readonly draft?: LoadedModel;
}

interface CheckedSpeculation {
  readonly draftedTokens: number;
  readonly takesForced: boolean;
  readonly guesser: SpeculationOptions["type"];
  readonly draft: LoadedModel | undefined;
}

const NO_SPECULATION: CheckedSpeculation = {
  draftedTokens: 0,
  takesForced: false,
  guesser: "ngram",
  draft: undefined,
};

function readSpeculation(given: SpeculationOptions | undefined): CheckedSpeculation {
  if (given === undefined) return NO_SPECULATION;
  const name = "options.speculation";
  const o = readOptions<AnySpeculation>(given, name, SPECULATION_OPTIONS);
  const { type, maxTokens = DRAFT, takeForced = false, draft } = o;
  const guesser = oneOf(type, `${name}.type`, SPECULATION_TYPES);
  const draftedTokens = integer(maxTokens, `${name}.maxTokens`, 1, DRAFT_MAX);
  const takesForced = boolean(takeForced, `${name}.takeForced`);
  if (type === "draft" || type === "eagle3") insideOf(draft as LoadedModel, `${name}.draft`);
  else if (draft !== undefined)
    throw invalid(
      `\`${name}.draft\` belongs to the types "draft" and "eagle3", not to "${type}": leave one out`,
    );
  return { draftedTokens, takesForced, guesser, draft };
}

function readBatch(o: ContextOptions, sequences: number) {
  const { microBatchSize: micro, batchSize = Math.max(BATCH, counted(micro)) } = o;
  // A batch has at least one token of each sequence.
  if (micro !== undefined) integer(micro, "options.microBatchSize", 1, MAX_INT32);
  integer(batchSize, "options.batchSize", sequences, MAX_INT32);
  if (micro !== undefined) integer(micro, "options.microBatchSize", 1, batchSize);
  return { batchSize, microBatchSize: micro ?? Math.min(MICRO_BATCH, batchSize) };
}

/** 0 for what is no number, which is told where it is checked. */
function counted(value: unknown): number {
  return typeof value === "number" ? value || 0 : 0;
}

/** 0: the engine counts the physical cores. */
function readThreads({ threads, batchThreads = threads }: ContextOptions) {
  if (threads !== undefined) integer(threads, "options.threads", 1, THREADS_MAX);
  if (batchThreads !== undefined) integer(batchThreads, "options.batchThreads", 1, THREADS_MAX);
  return { threads: threads ?? 0, batchThreads: batchThreads ?? 0 };
}

function readCacheTypes({ kvCacheType = "f16", flashAttention = "auto" }: ContextOptions) {
  const name = "options.kvCacheType";
  oneOf(flashAttention, "options.flashAttention", ["auto", true, false]);
  const one = isPlainObject(kvCacheType)
    ? readOptions(kvCacheType, name, ["key", "value"])
    : { key: oneOf(kvCacheType, name, CACHE_TYPES), value: oneOf(kvCacheType, name, CACHE_TYPES) };
  const { key = "f16", value = "f16" } = one;
  const kvCacheTypeKey = oneOf(key, `${name}.key`, CACHE_TYPES);
  const kvCacheTypeValue = oneOf(value, `${name}.value`, CACHE_TYPES);
  if (flashAttention === false && !UNQUANTIZED.includes(kvCacheTypeValue)) {
    throw invalid(
      `A quantized value cache (${kvCacheTypeValue}) needs flash attention, and ` +
        "`options.flashAttention` is false",
    );
  }
  const flash: NativeContextOptions["flashAttention"] =
    flashAttention === "auto" ? "auto" : flashAttention ? "on" : "off";
  return { kvCacheTypeKey, kvCacheTypeValue, flashAttention: flash };
}

/** 0: as the model's file says. */
function readRope(value: ContextOptions["rope"]) {
  const known = ["frequencyBase", "frequencyScale"] as const;
  const { frequencyBase: base, frequencyScale: scale } = readOptions(value, "options.rope", known);
  if (base !== undefined) number(base, "options.rope.frequencyBase", 1e-3, 1e12);
  if (scale !== undefined) number(scale, "options.rope.frequencyScale", 1e-6, 1e6);
  return { ropeFrequencyBase: base ?? 0, ropeFrequencyScale: scale ?? 0 };
}
