// A file of chats with one system message, answered by runBatch.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { renderChat, runBatch } from "../../dist/index.js";
import { withModel } from "./support.mjs";

const date = "26 Jul 2024";
/** Words that are a token each in the vocabulary of Llama 3, behind a space. */
const words = "one two three four five six seven eight nine ten red green blue black white".split(
  " ",
);
const word = (index) => words[(index * 7 + (index >> 4)) % words.length];
const text = (from, count) => Array.from({ length: count }, (_, at) => word(from + at)).join(" ");

function chats({ count, system, own }) {
  const message = { role: "system", content: text(0, system) };
  return Array.from({ length: count }, (_, index) => [
    message,
    { role: "user", content: `${text(index * 31 + 5, own)} ${index}` },
  ]);
}

/** The prompts' ids, for the other sides, and how many of them all have in common. */
export function batchPrompts(work) {
  return withModel(work, async (model) => {
    const prompts = chats(work).map((messages) =>
      renderChat(messages, { model, date }).flatMap((segment) =>
        "text" in segment ? [...model.tokenize(segment.text)] : [model.tokenId(segment.control)],
      ),
    );
    const differ = (at) => prompts.some((prompt) => prompt[at] !== prompts[0][at]);
    let shared = 0;
    while (!differ(shared)) shared += 1;
    return { prompts, shared };
  });
}

/** From the first line to the last result, but for the opening of the context. */
export function batch(work) {
  return withModel(work, async (model) => {
    const runs = [];
    for (let i = 0; i < work.repetitions; ++i) runs.push(await batchOnce(model, work));
    return runs;
  });
}

async function batchOnce(model, work) {
  const { settings, sequences, contextSize, tokens } = work;
  const folder = await mkdtemp(join(tmpdir(), "cria-bench-"));
  let start = 0;
  // The first line opens the context; the others come when it is there.
  async function* input() {
    yield { id: "first", prompt: "one", maxTokens: 4 };
    await opened;
    start = performance.now();
    for (const [index, messages] of chats(work).entries()) {
      yield { id: `chat-${index}`, messages, maxTokens: tokens };
    }
  }
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  try {
    const before = { completionTokens: 0 };
    const summary = await runBatch(model, {
      input: input(),
      output: join(folder, "results.jsonl"),
      sampling: { temperature: 0 },
      sequences,
      context: {
        contextSize,
        threads: settings.threads,
        flashAttention: settings.flashAttention,
        kvCacheType: settings.kvCacheType,
        batchSize: settings.batchSize,
        microBatchSize: settings.microBatchSize,
      },
      onProgress: (progress) => {
        if (start === 0) before.completionTokens = progress.completionTokens;
        open();
      },
    });
    const milliseconds = performance.now() - start;
    if (summary.errors > 0) throw new Error(`${summary.errors} lines have an error.`);
    return { milliseconds, generated: summary.completionTokens - before.completionTokens };
  } finally {
    await rm(folder, { recursive: true });
  }
}
