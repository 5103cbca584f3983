/**
 * The one seam: everything that native/binding exports, with its types. The API in this folder
 * validates and fills defaults, so what goes down here is complete and checked; native/ guards only
 * what would kill the process. Every failure comes up as an `Error` with a `code` of `CriaErrorCode`
 * (thrown, or as a rejection), and is made a `CriaError` by `fromNative` in errors.ts.
 */
import type { CriaErrorCode } from "./errors.js";

/** What an engine was built to compute with, beside the CPU. */
export type Backend = "cpu" | "metal" | "cuda" | "vulkan";
/** How much a log line matters; the least first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

export interface NativeAddon {
  /** An empty handle: `load` fills it, `close` aborts a load in flight or frees what was loaded. */
  readonly Model: new () => NativeModel;
  /** An empty handle on a loaded model; `open` starts its thread. */
  readonly Context: new (
    model: NativeModel,
  ) => NativeContext;
  engineInfo(): { backend: Backend; llamaCpp: string; cpuLevel: string; cpuFeatures: string[] };
  listDevices(): NativeDevice[];
  /** Called on the JS thread of the environment that set it; null removes it. */
  setLogHandler(handler: ((level: LogLevel, message: string) => void) | null): void;
  /**
   * Takes a name for this environment, until it ends however it ends; false where another, or this one,
   * has it.
   */
  claim(name: string): boolean;
  release(name: string): void;
  /** Serves clients on a thread of its own. Throws ERR_INVALID_ARGUMENT for what cannot be had. */
  startRpcServer(options: NativeRpcServerOptions): NativeRpcServer;
  /** Asks it, or takes the connection that there is to it. */
  listWorkerDevices(url: string): Promise<(Omit<NativeDevice, "type"> & { type: "rpc" })[]>;
  /** Differs between copies of the engine in one process, which do not know each other's claims. */
  readonly instance: string;
}

export interface NativeRpcServerOptions {
  /** Of this machine, in digits. */
  address: string;
  /** 0: any that is free. */
  port: number;
  /** 0: the physical cores. */
  threads: number;
  /** Names as in listDevices(); empty: the GPUs, or the CPU where there is none. */
  devices: string[];
  /** A folder for tensors that clients may send again; empty: none. */
  cache: string;
}

export interface NativeRpcServer {
  port: number;
  /** Resolves when it was stopped. */
  ended: Promise<void>;
  stop(): void;
}

export interface NativeDevice {
  name: string;
  description: string;
  type: "cpu" | "gpu" | "integrated-gpu" | "accelerator";
  memoryTotal: number;
  memoryFree: number;
}

export interface NativeModel {
  /** Once per handle. Rejects with ERR_DISPOSED when `close` came before the load was through. */
  load(
    options: NativeModelOptions,
    onProgress: ((fraction: number) => void) | null,
  ): Promise<NativeModelInfo>;
  tokenize(text: string, special: boolean, addBos: boolean): Int32Array;
  detokenize(tokens: Int32Array, special: boolean): string;
  /** Id of the control or user-defined token with exactly this text, or -1. */
  tokenId(text: string): number;
  isEndOfGeneration(token: number): boolean;
  /** Compiled templates are kept, the last few. ERR_TEMPLATE with the template's own message. */
  renderTemplate(request: NativeTemplateRequest): NativeFlatPrompt;
  /**
   * The same, and more, on threads of the model's. `id`: one that no other work of the model has. They
   * reject with ERR_DISPOSED when `closeWork` comes before they are through.
   */
  startRender(id: number, request: NativeTemplateRequest): Promise<NativeFlatPrompt>;
  /** How a model answers that was trained on the template. */
  startFormat(id: number, request: NativeFormatRequest): Promise<NativeTemplateFormat>;
  /**
   * An answer that is read while it is written. Where the parser knows no thoughts, `<think>` in front is read
   * all the same. It belongs to nobody else, and needs no closing. */
  openAnswer(format: NativeAnswerParser): NativeOpenAnswer;
  /**
   * Its next piece, whole characters: any text, since what the format's parser does not take is text or a
   * broken call. One piece after the other, and then its end.
   */
  startAnswer(id: number, answer: NativeOpenAnswer, text: string): Promise<NativeAnswerEvent[]>;
  /** `cutOff`: the model would have gone on. */
  endAnswer(id: number, answer: NativeOpenAnswer, cutOff: boolean): Promise<NativeAnswerEvent[]>;
  startTokenize(id: number, text: string, special: boolean, addBos: boolean): Promise<Int32Array>;
  /** What the model and a context with these options would take; also of a model without weights. */
  startMeasure(id: number, options: NativeContextOptions): Promise<NativeMemory>;
  /** What a projector's file and what it computes in would take of each device. */
  startMeasureProjector(id: number, path: string): Promise<NativeProjectorMemory[]>;
  /** How many tokens its projector makes of this. ERR_UNSUPPORTED without one. */
  startMediaRows(id: number, media: NativeMedia): Promise<number>;
  /** A LoRA adapter of the model's, from its file. */
  startAdapter(id: number, path: string): Promise<NativeAdapterInfo>;
  /** No new request can have it; its memory goes with the last that does. Idempotent. */
  releaseAdapter(adapter: NativeAdapter): void;
  /** It still settles, soon, with whatever it has. */
  cancelWork(id: number): void;
  /** Idempotent; resolves when no thread has anything of the model's any more. */
  closeWork(): Promise<void>;
  /** Idempotent. The weights go when the last context on them has closed. */
  close(): Promise<void>;
}

export interface NativeTemplateRequest {
  /** Jinja. */
  template: string;
  /** JSON: OpenAI's messages, as a text or as any number of pieces of the array, in UTF-8. */
  messages: string | readonly Uint8Array[];
  /** JSON: OpenAI's tools, an empty array for none. */
  tools: string;
  /** JSON: an object. */
  variables: string;
  addGenerationPrompt: boolean;
  /** Whether tools that the template has no place for are described; else ERR_UNSUPPORTED. */
  describeTools: boolean;
  /** Seconds since 1970, what the template takes for now. */
  now: number;
  /** What it is told for any date, where somebody gave a text. */
  date: string | null;
}

export interface NativeFormatRequest extends NativeTemplateRequest {
  toolChoice: "auto" | "none" | "required";
  parallelToolCalls: boolean;
  /** Whether the answer follows a schema, which is a rule of its own in the grammar. */
  schema: boolean;
}

/**
 * A prompt's segments behind each other: of each its kind, and where it ends. Control is a control token,
 * or a user-defined one that the template uses, by its text.
 */
export interface NativeFlatPrompt {
  text: string;
  /** 0: text, 1: control, 2: tokens. */
  kinds: Int32Array;
  /** In `text` or, of kind 2, in `tokens`. */
  ends: Int32Array;
  tokens: Int32Array;
}

/** Opaque. */
export type NativeOpenAnswer = object & { readonly answer: unique symbol };

interface NativeAnswerParser {
  format: string;
  /** llama.cpp's, as JSON. */
  parser: string;
  /** The end of the prompt, which the parser and the grammar take for the answer's beginning. */
  generationPrompt: string;
  /** Tokens that the parser has to see as text. */
  preservedTokens: string[];
}

export interface NativeTemplateFormat extends NativeAnswerParser {
  /** Of an answer with calls, from the generation prompt on; empty where there is none. */
  grammar: string;
  /** Whether it begins with a trigger. */
  grammarLazy: boolean;
  triggers: { type: "token" | "word" | "pattern" | "full-pattern"; value: string }[];
  additionalStops: string[];
  /** Whether models of the template think. */
  reasons: boolean;
  /** The mark in front of thoughts, and those that may end them; empty where it knows none. */
  reasoningStart: string;
  reasoningEnds: string[];
}

/** Opaque. */
export type NativeAdapter = object & { readonly adapter: unique symbol };

export interface NativeAdapterInfo {
  adapter: NativeAdapter;
  sizeInBytes: number;
  /** As the model's. */
  fingerprint: string;
  /** Of an activated LoRA; else empty. */
  invocation: Int32Array;
}

/** Each adapter once. */
export interface NativeScaledAdapter {
  adapter: NativeAdapter;
  scale: number;
}

export interface NativeControlVector {
  path: string;
  scale: number;
  /** From 1, both inclusive; 0: the first, and the last, that the model has. */
  firstLayer: number;
  lastLayer: number;
}

export type NativeAnswerEvent =
  | { type: "text"; text: string }
  /** The place of the thoughts in the answer, in bytes of UTF-8. */
  | { type: "reasoning"; text: string; from: number; to: number }
  /** A call begins; `text` is its name. */
  | { type: "call"; text: string }
  /** The next piece of its arguments. */
  | { type: "arguments"; text: string }
  /** It ends; `broken`: `text` is what the model wrote. */
  | { type: "call-end"; text: string; broken: boolean };

export interface NativeModelOptions {
  path: string;
  /** -1: all that fit (0 in a build without a GPU), -2: all. */
  gpuLayers: number;
  /** Names as in listDevices(), or "rpc://host:port"; empty: every device of the backend. */
  devices: string[];
  splitMode: "none" | "layer" | "tensor";
  /** Empty: by free memory. */
  tensorSplit: number[];
  mainGpu: number;
  /** Milliseconds. */
  workerTimeout: number;
  mmap: boolean;
  mlock: boolean;
  checkTensors: boolean;
  vocabOnly: boolean;
  /** Layers that predict further tokens are loaded, too. */
  mtp: boolean;
  metadataOverrides: Record<string, string | number | boolean>;
  /** Path of the projector's file; empty: none. */
  projector: string;
}

export interface NativeModelInfo {
  description: string;
  architecture: string;
  parameterCount: number;
  sizeInBytes: number;
  contextLength: number;
  /** Rows of the table of learnt positions, which no text may go past; 0: there is none. */
  positionCount: number;
  embeddingLength: number;
  layerCount: number;
  vocabularySize: number;
  /** Of the weights: sizes and sampled blocks of every file, as hexadecimal digits. */
  fingerprint: string;
  /** Key, value, key, value… */
  metadata: string[];
  chatTemplate: string | null;
  specialTokens: { bos: number; eos: number; eot: number; eom: number }; // -1: none
  infillTokens: NativeInfillTokens;
  /** Whether raw text wants a BOS in front. */
  addsBos: boolean;
  /** False for an encoder-only or encoder-decoder model: it cannot generate. */
  generates: boolean;
  /** Whether its projector takes pictures, and sounds. */
  sees: boolean;
  hears: boolean;
  /** Of the projector's file, as the model's; empty without one. */
  projectorFingerprint: string;
}

/** Around the parts of a text in which something is to be filled in; -1: none. */
export interface NativeInfillTokens {
  prefix: number;
  suffix: number;
  middle: number;
  /** In front of the repository's name. */
  repository: number;
  /** In front of a file's name. */
  file: number;
}

/** What is laid out on each device, in bytes; the CPU comes first. */
export interface NativeMemory {
  /** As it is loaded, or would be; -2: all. */
  gpuLayers: number;
  /** The most that they take of the process's own memory. */
  checkpoints: number;
  devices: NativeDeviceMemory[];
}

export interface NativeProjectorMemory {
  /** Of the device. */
  name: string;
  bytes: number;
}

export interface NativeDeviceMemory {
  name: string;
  type: NativeDevice["type"] | "rpc";
  model: number;
  kvCache: number;
  compute: number;
  /** At the time of the call. */
  memoryFree: number;
}

export type NativeCacheType =
  | "f32"
  | "f16"
  | "bf16"
  | "q8_0"
  | "q5_1"
  | "q5_0"
  | "q4_1"
  | "q4_0"
  | "iq4_nl";

export interface NativeContext {
  /**
   * Creates the llama_context on the context's own thread. `onNews` is called on the JS thread with
   * all that happened since its last call, at most one entry per request.
   */
  open(
    options: NativeContextOptions,
    onNews: (news: readonly NativeNews[]) => void,
    /** Guesses for the model, unless `options.guesser` needs none. */
    draft: NativeModel | null,
  ): Promise<NativeContextInfo>;
  /** Returns at once; text is tokenized off the JS thread. `id` must be new. */
  submit(request: NativeRequest): void;
  /** Returns at once; the answer, or the error, is the last news of this id, which must be new. */
  command(id: number, command: NativeCommand): void;
  /**
   * A request ends with stopReason "cancelled" and what it has, a command with an answer that says
   * `cancelled` and no other effect; unknown ids are ignored.
   */
  cancel(id: number): void;
  stats(): NativeContextStats;
  /** Idempotent. Everything pending ends with ERR_DISPOSED, then the thread is joined. */
  close(): Promise<void>;
}

export interface NativeContextOptions {
  /** Tokens one generation can hold. */
  contextSize: number;
  sequences: number;
  kvCache: "per-sequence" | "unified";
  /** KV cells in all; per sequence, contextSize × sequences. */
  kvCacheSize: number;
  /** Whether the cache of a sliding window has as many cells. */
  swaFull: boolean;
  /** Bytes of the process's own memory, for all checkpoints together; 0: none. */
  checkpointMemory: number;
  /** Of one generation, evaluated beside its next token; 0: no speculative decoding. */
  draftedTokens: number;
  /** By whom they are guessed: the text itself, `draft`, or the model's own layers. */
  guesser: "ngram" | "draft" | "eagle3" | "mtp";
  /** Whether text that a grammar forces is taken without sampling. */
  takesForced: boolean;
  batchSize: number;
  microBatchSize: number;
  /** 0: physical cores. */
  threads: number;
  batchThreads: number;
  flashAttention: "auto" | "on" | "off";
  kvCacheTypeKey: NativeCacheType;
  kvCacheTypeValue: NativeCacheType;
  /** 0: from the model. */
  ropeFrequencyBase: number;
  ropeFrequencyScale: number;
  /** It embeds or ranks, and nothing else; `contextSize` is what one text may have. */
  embeddings: boolean;
  /** Where it does. */
  pooling: NativePooling;
  /** Added to what the layers give. */
  controlVectors: readonly NativeControlVector[];
}

export type NativePooling = "none" | "mean" | "cls" | "last" | "rank";

export interface NativeContextInfo {
  threads: number;
  batchThreads: number;
  batchSize: number;
  microBatchSize: number;
}

export interface NativeContextStats {
  activeGenerations: number;
  queuedGenerations: number;
  cachedTokens: number;
  decodedTokens: number;
  batches: number;
  /** The engine failed inside, and the thread has ended: every request fails. */
  broken: boolean;
}

/** A picture or a sound: its file's bytes, or the file's path. */
export interface NativeMedia {
  kind: "image" | "audio";
  data: Uint8Array | string;
}

/** Text is tokenized with no special tokens parsed; ids go in as they are. */
export type NativeSegment = string | Int32Array | NativeMedia;

export interface NativeRequest {
  /** A positive safe integer, unique in the context. */
  id: number;
  segments: readonly NativeSegment[];
  /** BOS in front of the first segment. */
  addBos: boolean;
  adapters: readonly NativeScaledAdapter[];
  sampler: readonly NativeSamplerStep[];
  /** 0…2^32 - 2, for the steps that draw. */
  seed: number;
  /** -1: until the context is full. */
  maxTokens: number;
  stop: readonly string[];
  special: boolean;
  /** Control tokens that show in any case. */
  shown: readonly string[];
  /** How many tokens may be thoughts; null: any number. */
  reasoning: { start: string; ends: readonly string[]; tokens: number; open: boolean } | null;
  /** Whether news should tell the prefill's progress. */
  progress: boolean;
  /** Likeliest tokens to tell with each token, 0…20; -1: no log-probabilities at all. */
  logprobs: number;
  reuse: NativeReuse;
  /** Milliseconds; may be Infinity. */
  maxPause: number;
}

/** What may be taken over of the prompts that are cached. */
export type NativeReuse = "none" | "exact" | "any";

/**
 * What is asked of the context besides generations. `sequence` is the number that "create" or "fork"
 * answered; commands for one sequence are carried out in order, one at a time.
 */
export type NativeCommand =
  /**
   * Log-probabilities of candidates as the next token: answer.values; answer.count, the prompt's
   * tokens; answer.cached, those that were not evaluated again. `counts`: how many of the candidates
   * belong behind each of the last so many tokens of the prompt, which are no media; the last number is
   * of those behind all of it.
   */
  | {
      type: "score";
      segments: readonly NativeSegment[];
      addBos: boolean;
      candidates: Int32Array;
      counts: Int32Array;
      reuse: NativeReuse;
      adapters: readonly NativeScaledAdapter[];
    }
  /**
   * ERR_CONTEXT_FULL where the text is too long: answer.values, one vector, or with pooling "none" one
   * for each token; answer.count, its tokens.
   */
  | { type: "embed"; text: string; normalize: boolean }
  /** One number: answer.values. */
  | { type: "rank"; query: string; document: string }
  /**
   * Takes one of the context's `sequences`, ERR_CONTEXT_FULL where none is free: answer.sequence. `cached`: the
   * first "evaluate" takes over what is cached of the prompt.
   */
  | {
      type: "create";
      adapters: readonly NativeScaledAdapter[];
      cached: boolean;
      segments: readonly NativeSegment[];
      addBos: boolean;
    }
  | { type: "fork"; sequence: number }
  /** Appends: answer.tokens is all of the sequence. Cancelled or failed: it is as it was. */
  | { type: "evaluate"; sequence: number; segments: readonly NativeSegment[]; addBos: boolean }
  /** Of the last position: answer.values. */
  | { type: "logits"; sequence: number }
  /** `sampler`: a number of the caller's own that stands for these steps and seed: answer.token. */
  | {
      type: "sample";
      sequence: number;
      sampler: number;
      steps: readonly NativeSamplerStep[];
      seed: number;
    }
  | { type: "trim"; sequence: number; length: number }
  | { type: "save"; sequence: number; path: string }
  /**
   * answer.tokens is what was restored. ERR_STATE_INVALID where the file is none, or of another model or of other
   * adapters than these, which are the sequence's.
   */
  | {
      type: "restore";
      sequence: number;
      path: string;
      adapters: readonly NativeScaledAdapter[];
    }
  /** Also while another command of the sequence runs, which ends cancelled. */
  | { type: "dispose"; sequence: number };

/** The fields that the command's line above names. */
export interface NativeAnswer {
  cancelled?: boolean;
  sequence?: number;
  token?: number;
  tokens?: Int32Array;
  values?: Float32Array;
  count?: number;
  cached?: number;
}

/** In order; one that selects (greedy, dist, mirostat, adaptive-p) comes last. */
export type NativeSamplerStep =
  | { type: "greedy" }
  | { type: "dist" }
  | { type: "mirostat"; version: 1 | 2; tau: number; eta: number; candidates: number }
  | { type: "adaptive-p"; target: number; decay: number }
  | { type: "temperature"; value: number }
  | { type: "dynamic-temperature"; value: number; range: number; exponent: number }
  | { type: "top-k"; value: number }
  | { type: "top-p"; value: number; minKeep: number }
  | { type: "min-p"; value: number; minKeep: number }
  | { type: "typical-p"; value: number; minKeep: number }
  | { type: "top-n-sigma"; value: number }
  | { type: "xtc"; probability: number; threshold: number; minKeep: number }
  | { type: "penalties"; lastN: number; repeat: number; frequency: number; presence: number }
  | {
      type: "dry";
      multiplier: number;
      base: number;
      allowedLength: number;
      lastN: number;
      breakers: readonly string[];
    }
  | { type: "logit-bias"; tokens: Int32Array; biases: Float32Array }
  | { type: "infill" }
  | {
      type: "grammar";
      source: string;
      root: string;
      /** Everything is allowed until one of the triggers is met. */
      lazy?: boolean;
      triggerTokens?: Int32Array;
      triggerPatterns?: readonly string[];
      /** What stands in front of the output, and the grammar begins with. */
      prefix?: string;
    };

export interface NativeNews {
  id: number;
  /** Valid text, decoded since the last news; may be empty. */
  text: string;
  /** Generated since the last news, without the stop token. */
  tokens: Int32Array;
  /**
   * Only where the request asked for log-probabilities: 1 + N entries for each of `tokens`, the chosen
   * one first, then the N likeliest, falling.
   */
  logprobs?: { tokens: Int32Array; values: Float32Array };
  /** Only where the request asked for progress and the prefill moved. */
  evaluated?: number;
  total?: number;
  /** The request is over when one of these is there. */
  result?: NativeResult;
  answer?: NativeAnswer;
  error?: { code: CriaErrorCode; message: string };
}

/** Why a generation ended. */
export type StopReason =
  /** The model generated its end-of-text token. */
  | "end-of-text"
  /** It generated its end-of-turn token (`<|eot_id|>`). */
  | "end-of-turn"
  /** It generated its end-of-message token (`<|eom_id|>`): a tool is to run, the turn goes on. */
  | "end-of-message"
  /** The output reached one of the `stop` strings. */
  | "stop-string"
  /** It has `maxTokens` tokens. */
  | "max-tokens"
  /** Prompt and output fill `contextSize`. */
  | "context-full"
  /** `cancel()` was called, or the reader left the loop. */
  | "cancelled";

export interface NativeResult {
  stopReason: StopReason;
  stopToken: number; // -1: none
  stopString: string | null;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  /** Where there is speculative decoding. */
  drafts?: { proposed: number; accepted: number };
  queuedMs: number;
  promptMs: number;
  generationMs: number;
}
