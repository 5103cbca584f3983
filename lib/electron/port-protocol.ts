import type { GenerationResult } from "../generation/generation.js";
import type { TokenLogprobs } from "../generation/logprobs.js";
import type { WireError } from "./wire-errors.js";

/*
 * What goes over a port: plain data that the structured clone algorithm copies, in both directions in order.
 *
 * The client begins with `hello`; the server answers another protocol with `goodbye`. A `call` has an id,
 * greater than any before it, and ends with one `result` or `error` of that id. The id of a `load`, a
 * `createContext` or an `openSession` names what it made from there on. `cancel` ends a call early, in the
 * way of its kind; where the result was under way already, what it made is given up.
 *
 * `news` of a call (chunks, events, progress, usage) come before its end. The server has at most WINDOW of them
 * under way, usage apart: the client acknowledges each with `ack` as its event loop takes it, and what comes up meanwhile is
 * joined to bigger news. So a page that stands still costs no memory but that of the output.
 *
 * The server believes nothing: what is no message of these ends the connection, and the arguments of a
 * call are checked as a local caller's are.
 */

/** Counted up with every change that one side must know of. */
export const PROTOCOL = 1;

/** News of one call that may be under way. */
export const WINDOW = 8;

/** What a client may ask for. */
export const METHODS = [
  "load",
  "createContext",
  "dispose",
  "tokenize",
  "generate",
  "score",
  "choose",
  "embed",
  "rank",
  "stats",
  "openSession",
  "send",
  "moderate",
] as const;

export type Method = (typeof METHODS)[number];

export type ClientMessage =
  | { readonly type: "hello"; readonly protocol: number }
  | {
      readonly type: "call";
      readonly id: number;
      readonly method: Method;
      /** What the call is about: a model, a context or a session. Unused by `load`. */
      readonly target: number;
      readonly args: readonly unknown[];
    }
  | { readonly type: "ack" | "cancel"; readonly id: number }
  /** A session that nobody refers to any more. */
  | { readonly type: "release"; readonly id: number }
  /** The answer to `execute`: a result, or what the model is told instead of one. */
  | {
      readonly type: "executed";
      readonly id: number;
      readonly key: number;
      readonly result?: unknown;
      readonly error?: string;
    }
  | { readonly type: "goodbye" };

export type ServerMessage =
  | { readonly type: "news"; readonly id: number; readonly news: unknown }
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | {
      readonly type: "error";
      readonly id: number;
      readonly error: WireError;
      /** Of `send`: what became of the history all the same. */
      readonly value?: unknown;
    }
  /** A tool of the client's is to be carried out, for the turn `id`. */
  | {
      readonly type: "execute";
      readonly id: number;
      readonly key: number;
      readonly name: string;
      readonly args: unknown;
      readonly callId: string;
    }
  | { readonly type: "goodbye"; readonly error?: WireError };

/** News of `generate`. */
export interface ChunkNews {
  readonly text?: string;
  readonly tokens?: Int32Array;
  readonly logprobs?: TokenLogprobs[];
}

/** News of what has a callback at the client: the arguments of its call. */
export interface ProgressNews {
  readonly progress: readonly unknown[];
}

/** The end of `generate`: the output came as news. */
export type GenerationEnd = Omit<GenerationResult, "text" | "tokens" | "logprobs">;

/** What `createContext` made. */
export interface ContextFacts {
  readonly contextSize: number;
  readonly sequences: number;
  readonly batchSize: number;
  readonly threads: number;
  readonly pooling: string | null;
}

/** A session's history from number `from` on. */
export interface HistoryChange {
  readonly from: number;
  readonly messages: readonly unknown[];
}

/** A tool of the client's: the server has it defined, the client carries it out. */
export interface WireTool {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: object;
  readonly executes: boolean;
}

/** A guard is its context and its options: nothing of it stays at the server. */
export interface WireGuard {
  readonly context: number;
  readonly options: unknown;
}
