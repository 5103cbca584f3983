import { QUIET, runScript } from "../support/child.js";
import { vocabularyFile } from "../support/vocabularies.js";

test("no template kills the process, hangs it or makes it say a word", async () => {
  const args = [vocabularyFile("llama-bpe")];
  expect(await runScript("hostile/templates.mjs", { args, deadline: 280_000 })).toEqual(QUIET);
}, 300_000);
