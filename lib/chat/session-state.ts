import { rm } from "node:fs/promises";
import type { Context } from "../context/context.js";
import type { Sequence, SequenceOptions } from "../context/sequence.js";
import { CriaError, type CriaErrorCode } from "../internal/errors.js";
import type { Prompt } from "../model/prompt.js";

/** What became of the KV cache's state when a session was saved or restored. */
export interface SessionState {
  /** Tokens whose state was saved or restored; 0 means that they are evaluated anew. */
  readonly cachedTokens: number;
  /** Why none were, where they should have been: the messages are there all the same. */
  readonly stateError?: CriaError;
}

/** What makes the state alone impossible. With any other failure the messages would be lost, too. */
const WITHOUT_STATE: ReadonlySet<CriaErrorCode> = new Set([
  "ERR_CONTEXT_FULL",
  "ERR_OUT_OF_MEMORY",
  "ERR_STATE_INVALID",
  "ERR_TEMPLATE",
  "ERR_UNSUPPORTED",
]);

export const NO_STATE: SessionState = { cachedTokens: 0 };

/**
 * Writes the state of a prompt, of which only what the context has not cached is evaluated.
 *
 * @throws {CriaError} ERR_DISPOSED, ERR_DECODE_FAILED, ERR_DEVICE_LOST; the signal's reason
 */
export async function saveState(
  context: Context,
  file: string,
  prompt: () => Promise<Prompt>,
  signal: AbortSignal,
): Promise<SessionState> {
  const state = await unlessImpossible(async () => {
    const cached = await prompt();
    return withSequence(context, { cached }, async (sequence) => {
      await sequence.evaluate(cached, { signal });
      await sequence.save(file);
    });
  });
  // An older one is of no use any more.
  if (state.cachedTokens === 0) await removeState(file);
  return state;
}

export async function removeState(file: string): Promise<void> {
  await rm(file, { force: true }).catch(() => {}); // what is left there is not believed
}

/**
 * Reads a state into the context's cache, where the next prompt with this beginning finds it.
 *
 * @throws {CriaError} as `saveState`
 */
export function restoreState(
  context: Context,
  file: string,
  signal: AbortSignal,
): Promise<SessionState> {
  return unlessImpossible(() =>
    withSequence(context, {}, async (sequence) => {
      signal.throwIfAborted();
      await sequence.restore(file);
    }),
  );
}

/** What the sequence holds stays in the cache when it is given back. */
async function withSequence(
  context: Context,
  options: SequenceOptions,
  fill: (sequence: Sequence) => Promise<void>,
): Promise<SessionState> {
  const sequence = await context.createSequence(options);
  try {
    await fill(sequence);
    return { cachedTokens: sequence.tokens.length };
  } finally {
    await sequence.dispose();
  }
}

async function unlessImpossible(work: () => Promise<SessionState>): Promise<SessionState> {
  try {
    return await work();
  } catch (error) {
    if (!CriaError.is(error) || !WITHOUT_STATE.has(error.code)) throw error;
    return { ...NO_STATE, stateError: error };
  }
}
