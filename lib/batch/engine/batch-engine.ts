import type { BatchPlan } from "../input/request-plans.js";

/** Requests of one lane run together; those of different lanes do not. */
export type Lane = "generation" | "embedding" | "moderation";

/** A line's request, ready to run. */
export interface PreparedRequest {
  readonly lane: Lane;
  /** How the prompt begins: requests with the same beginning run next to each other. */
  readonly prefix: string;
  /** Starts at once. When the signal aborts it may reject with anything. */
  start(signal: AbortSignal): Promise<Answer>;
}

/** What a request came to. */
export interface Answer {
  /** As OpenAI's API would answer. It depends on the request alone, whatever ran beside it. */
  readonly body: object;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** The engine cannot go on. A request that rejects with this fails the run, not its line alone. */
export class EngineFailure extends Error {
  constructor(readonly error: unknown) {
    super("the engine failed");
  }
}

/** Carries out the requests of a batch. */
export interface BatchEngine {
  /** How many requests of a lane should run at a time. */
  capacity(lane: Lane): number;
  /** Checks and renders: what it throws is the line's error. */
  prepare(plan: BatchPlan, identity: Identity): PreparedRequest | Promise<PreparedRequest>;
}

/** What makes a line differ from all others. */
export interface Identity {
  /** A hash of the line and of the options that its result depends on: 16 hexadecimal digits. */
  readonly hash: string;
  readonly seed: number;
}
