import { join } from "node:path";
import { QUIET, runScript } from "../support/child.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { vocabularyFile } from "../support/vocabularies.js";

test("no template kills the process, hangs it or makes it say a word", async () => {
  const args = [vocabularyFile("llama-bpe")];
  expect(await runScript("hostile/templates.mjs", { args, deadline: 280_000 })).toEqual(QUIET);
}, 300_000);

test.each([
  ["no schema of a tool", "tool-schemas"],
  ["no call of the history and no result", "nested-calls"],
])(
  "%s kills the process, hangs it or makes it say a word",
  async (_, name) => {
    const args = [vocabularyFile("llama-bpe"), join(llamaCppDir(), "models", "templates")];
    expect(await runScript(`hostile/${name}.mjs`, { args, deadline: 280_000 })).toEqual(QUIET);
  },
  300_000,
);
