import { promptRoom } from "../generation/prompt-room.js";
import { CriaError } from "../internal/errors.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { Prompt } from "../model/prompt.js";
import {
  type Summarize,
  summaryRoom,
  tells,
  withSummary,
  writeSummary,
} from "./conversation-summary.js";
import { fitPrompt, hasRoom, leftOut } from "./fit-history.js";
import type { ChatRenderer } from "./render-chat.js";
import type { SessionHistory } from "./session-history.js";

export interface FittedPromptOptions {
  readonly renderer: ChatRenderer;
  readonly contextSize: number;
  /** Of the answer. */
  readonly maxTokens: number | undefined;
  readonly summarize: Summarize | undefined;
  readonly addGenerationPrompt?: boolean;
}

interface Fitted {
  readonly prompt: Prompt;
  /** What the prompt says, as the renderer was given it. */
  readonly messages: readonly RenderableMessage[];
}

/**
 * The prompt of a session's history, without what does not fit, of which it may tell a summary. What it
 * leaves out is noted in the history.
 *
 * @throws {CriaError} ERR_TEMPLATE, ERR_INVALID_ARGUMENT, ERR_CONTEXT_FULL (the summary is too long);
 * what `summarize` throws; the signal's reason
 */
export async function fittedPrompt(
  history: SessionHistory,
  options: FittedPromptOptions,
  signal: AbortSignal,
): Promise<Fitted> {
  const { renderer, summarize, addGenerationPrompt } = options;
  const room = promptRoom(options.contextSize, options.maxTokens);
  const { messages, dropped, summary, summarized, counts } = history;
  const most = summarize === undefined ? 0 : summaryRoom(room);
  const asRendered = (kept: readonly RenderableMessage[]) =>
    renderer.format === "template" ? forTemplates(kept) : kept;
  const render = async (kept: readonly RenderableMessage[]): Promise<Fitted> => {
    const all = asRendered(kept);
    return { prompt: await renderer.render(all, signal, { addGenerationPrompt }), messages: all };
  };
  // Turns that were left out while nobody summarised are summarised now.
  const owed = summarize !== undefined && dropped > summarized;
  const fitted = await fitPrompt(
    messages,
    async (kept, count) => {
      const replaced = summarize !== undefined && (owed || count !== dropped);
      const whole = replaced ? await render(kept) : await renderTold(kept, summary, render);
      return whole.prompt;
    },
    { dropped, room: owed ? room - most : room, reserved: most, counts, signal },
  );
  const { dropped: out, messages: kept } = fitted;
  if (summarize !== undefined && out > summarized) {
    const news = leftOut(messages, summarized, out);
    history.summary = await writeSummary(summarize, news, { summary, most, counts }, signal);
    history.summarized = out;
  }
  history.dropped = out;
  if (history.summary === "") return { prompt: fitted.prompt, messages: asRendered(kept) };
  const whole = await renderTold(kept, history.summary, render);
  // A last turn that fills the context by itself goes before the summary.
  return (await hasRoom(whole.prompt, room, counts, signal)) ? whole : render(kept);
}

async function renderTold(
  kept: readonly RenderableMessage[],
  summary: string,
  render: (messages: readonly RenderableMessage[]) => Promise<Fitted>,
): Promise<Fitted> {
  if (summary === "") return render(kept);
  const fitted = await render(withSummary(kept, summary));
  if (tells(fitted.prompt, summary)) return fitted;
  throw new CriaError(
    "ERR_TEMPLATE",
    "The chat template does not show what is in the system message, where the summary is: " +
      "leave `summarize` out, or give another `chatTemplate`",
  );
}

const NOTHING_SAID: RenderableMessage = { role: "assistant", content: " ", tool_calls: [] };

/**
 * Messages as strict templates take them: no answer is empty, and none of the user's follows a call
 * or a result directly, even if a turn was stopped there.
 */
export function forTemplates(messages: readonly RenderableMessage[]): RenderableMessage[] {
  return messages.flatMap((message, index): RenderableMessage[] => {
    const before = messages[index - 1];
    const unanswered =
      message.role === "user" &&
      (before?.role === "tool" || (before?.role === "assistant" && before.tool_calls.length > 0));
    if (unanswered) return [NOTHING_SAID, message];
    if (message.role !== "assistant") return [message];
    const { reply: _, ...rest } = message;
    const empty = rest.content === "" && rest.tool_calls.length === 0;
    return [empty ? { ...rest, content: NOTHING_SAID.content } : rest];
  });
}
