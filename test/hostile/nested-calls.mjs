// Arguments of calls, and results of tools, that nest too deeply or have too many members for those who walk them by
// recursion: refused, or shown as the text that they are. Nothing is printed.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { requestOf, vocabularyModel } from "../support/vocabulary-model.mjs";

const [, , vocabulary, templates] = process.argv;
const model = await vocabularyModel(vocabulary);
const sourceOf = (name) => readFileSync(join(templates, `${name}.jinja`), "utf8");

const tool = { type: "function", function: { name: "f", parameters: { type: "object" } } };
function conversation(args, result) {
  const called = { id: "abcdefgh1", type: "function", function: { name: "f", arguments: args } };
  return [
    { role: "user", content: "x" },
    { role: "assistant", content: null, tool_calls: [called] },
    { role: "tool", tool_call_id: "abcdefgh1", content: result },
  ];
}

let id = 0;
async function outcomes(template, args, result) {
  const request = requestOf(template, conversation(args, result), [tool]);
  const work = [model.startRender(++id, request), model.startFormat(++id, request)];
  const settled = await Promise.allSettled(work);
  return settled.map(({ reason }) => reason?.code ?? "written");
}

const deep = (levels) => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
const members = (count) => Array.from({ length: count }, (_, i) => `"${i}":0`).join();
const NESTED = {
  "300 levels": deep(300),
  "a million levels": deep(1_000_000),
  "a million levels that do not end": `{"a":${"[".repeat(1_000_000)}`,
  "100,000 members": `{"a":{${members(100_000)}}}`,
};

const NAMES = [
  "Qwen-Qwen2.5-7B-Instruct",
  "mistralai-Mistral-Nemo-Instruct-2407",
  "google-gemma-4-31B-it",
  "google-gemma-4-31B-it-interleaved",
  "openai-gpt-oss-120b",
];
/** As the first templates of Gemma 4 were: they look into results. */
const FIRST_GEMMA =
  "{# '<|tool_call>call:' #}{% for m in messages %}{{ m.content }}{% for r in m.tool_responses %}{{ r.response }}{% endfor %}{% endfor %}";

for (const [name, text] of Object.entries(NESTED)) {
  for (const source of [...NAMES.map(sourceOf), FIRST_GEMMA]) {
    for (const code of await outcomes(source, text, "ok")) {
      assert.match(code, /^(written|ERR_INVALID_ARGUMENT)$/, name);
    }
    const rendered = await outcomes(source, "{}", text);
    // A text of 2 MB may be more than a template's budget, but is no reason to die.
    for (const code of rendered) assert.match(code, /^(written|ERR_TEMPLATE)$/, name);
  }
}
assert.deepEqual(await outcomes(sourceOf(NAMES[0]), deep(300), "ok"), [
  "ERR_INVALID_ARGUMENT",
  "ERR_INVALID_ARGUMENT",
]);
assert.deepEqual(await outcomes(FIRST_GEMMA, "{}", deep(300)), ["written", "written"]);
assert.deepEqual(await outcomes(sourceOf(NAMES[0]), deep(190), deep(190)), ["written", "written"]);

await model.closeWork();
await model.close();
