// Answers of a model to many requests, through runBatch: as many at a time as the machine can, into a file
// that a run which ended goes on with.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { runBatch } from "cria";

/**
 * Opens what answers. `answer(requests)` takes requests with ids and resolves with what came back, by id:
 * `{ text, calls, error }`; calls are `{ name, arguments }`, arguments as the text that was generated. It may
 * be called several times, with new ids.
 */
export async function openAnswers({ model, output, signal, progress, ...options }) {
  const { sequences, contextSize, maxTokens } = options;
  const folder =
    output === undefined ? await mkdtemp(join(tmpdir(), "cria-evaluation-")) : undefined;
  const file = output ?? join(folder, "answers.jsonl");
  const answer = async (requests) => {
    const total = requests.length;
    const summary = await runBatch(model, {
      ...{ input: requests, output: file, resume: true, finish: signal, maxTokens },
      // The likeliest token each time: what a model scores does not hang on a seed.
      sampling: { temperature: 0 },
      ...(sequences !== undefined && { sequences }),
      ...(contextSize !== undefined && { context: { contextSize } }),
      onProgress: ({ done }) => progress?.(done, total),
    });
    const wanted = new Set(requests.map(({ id }) => id));
    const answers = new Map();
    for (const line of await linesOf(file)) {
      const { custom_id: id, response, error } = JSON.parse(line);
      if (wanted.has(id)) answers.set(id, readAnswer(response, error));
    }
    return { answers, interrupted: summary.interrupted };
  };
  const close = async () => {
    if (folder !== undefined) await rm(folder, { recursive: true });
  };
  return { answer, close };
}

async function linesOf(file) {
  const bytes = await readFile(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  return text.split("\n").filter((line) => line !== "");
}

function readAnswer(response, error) {
  if (error !== null) return { text: "", calls: [], error: `${error.code}: ${error.message}` };
  const [{ text, message }] = response.body.choices;
  const calls = (message?.tool_calls ?? []).map(({ id, function: { name, arguments: given } }) => ({
    ...{ id, name, arguments: given },
  }));
  return { text: text ?? message.content ?? "", calls, error: null };
}

/** What the scores are not: how many lines had no answer, and the reason of the first. */
export function countsOf(items, answers) {
  const errors = items.flatMap(({ id }) => answers.get(id)?.error ?? []);
  return {
    items: items.length,
    errors: errors.length,
    ...(errors.length > 0 && { "first error": errors[0] }),
  };
}
