import { untilAborted } from "../internal/abort.js";
import { CriaError, expected } from "../internal/errors.js";
import type { ChatMessage } from "../messages/messages.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { Prompt } from "../model/prompt.js";
import { shown } from "./session-history.js";
import type { TokenCounts } from "./token-counts.js";

/** What `summarize` is given besides the messages. */
export interface SummarizeContext {
  /** The summary of what was left out before, which the new one replaces; undefined where there is none. */
  readonly summary: string | undefined;
  /** How many tokens the summary may have. */
  readonly maxTokens: number;
  /** Aborted when the turn is stopped, which does not wait for the summary then. */
  readonly signal: AbortSignal;
}

/** Writes what the model is told in place of messages that no longer fit. */
export type Summarize = (
  dropped: readonly ChatMessage[],
  context: SummarizeContext,
) => string | Promise<string>;

/** A summary may take this share of the prompt's room. */
const SHARE = 1 / 8;
/** What is told of that, since a text may have more tokens than it was generated in. */
const TOLD = 0.9;
const WORDS = "Summary of the conversation so far:\n";

/** How many tokens of the room a summary may take. */
export function summaryRoom(room: number): number {
  return Math.floor(room * SHARE);
}

/**
 * The new summary; "" where nothing is to be told.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT (no text), ERR_CONTEXT_FULL (too long); what `summarize` throws;
 * the signal's reason
 */
export async function writeSummary(
  summarize: Summarize,
  dropped: readonly RenderableMessage[],
  before: { readonly summary: string; readonly most: number; readonly counts: TokenCounts },
  signal: AbortSignal,
): Promise<string> {
  const { most, counts } = before;
  const maxTokens = Math.floor(most * TOLD);
  const context = { summary: before.summary || undefined, maxTokens, signal };
  // In a promise, so that what it throws at once is treated as what it rejects with.
  const written = Promise.resolve().then(() => summarize(dropped.map(shown), context));
  const text: unknown = await untilAborted(written, signal);
  if (typeof text !== "string") throw expected("a text", "the result of options.summarize", text);
  const summary = text.trim();
  // No token is longer than this, so that a text of any length is refused without being tokenized.
  const absurd = summary.length > most * LONGEST_TOKEN;
  if (!absurd && (await counts.of([summary], most, signal)) <= most) return summary;
  throw new CriaError(
    "ERR_CONTEXT_FULL",
    `The summary of \`options.summarize\` has more than the ${maxTokens} tokens that are left for it: ` +
      "keep to the `maxTokens` that it is given, or create the context with a larger `contextSize`",
    { details: { name: "options.summarize", maxTokens } },
  );
}

/** Characters of the longest tokens that vocabularies have (runs of white space), amply. */
const LONGEST_TOKEN = 1024;

/** The messages with the summary, in the system message. Where a template has none, that is the user's. */
export function withSummary(
  messages: readonly RenderableMessage[],
  summary: string,
): readonly RenderableMessage[] {
  const [first, ...rest] = messages;
  const text = WORDS + summary;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...rest];
}

/** Whether it stands in the prompt: nothing is left out in silence. */
export function tells(prompt: Prompt, summary: string): boolean {
  return prompt.some((segment) => "text" in segment && segment.text.includes(summary));
}
