// An answer in a chat whose guard judges it while it is written. The models' weights are random: each
// verdict is refused as unreadable after the same work as for one, and counts as safe here.

import { performance } from "node:perf_hooks";
import { ChatSession, CriaError, Grammar, LlamaGuard, Sampler } from "../../dist/index.js";
import { createContext, withModel } from "./support.mjs";

const question = "Please tell me about the llama, the river and the village. ";

/** Milliseconds from `send()` to the first text and to the end of the answer. */
export function moderatedChat(work) {
  return withModel(work, async (model) => {
    const context = await createContext(model, work);
    const judging = work.guarded ? await createContext(model, work) : undefined;
    const guard = judging && lenient(new LlamaGuard(judging, { variant: "llama-guard-3-8b" }));
    const sampler = sentences(model);
    const first = [];
    const total = [];
    for (let i = -1; i < work.repetitions; ++i) {
      const session = new ChatSession(context, {
        sampler,
        maxTokens: work.tokens,
        ...(guard && { guard: { [work.guarded]: guard } }),
      });
      const times = await timeTurn(session.send(`${i}: ${question.repeat(work.sentences)}`));
      if (i < 0) continue; // a warm-up: the guard's policy, too, is evaluated once
      first.push(times.first);
      total.push(times.total);
    }
    return { first, total };
  });
}

async function timeTurn(turn) {
  const start = performance.now();
  let first;
  for await (const event of turn) {
    if (event.type === "text") first ??= performance.now() - start;
  }
  const total = performance.now() - start;
  const { stopReason } = await turn.result();
  if (stopReason !== "max-tokens") throw new Error(`The answer ended early: ${stopReason}.`);
  return { first, total };
}

/** Sentences of twenty tokens, whatever the weights: the likeliest token is nearly always allowed. */
function sentences(model) {
  const [word] = model.tokenize(" Word");
  const [stop] = model.tokenize(".");
  const grammar = Grammar.gbnf('root ::= (" Word"{19} ".")+');
  return new Sampler({ temperature: 0, grammar, logitBias: { [word]: 100, [stop]: 90 } });
}

function lenient(guard) {
  const safe = { safe: true, score: 0, categories: [], unknownCodes: [], judged: "user", raw: "" };
  return {
    moderate: (conversation, options) =>
      guard.moderate(conversation, { ...options, categories: false }).catch((error) => {
        if (CriaError.is(error) && error.code === "ERR_GUARD_UNREADABLE") return safe;
        throw error;
      }),
  };
}
