// How well a model predicts a text: node examples/evaluations/perplexity.mjs [MODEL.gguf] [--data FILE]

import { readFile } from "node:fs/promises";
import { digestOf } from "./data-files.mjs";
import { exponential, ratio } from "./estimates.mjs";
import { ownData, runEvaluation, UsageError } from "./evaluation-command.mjs";
import { tokenLogprobs, windowsOf, windowTokens } from "./perplexity-windows.mjs";
import { scoreItems } from "./scored-file.mjs";

await runEvaluation({
  name: "perplexity",
  about: "Perplexity of a text, by context.score over windows as llama-perplexity cuts them.",
  options: {
    window: { type: "string", value: "N", about: "tokens of a window" },
    stride: { type: "string", value: "N", about: "from window to window; 0: side by side" },
  },
  defaults: { data: [ownData("perplexity.txt")], window: 512, stride: 0, sequences: 4 },
  evaluate,
});

async function evaluate({ model, options, signal, progress }) {
  const { data, window, stride, sequences, limit = Number.POSITIVE_INFINITY, output } = options;
  if (stride >= window) {
    throw new UsageError(`Expected a --stride below the --window of ${window}, got ${stride}`);
  }
  const texts = await Promise.all(data.map((path) => readFile(path, "utf8")));
  const tokens = await model.tokenizeAsync(texts.join("\n"), { addBos: true });
  const all = windowsOf(tokens.length, window, stride);
  if (all.length === 0) {
    throw new UsageError(
      `The text has ${tokens.length} tokens, too few for a window of ${window}: give more, or a smaller --window`,
    );
  }
  const [bos = null] = model.tokenize("", { addBos: true });
  const items = all.slice(0, limit).map((one, id) => ({ id, ...one }));
  const contextSize = options["context-size"] ?? window;
  const context = await model.createContext({ sequences, contextSize });
  const { results, interrupted } = await scoreItems({
    ...{ items, output, width: sequences, signal, progress },
    settings: {
      ...{ evaluation: "perplexity", model: model.fingerprint, window, stride },
      tokens: digestOf([...tokens]),
    },
    score: async ({ start, counted }) => ({
      logprobs: await tokenLogprobs(context, windowTokens(tokens, start, window, bos), counted),
    }),
  });
  const measured = items.flatMap(({ id }) => results.get(id)?.logprobs ?? []);
  const loss = ratio(measured.map((logprob) => -logprob));
  return {
    estimates: { perplexity: exponential(loss), "nats per token": loss },
    counts: {
      windows: items.filter(({ id }) => results.has(id)).length,
      "tokens of the text": tokens.length,
      ...(loss.value !== null && { "bits per token": Number((loss.value / Math.LN2).toFixed(4)) }),
    },
    interrupted,
  };
}
