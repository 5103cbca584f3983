import type { ContextOptions } from "../context/context-options.js";
import type { Pooling } from "../embedding/embed.js";
import type { GuardOptions } from "../guard/guard-types.js";
import type { ToolDefinitionInput } from "../messages/tool-types.js";
import type { Model } from "../model/model.js";
import type { SamplerOptions } from "../sampling/sampler.js";
import type { BatchEngine } from "./engine/batch-engine.js";
import type { Settings } from "./output/batch-settings.js";

/** How the lines of the input are read. */
export type BatchFormat = "jsonl" | "text";

/** What `runBatch` takes. */
export interface RunBatchOptions {
  /**
   * Where the requests come from: a file (`.gz` is unpacked), all its bytes, bytes as they come from a
   * stream such as `process.stdin`, or requests as objects, of an iterable of any length.
   */
  readonly input:
    | string
    | Uint8Array
    | ArrayBuffer
    | DataView
    | Blob
    | Iterable<Uint8Array | object>
    | AsyncIterable<Uint8Array | object>;
  /** The file that the results are appended to; with `.gz` at its end it is packed. */
  readonly output: string;
  /** Default "jsonl"; "text" is a prompt a line. */
  readonly format?: BatchFormat;
  /** Goes on with an output that is there, and skips what has its result in it. Default false. */
  readonly resume?: boolean;
  /** Replaces an output that is there. Default false: it is refused. */
  readonly overwrite?: boolean;
  /** Results in the order of the lines. Default false: as they finish. */
  readonly ordered?: boolean;
  /** Only so many of the lines. Default: all. */
  readonly limit?: number;
  /**
   * Each line's seed is made of this and its id, unless it has one of its own: 0…2^32 - 1. Default 0.
   */
  readonly seed?: number;
  /** For lines that do not say otherwise: how many tokens to generate at most. Default: the context's. */
  readonly maxTokens?: number;
  /**
   * The same of sampling options. They change what the model's file recommends and leave the rest. Default:
   * none.
   */
  readonly sampling?: Omit<SamplerOptions, "seed">;
  /** The same of a text, or texts, that end an answer. Default: none. */
  readonly stop?: string | readonly string[];
  /** A system message for chats that have none; a `prompt` becomes what the user says then. Default: none. */
  readonly system?: string;
  /** A JSON Schema for answers of lines that have none. Default: none. */
  readonly schema?: object;
  /** What the model may call in chats that bring no tools; a `prompt` becomes a chat then. Default: none. */
  readonly tools?: readonly ToolDefinitionInput[];
  /**
   * "Today Date", where a chat format has one. Default "26 Jul 2024", as in Llama's own templates: the
   * same run gives the same results tomorrow.
   */
  readonly date?: Date | string;
  /** A Jinja template in place of the model's own, for the chats. Default: the model's. */
  readonly chatTemplate?: string;
  /** Generations at a time, 1…256. Default: measured, see `onMeasured`. */
  readonly sequences?: number;
  /** Options of the contexts that are opened on the model. Default: `createContext`'s. */
  readonly context?: Omit<ContextOptions, "sequences" | "embeddings" | "pooling" | "signal">;
  /** Of embeddings: "mean", "cls" or "last". Default: what the model's file says, else "mean". */
  readonly pooling?: Extract<Pooling, "mean" | "cls" | "last">;
  /** Judges the lines of `/v1/moderations`. Default: the model itself. */
  readonly guard?: Model;
  /** How it judges. A model that is not recognised as a guard needs a `variant`. Default: `{}`. */
  readonly guardOptions?: GuardOptions;
  /** Called once, when `sequences` has been measured. Default: none. */
  readonly onMeasured?: (measured: SequencesMeasured) => void;
  /** Called when results are written, at most ten times a second, and at the end. Default: none. */
  readonly onProgress?: (progress: BatchProgress) => void;
  /**
   * Aborted, no line is begun any more; what runs is finished and written, and the run resolves. With `ordered`, the
   * lines that were read in front of those that run are answered first, at most 512. Default: none.
   */
  readonly finish?: AbortSignal;
  /**
   * Aborts the run at once: what runs is lost, what is written stays. It rejects with the signal's reason.
   * Default: none.
   */
  readonly signal?: AbortSignal;
}

/** The same with an engine of the caller's: that of a server, or one for tests of everything around it. */
export type RunOptions = Omit<
  RunBatchOptions,
  | "sequences"
  | "context"
  | "pooling"
  | "guard"
  | "guardOptions"
  | "onMeasured"
  | "date"
  | "chatTemplate"
> & {
  readonly engine: BatchEngine;
  /** What results depend on besides these options: an output that has others is not resumed. */
  readonly settings?: Settings;
};

/** What a short measurement found. */
export interface SequencesMeasured {
  /** How many generations run at a time. */
  readonly sequences: number;
  /** Tokens per second by generations at a time, as far as it went. */
  readonly rates: ReadonlyMap<number, number>;
}

/** How far a run is. */
export interface BatchProgress {
  /** Lines with a result in the output, those of earlier runs that were met again included. */
  readonly done: number;
  /** Of `done`, those that had their result before. */
  readonly skipped: number;
  /** Of `done`, those with an error. */
  readonly errors: number;
  /** Tokens of prompts, in this run. */
  readonly promptTokens: number;
  /** Of `promptTokens`, those that were not evaluated again. */
  readonly cachedTokens: number;
  /** Tokens generated, in this run. */
  readonly completionTokens: number;
  /** Since the run began. */
  readonly milliseconds: number;
  /** How much of the run is done, about, 0…1; undefined where the end of the input is not known. */
  readonly fraction: number | undefined;
}

/** What became of a run. */
export interface BatchSummary extends Omit<BatchProgress, "fraction"> {
  /** Whether `finish` ended it before the end of the input. */
  readonly interrupted: boolean;
}

/** A line's error, in place of a response. */
export interface BatchLineError {
  /** A `CriaErrorCode`. */
  readonly code: string;
  /** What was expected, what came, and what to do. */
  readonly message: string;
  /** The line of the input, from 1. */
  readonly line: number;
}

/** A line of the output: OpenAI's batch result. */
export type BatchOutputLine = {
  /** "batch_req_", a hash of all that results depend on besides their lines, and one of the request. */
  readonly id: string;
  /** The line's own, or "line-" and its number. */
  readonly custom_id: string;
} & (
  | {
      readonly response: {
        readonly status_code: 200;
        /** "req_" and the hash in `id`. */
        readonly request_id: string;
        /** A `BatchChatCompletion`, `BatchCompletion`, `BatchEmbeddings` or `BatchModeration`. */
        readonly body: object;
      };
      readonly error: null;
    }
  | {
      readonly response: null;
      /** Why there is no answer. */
      readonly error: BatchLineError;
    }
);
