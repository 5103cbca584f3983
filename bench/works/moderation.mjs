// Messages judged by Llama Guard 3's prompt. The model's weights are random: it answers neither `safe`
// nor `unsafe`, so that each verdict is refused as unreadable, after the same work as for one.

import { performance } from "node:perf_hooks";
import { LlamaGuard, renderGuardPrompt } from "../../dist/index.js";
import { createContext, withModel } from "./support.mjs";

const variant = "llama-guard-3-8b";
const words = "llama wool river song bread cloud village morning letter garden".split(" ");

/** Two words and a number each, which begin differently. */
function messagesOf(count) {
  const word = (i) => words[i % words.length];
  return Array.from({ length: count }, (_, i) => `${word(i)} ${i} ${word(Math.floor(i / 10))}?`);
}

/**
 * Milliseconds for all messages, each time in a new context that has seen one short, unrelated
 * prompt: by `moderateMany`, or one after the other with nothing taken over from the one before.
 */
export function moderate(work) {
  return withModel(work, async (model) => {
    const messages = messagesOf(work.messages);
    const runs = [];
    for (let i = 0; i < work.repetitions; ++i) {
      const context = await createContext(model, work);
      await context.score("One moment", [0]);
      const start = performance.now();
      await (work.alone ? scoreAlone(context, messages) : moderateAll(context, messages));
      runs.push(performance.now() - start);
      await context.dispose();
    }
    return runs;
  });
}

/** What `LlamaGuard.moderate` does for a verdict without categories. */
async function scoreAlone(context, messages) {
  const candidates = ["safe", "unsafe"].map((word) => context.model.tokenize(word)[0]);
  for (const message of messages) {
    const prompt = [...renderGuardPrompt(message, { variant }), { text: "\n\n" }];
    const scores = await context.score(prompt, candidates, { cachePrompt: false });
    if (scores.some(Number.isNaN)) throw new Error(`"${message}" has no score.`);
  }
}

async function moderateAll(context, messages) {
  const guard = new LlamaGuard(context, { variant });
  let judged = 0;
  for await (const { error } of guard.moderateMany(messages, { categories: false })) {
    if (error && error.code !== "ERR_GUARD_UNREADABLE") throw error;
    ++judged;
  }
  if (judged !== messages.length) throw new Error(`${judged} of ${messages.length} were judged.`);
}
