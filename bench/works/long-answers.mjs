// What reading an answer of 20,000 tokens takes beside generating it, piece by piece: it is linear if the last
// pieces take no longer than the first. The answers are written here, not by a model; everything behind
// them (parsers, thoughts, calls, events) is what a chat has.
//
//   [PIECES=20000] node bench/works/long-answers.mjs [folder of llama.cpp] [model.gguf]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ChatSession, defineTool, Model } from "../../dist/index.js";

const root = new URL("../..", import.meta.url).pathname;
const [llamaCpp = join(root, ".llama.cpp"), path = join(root, "models", "cria-demo.gguf")] =
  process.argv.slice(2);

const PIECES = Number(process.env.PIECES ?? 20_000);
const PART = PIECES / 5;

const model = await Model.load(path, { vocabOnly: true });
const template = (name) =>
  readFileSync(join(llamaCpp, "models", "templates", `${name}.jinja`), "utf8");
const note = defineTool({
  name: "note",
  parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
});

/** A context of a model that says these pieces, a token each. `begun` is called before each of them. */
function saying(pieces, begun) {
  const tokens = Int32Array.of(0);
  return {
    model,
    contextSize: 1 << 20,
    generate: () => ({
      async *[Symbol.asyncIterator]() {
        for (const [at, text] of pieces.entries()) {
          begun(at);
          yield { text, tokens };
        }
      },
      cancel() {},
      result: async () => ({
        ...{ text: "", tokens: new Int32Array(0), stopReason: "end-of-turn", stopToken: null },
        usage: { promptTokens: 1, cachedTokens: 0, completionTokens: pieces.length },
      }),
    }),
  };
}

const words = (count) => Array.from({ length: count }, (_, at) => ` word${at % 97}`);

/** By what an answer consists of: the template, and its beginning, end and the pieces between. */
const ANSWERS = {
  "Qwen3: text": ["Qwen-Qwen3-0.6B", [], words(PIECES), []],
  "Qwen3: thoughts, then text": [
    "Qwen-Qwen3-0.6B",
    ["<think>\n", ...words(PIECES / 2), "\n</think>\n\n"],
    words(PIECES / 2),
    [],
  ],
  "Qwen3: one long call": [
    "Qwen-Qwen3-0.6B",
    ['<tool_call>\n{"name": "note", "arguments": {"text": "'],
    words(PIECES),
    ['"}}\n</tool_call>'],
    true,
  ],
  "gpt-oss: thoughts, then text": [
    "openai-gpt-oss-120b",
    [
      "<|channel|>analysis<|message|>",
      ...words(PIECES / 2),
      "<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
    words(PIECES / 2),
    [],
  ],
  "DeepSeek V3.2: text, with a tool": ["deepseek-ai-DeepSeek-V3.2", [], words(PIECES), [], true],
  "Llama 3.1: text, with a tool": [undefined, [], words(PIECES), [], true],
  "Llama 3.1: one long call": [
    undefined,
    ['{"name": "note", "parameters": {"text": "'],
    words(PIECES),
    ['"}}'],
    true,
  ],
};

const cell = (text, width) => String(text).padStart(width);
console.log(
  `${"µs of the process per piece".padEnd(38)}${[1, 2, 3, 4, 5].map((part) => cell(`part ${part}`, 9)).join("")}  last/first`,
);
for (const [name, [source, opening, middle, ending, tooled]] of Object.entries(ANSWERS)) {
  const pieces = [...opening, ...middle, ...ending];
  const marks = [];
  const context = saying(pieces, (at) => {
    if (at % PART === 0) marks.push(process.cpuUsage());
  });
  const session = new ChatSession(context, {
    ...(source === undefined ? { format: "llama-3.1" } : { chatTemplate: template(source) }),
    ...(tooled && { tools: [note] }),
    maxToolRounds: 0,
  });
  let characters = 0;
  for await (const event of session.send("Go on.")) {
    if (event.type === "text" || event.type === "reasoning") characters += event.text.length;
    if (event.type === "tool-call") characters += event.call.function.arguments.length;
  }
  if (characters < 5 * PIECES)
    throw new Error(`${name}: only ${characters} characters came through`);
  if (marks.length < 6) marks.push(process.cpuUsage());
  const times = marks.slice(1, 6).map((mark, part) => {
    const before = marks[part];
    return (mark.user + mark.system - before.user - before.system) / PART;
  });
  const shown = times.map((time) => cell(time.toFixed(1), 9)).join("");
  console.log(`${name.padEnd(38)}${shown}${cell((times[4] / times[0]).toFixed(2), 12)}`);
}
await model.dispose();
