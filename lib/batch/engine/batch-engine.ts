import type { BatchPlan } from "../input/plans.js";

/** Requests of one lane run beside each other; those of different ones do not. */
export type Lane = "generation" | "embedding" | "moderation";

/** A line's request, ready to run. */
export interface PreparedRequest {
  readonly lane: Lane;
  /** What it begins with: requests with the same beginning run next to each other. */
  readonly prefix: string;
  /** Begins at once. Aborted, it may reject with anything. */
  start(signal: AbortSignal): Promise<Answer>;
}

/** What a request came to. */
export interface Answer {
  /** As OpenAI's API would answer. A function of the request alone, whatever ran beside it. */
  readonly body: object;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What a request rejects with where the engine is at an end: the run's error, not the line's. */
export class EngineFailure extends Error {
  constructor(readonly error: unknown) {
    super("the engine failed");
  }
}

/** What carries out the requests of a batch. */
export interface BatchEngine {
  /** Requests of a lane that are worth running at a time. */
  capacity(lane: Lane): number;
  /** Checks and renders: what it throws is the line's error. */
  prepare(plan: BatchPlan, identity: Identity): PreparedRequest | Promise<PreparedRequest>;
}

/** What a request is known by, for whatever has to differ from line to line. */
export interface Identity {
  /** 16 hexadecimal digits: of the line, and of the options that its result depends on. */
  readonly hash: string;
  readonly seed: number;
}
